"""Starting a process without holding up the event loop.

The standard library's way stops the interpreter, with every thread of it, until the new process has begun its program:
a millisecond, and a tenth of a second on a busy machine. Here libc's posix_spawn is called in a thread and outside the
interpreter's lock. Where libc cannot do all that is needed, the standard library does it after all.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Protocol

SETSIGDEF, SETSIGMASK, SETSID = 0x04, 0x08, 0x80
"""POSIX_SPAWN_… of glibc's spawn.h."""
OBJECT_BYTES = 1024
"""More than any of posix_spawnattr_t, posix_spawn_file_actions_t and sigset_t takes."""
RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them, and the process would inherit that."""
FIRST_TO_GO = "500"
"""Where the machine has no memory left, the kernel ends what was held back before it ends the bot."""
NEEDED = ("posix_spawn", "posix_spawn_file_actions_addchdir_np", "posix_spawn_file_actions_addclosefrom_np")
"""The last is in glibc since 2.34."""


@dataclass(frozen=True, slots=True)
class Start:
    """What to start, in a session of its own, with exactly `environment`; no descriptor is inherited but the pipes.

    `merge`: stderr goes into the output. `nice`: how much it leaves the processor to others, 0 to 19.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: str | None = None
    has_stdin: bool = False
    merge: bool = False
    nice: int = 0


class Process(Protocol):
    """As much of `subprocess.Popen` as is used."""

    pid: int
    returncode: int | None
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...


async def spawn(start: Start) -> Process:
    """FileNotFoundError, PermissionError, ValueError for a NUL. Cancelled, it leaves no process behind."""
    starting = _Starting(start)
    try:
        return await asyncio.to_thread(starting.go)
    except asyncio.CancelledError:
        starting.give_up()
        raise


class _Starting:
    """Done in a thread, which goes on whatever becomes of the task, and of the loop, that wait for it."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._is_wanted = True

    def go(self) -> Process:
        process = started(self._start)
        with self._lock:
            self._process = process
            is_wanted = self._is_wanted
        if not is_wanted:
            _end(process)
        return process

    def give_up(self) -> None:
        with self._lock:
            process, self._is_wanted = self._process, False
        if process is not None:
            _end(process)


def started(start: Start) -> Process:
    """It blocks."""
    libc = _libc()
    process = _popen(start) if libc is None else _Spawned(libc, start)
    if start.nice:
        _hold_back(process.pid, start.nice)
    return process


def _hold_back(pid: int, nice: int) -> None:
    """As well as it goes: it may be over already. Linux gives every session a share of its own, whatever is in it."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(FIRST_TO_GO)


def _popen(start: Start) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(start.argv),
        cwd=start.cwd,
        env=dict(start.environment),
        stdin=subprocess.PIPE if start.has_stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if start.merge else subprocess.PIPE,
        start_new_session=True,
        bufsize=0,
    )


def _end(process: Process) -> None:
    """Nobody wants it any more."""
    os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()


@cache
def _libc() -> ctypes.CDLL | None:
    """None: it cannot do all that is needed."""
    libc = ctypes.CDLL(None)
    return libc if all(hasattr(libc, each) for each in NEEDED) else None


class _Spawned:
    """A process that libc has started."""

    def __init__(self, libc: ctypes.CDLL, start: Start) -> None:
        self.returncode: int | None = None
        pipes = _Pipes()
        try:
            self.stdin: IO[bytes] | None = pipes.writer() if start.has_stdin else pipes.add(os.open(os.devnull, 0))
            self.stdout: IO[bytes] | None = pipes.reader()
            self.stderr: IO[bytes] | None = pipes.add(pipes.theirs[-1]) if start.merge else pipes.reader()
            self.pid = _posix_spawn(libc, start, pipes.theirs)
        except BaseException:
            for pipe in pipes.ours:
                pipe.close()
            raise
        finally:
            for descriptor in set(pipes.theirs):
                os.close(descriptor)

    def poll(self) -> int | None:
        if self.returncode is None:
            self._note(*os.waitpid(self.pid, os.WNOHANG))
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self._note(*os.waitpid(self.pid, 0))
        assert self.returncode is not None
        return self.returncode

    def _note(self, pid: int, status: int) -> None:
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)


class _Pipes:
    """`theirs`: what will be 0, 1 and 2 there, in this order."""

    def __init__(self) -> None:
        self.theirs: list[int] = []
        self.ours: list[IO[bytes]] = []

    def writer(self) -> IO[bytes]:
        read, write = os.pipe()
        self.ours.append(os.fdopen(write, "wb", 0))
        self.add(read)
        return self.ours[-1]

    def reader(self) -> IO[bytes]:
        read, write = os.pipe()
        self.ours.append(os.fdopen(read, "rb", 0))
        self.add(write)
        return self.ours[-1]

    def add(self, theirs: int) -> IO[bytes] | None:
        """Nothing of it is ours."""
        self.theirs.append(theirs)
        return None


def _posix_spawn(libc: ctypes.CDLL, start: Start, descriptors: Sequence[int]) -> int:
    """The process's id. OSError as `subprocess` raises it."""
    program = _program(start)
    argv, environment = _texts(start.argv), _texts([f"{name}={value}" for name, value in start.environment.items()])
    actions, attributes = _object(), _object()
    pid = ctypes.c_int()
    libc.posix_spawn_file_actions_init(actions)
    libc.posix_spawnattr_init(attributes)
    try:
        for number, descriptor in enumerate(descriptors):
            libc.posix_spawn_file_actions_adddup2(actions, descriptor, number)
        libc.posix_spawn_file_actions_addclosefrom_np(actions, len(descriptors))
        if start.cwd is not None:
            libc.posix_spawn_file_actions_addchdir_np(actions, os.fsencode(start.cwd))
        _set_attributes(libc, attributes)
        error = libc.posix_spawn(ctypes.byref(pid), program, actions, attributes, argv, environment)
    finally:
        libc.posix_spawn_file_actions_destroy(actions)
        libc.posix_spawnattr_destroy(attributes)
    if error:
        raise OSError(error, os.strerror(error), start.argv[0])
    return pid.value


def _set_attributes(libc: ctypes.CDLL, attributes: ctypes.Array[ctypes.c_char]) -> None:
    """A session of its own, and signals as a program expects them."""
    restored, blocked = _object(), _object()
    libc.sigemptyset(restored)
    libc.sigemptyset(blocked)
    for number in RESTORED:
        libc.sigaddset(restored, int(number))
    libc.posix_spawnattr_setsigdefault(attributes, restored)
    libc.posix_spawnattr_setsigmask(attributes, blocked)
    libc.posix_spawnattr_setflags(attributes, ctypes.c_short(SETSID | SETSIGDEF | SETSIGMASK))


def _program(start: Start) -> bytes:
    """Looked for in the PATH that it will see, as `subprocess` does."""
    name = start.argv[0]
    found = name if "/" in name else shutil.which(name, path=start.environment.get("PATH", os.defpath))
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return os.fsencode(found)


def _texts(texts: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    """Ended by NULL, as C wants a list of texts."""
    encoded = [os.fsencode(each) for each in texts]
    if any(b"\0" in each for each in encoded):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def _object() -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(OBJECT_BYTES)
