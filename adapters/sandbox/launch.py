"""Runs inside the sandbox, right before the agent's command: limits, Landlock, seccomp; then it becomes the command.

It stands alone: only the interpreter's own modules, and of those the few that are there at once, because it is started
for every command. `_ctypes` in the place of `ctypes` is a third of the whole time.
"""

from __future__ import annotations

import _ctypes
import _signal  # type: ignore[import-not-found]
import os
import resource
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Landlock's system calls, the same on every architecture."""
NO_NEW_PRIVILEGES = 38
SECCOMP, FILTER = 22, 2
"""prctl: PR_SET_SECCOMP, SECCOMP_MODE_FILTER."""

EXECUTE, WRITE, READ_FILE, READ_FOLDER, TRUNCATE, DEVICES = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
ON_FILES = EXECUTE | WRITE | READ_FILE | TRUNCATE | DEVICES
"""Of LANDLOCK_ACCESS_FS_…, those that a rule about a file may hold."""
KNOWN = ((1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
"""What each version of Landlock's interface knows of them, from the first."""
SCOPES_SINCE, SCOPES = 6, 0b11
"""Abstract sockets and signals of nobody outside."""

LIBC = _ctypes.dlopen(None, 2)  # type: ignore[arg-type]


class Failed(Exception):
    pass


def call(name: str, *words: int | bytes | None) -> int:
    done: int = _ctypes.call_function(_ctypes.dlsym(LIBC, name), words)
    if done < 0:
        raise Failed(f"{name}{words[:1]} is refused")
    return done


def long(number: int) -> bytes:
    return number.to_bytes(8, sys.byteorder)


def limit(words: str) -> None:
    """`7:4096,1:1000000`: numbers of RLIMIT_… and what they become, hard."""
    for each in words.split(","):
        number, _, most = each.partition(":")
        hard = resource.getrlimit(int(number))[1]
        value = int(most) if hard == resource.RLIM_INFINITY else min(int(most), hard)
        resource.setrlimit(int(number), (value, value))


def check(words: str) -> None:
    """`device:inode:path`: what was guarded is what was looked at, and no link that took its place meanwhile."""
    device, inode, path = words.split(":", 2)
    found = os.lstat(path)
    if (found.st_dev, found.st_ino) != (int(device), int(inode)):
        raise Failed(f"{path} changed while the sandbox was made; try again")


def restrict(version: int, written: list[str], read: list[str]) -> None:
    """Landlock: files are written below `written`, read below `read` as well; names are listed everywhere."""
    every = KNOWN[min(version, len(KNOWN)) - 1]
    attributes = long(every) + (long(0) if version >= 4 else b"") + (long(SCOPES) if version >= SCOPES_SINCE else b"")
    rules = call("syscall", CREATE_RULESET, attributes, len(attributes), 0)
    reading = EXECUTE | READ_FILE | READ_FOLDER
    for paths, wanted in ((["/"], READ_FOLDER), (read, reading), (written, every)):
        for path in paths:
            allow(rules, path, wanted & every)
    call("syscall", RESTRICT_SELF, rules, 0)
    os.close(rules)


def allow(rules: int, path: str, wanted: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):  # noqa: PTH112 - pathlib costs as much as all of this
        wanted &= ON_FILES
    call("syscall", ADD_RULE, rules, 1, long(wanted) + opened.to_bytes(4, sys.byteorder), 0)
    os.close(opened)


def filter_calls(program: bytes) -> None:
    """seccomp: the program decides about every system call from now on."""
    address = id(program) + bytes.__basicsize__ - 1
    count = (len(program) // 8).to_bytes(2, sys.byteorder)
    call("prctl", SECCOMP, FILTER, count + b"\0" * 6 + long(address), 0, 0)


def main(words: list[str]) -> None:
    """`-l limits`, `-g guard`, `-w written`, `-r read`, `-L version of Landlock`, `-s filter`, `--`, the command."""
    end = words.index("--")
    options = list(zip(words[:end:2], words[1:end:2], strict=True))

    def given(option: str) -> list[str]:
        return [value for name, value in options if name == option]

    command = words[end + 1 :]
    try:
        call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        for guard in given("-g"):
            check(guard)
        for limits in given("-l"):
            limit(limits)
        for version in given("-L"):
            restrict(int(version), given("-w"), given("-r"))
        for program in given("-s"):
            filter_calls(bytes.fromhex(program))
    except (Failed, OSError, ValueError) as error:
        sys.exit(f"sandbox: {error}")
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):  # Python ignores them, and the command would inherit that
        _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - to become it is the purpose
    except OSError as error:
        sys.stderr.write(f"sandbox: execvp {command[0]}: {error.strerror}\n")
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


main(sys.argv[1:])
