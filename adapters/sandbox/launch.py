"""Runs inside the sandbox, right before the agent's command: limits, Landlock, seccomp; then it becomes the command.

It stands alone, and on what the interpreter has at once (`posix` and not `os`, `_ctypes` and not `ctypes`): it is
started for every command, and half of its time would be spent on imports.
"""

import _ctypes
import _signal  # type: ignore[import-not-found]
import posix
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
NETWORK_SINCE, SCOPES_SINCE, SCOPES = 4, 6, 0b11
"""Scopes: abstract sockets and signals of nobody outside. The network is left to the namespace."""

KIND, FOLDER = 0o170000, 0o040000
PATH_ONLY, CLOSED_LATER = 0o10000000, 0o2000000
"""O_PATH, O_CLOEXEC."""

LIBC = _ctypes.dlopen(None, 2)  # type: ignore[arg-type]


class Failed(Exception):
    pass


def call(name: str, *words: int | bytes | None) -> int:
    done: int = _ctypes.call_function(_ctypes.dlsym(LIBC, name), words)
    if done < 0:
        raise Failed(f"{name}{words[:2]} is refused")
    return done


def long(number: int) -> bytes:
    return number.to_bytes(8, sys.byteorder)


def limit(words: str) -> None:
    """`7:4096,1:1000000`: numbers of RLIMIT_… and what they become, hard."""
    for each in words.split(","):
        number, _, most = each.partition(":")
        call("prlimit64", 0, int(number), long(int(most)) * 2, None)


def check(words: str) -> None:
    """`device:inode:path`: what was guarded is what was looked at, and no link that took its place meanwhile."""
    device, inode, path = words.split(":", 2)
    found = posix.lstat(path)
    if (found.st_dev, found.st_ino) != (int(device), int(inode)):
        raise Failed(f"{path} changed while the sandbox was made; try again")


def restrict(version: int, written: list[str], read: list[str]) -> None:
    """Landlock: files are written below `written`, read below `read` as well; names are listed everywhere."""
    every = KNOWN[min(version, len(KNOWN)) - 1]
    attributes = long(every)
    attributes += long(0) if version >= NETWORK_SINCE else b""
    attributes += long(SCOPES) if version >= SCOPES_SINCE else b""
    rules = call("syscall", CREATE_RULESET, attributes, len(attributes), 0)
    reading = EXECUTE | READ_FILE | READ_FOLDER
    for paths, wanted in ((["/"], READ_FOLDER), (read, reading), (written, every)):
        for path in paths:
            allow(rules, path, wanted & every)
    call("syscall", RESTRICT_SELF, rules, 0)
    posix.close(rules)


def allow(rules: int, path: str, wanted: int) -> None:
    try:
        opened = posix.open(path, PATH_ONLY | CLOSED_LATER)
    except FileNotFoundError:
        return
    if posix.fstat(opened).st_mode & KIND != FOLDER:
        wanted &= ON_FILES
    call("syscall", ADD_RULE, rules, 1, long(wanted) + opened.to_bytes(4, sys.byteorder), 0)
    posix.close(opened)


def filter_calls(program: bytes) -> None:
    """seccomp: the program decides about every system call from now on."""
    address = id(program) + bytes.__basicsize__ - 1
    count = (len(program) // 8).to_bytes(2, sys.byteorder)
    call("prctl", SECCOMP, FILTER, count + b"\0" * 6 + long(address), 0, 0)


def become(command: list[str]) -> None:
    """Looked for in PATH, as a shell does. OSError."""
    name = command[0]
    folders = [""] if "/" in name else posix.environ[b"PATH"].decode().split(":")
    refused: OSError = FileNotFoundError(2, "No such file or directory")
    for folder in folders:
        try:
            posix.execve(f"{folder}/{name}" if folder else name, command, posix.environ)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refused = error
    raise refused


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
        become(command)
    except OSError as error:
        sys.stderr.write(f"sandbox: execvp {command[0]}: {error.strerror}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    main(sys.argv[1:])
