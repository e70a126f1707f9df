"""Looks after one command in the sandbox while it runs: what it uses with all its processes, and when that is too much.

The kernel's own limits hold for one process each. What many of them use together is counted here, a few times a second,
through the sandbox's own /proc, which lists nobody else. It blocks where it looks: that happens in a thread.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.sandbox.config import SandboxConfig

FIRST_SECONDS, NEXT_SECONDS = 0.05, 0.2
"""Until it looks for the first time, and again. Most commands are over before."""
GONE_SECONDS, GONE_PAUSE_SECONDS = 5.0, 0.005
MB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
MEMORY_FOLDERS = ("tmp", "var/tmp", "run", "dev/shm", "home/agent")
"""Those that lie in memory, seen from the root of the sandbox."""
LAUNCHER_INSIDE = "/.sandbox/launch.py"
MOST_SIZES = 1000
WALK_ROUNDS = 50
"""So often it looks at the whole checkout even though the disk did not become fuller."""
SHELL_BASE = 128
"""A shell, and bubblewrap, add the number of the signal that ended a command to this."""


class Watch:
    """Fits `core.ports.Watch`. One for each command."""

    def __init__(self, config: SandboxConfig, workspace: str, seen: Sizes) -> None:
        self._config, self._workspace = config, workspace
        self._disk = _Disk(config, workspace, seen)
        self._init = 0
        """The first process inside, by its number outside; 0: not there yet."""

    @property
    def seconds(self) -> float:
        return self._config.seconds

    @property
    def output_bytes(self) -> int:
        return self._config.output_mb * MB

    async def look(self, pid: int) -> str:
        """Returns when a limit is passed, with everything inside ended: which one, in plain words."""
        pause = FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = NEXT_SECONDS
            if said := await asyncio.to_thread(self._over, pid):
                return said

    async def ended(self) -> None:
        """The kernel ends what is inside a moment after bubblewrap; all of it, before the first process is gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GONE_SECONDS):
                while self._init and _is_alive(self._init):  # noqa: ASYNC110 - it is no child of ours, and tells nobody
                    await asyncio.sleep(GONE_PAUSE_SECONDS)

    def told_by(self, code: int) -> str:
        """Which limit of the kernel's an exit code tells of; empty: none."""
        number = -code if code < 0 else code - SHELL_BASE
        if number == signal.SIGXFSZ:
            return f"killed: wrote a file larger than {self._config.file_mb} MB"
        if number == signal.SIGXCPU:
            return f"killed: used more than {self._config.cpu_seconds} s of processor time"
        return ""

    def _over(self, pid: int) -> str:
        self._init = self._init or _child_of(pid)
        is_made = self._init and Path(f"/proc/{self._init}/root{LAUNCHER_INSIDE}").exists()
        said = self._processes_over() if is_made else ""  # before that its root is still that of the machine
        said = said or self._disk.over()
        if said and self._init:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self._init, signal.SIGKILL)
        return said

    def _processes_over(self) -> str:
        most, room = self._config.processes, self._config.memory_mb * MB
        seen = _Seen(Path(f"/proc/{self._init}/root"))
        tasks = memory = 0
        numbers = []
        for number in seen.processes():
            numbers.append(number)
            tasks += max(1, seen.tasks(number))
            memory += seen.resident(number)
            if tasks > most:
                return f"killed: ran more than {most} processes and threads"
        folders, most_files = seen.folders()
        if most_files > self._config.files:
            return f"killed: made more than {self._config.files:,} files outside of the checkout"
        nameless, self._disk.unlinked = seen.nameless(numbers)
        memory += folders + nameless
        if memory > room:  # counted again, each page that several share only once
            memory = sum(seen.proportional(number) for number in numbers) + folders + nameless
        return f"killed: used more than {self._config.memory_mb} MB of memory" if memory > room else ""


class _Seen:
    """The sandbox as it is seen from outside. What has gone meanwhile counts nothing."""

    def __init__(self, root: Path) -> None:
        self._root, self._proc = root, root / "proc"

    def processes(self) -> Iterator[str]:
        with suppress(OSError), os.scandir(self._proc) as entries:
            yield from (each.name for each in entries if each.name.isdecimal())

    def tasks(self, number: str) -> int:
        fields = _read(self._proc / number / "stat").rpartition(") ")[2].split()
        return int(fields[17]) if len(fields) > 17 else 0

    def resident(self, number: str) -> int:
        fields = _read(self._proc / number / "statm").split()
        return int(fields[1]) * PAGE if len(fields) > 1 else 0

    def proportional(self, number: str) -> int:
        for line in _read(self._proc / number / "smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
        return self.resident(number)

    def folders(self) -> tuple[int, int]:
        """What lies in the folders in memory: bytes, and the most files that one of them holds."""
        size = files = 0
        for name in MEMORY_FOLDERS:
            with suppress(OSError):
                found = os.statvfs(self._root / name)
                size += (found.f_blocks - found.f_bfree) * found.f_frsize
                files = max(files, found.f_files - found.f_ffree)
        return size, files

    def nameless(self, numbers: list[str]) -> tuple[int, int]:
        """Bytes of open files without a name: in memory (memfd_create), and on a disk (deleted while open)."""
        memory: dict[int, int] = {}
        disk: dict[int, int] = {}
        for number in numbers:
            with suppress(OSError), os.scandir(self._proc / number / "fd") as entries:
                for entry in entries:
                    with suppress(OSError):
                        found = os.stat(entry.path)  # noqa: PTH116 - os.scandir gives a str
                        if not found.st_nlink:
                            is_memory = os.readlink(entry.path).startswith("/memfd:")  # noqa: PTH115
                            (memory if is_memory else disk)[found.st_ino] = found.st_blocks * 512
        return sum(memory.values()), sum(disk.values())


class _Disk:
    """What the checkout takes. It is walked only when its disk became fuller, and once in a while.

    Made before the command is started, to know what was free then.
    """

    def __init__(self, config: SandboxConfig, workspace: str, seen: Sizes) -> None:
        self._config, self._workspace, self._seen = config, workspace, seen
        self._room = _room(workspace)
        self._rounds = 0
        self.unlinked = 0
        """Bytes that the command holds in files it has deleted."""

    def over(self) -> str:
        self._rounds += 1
        room = _room(self._workspace)
        taken, made = self._room[0] - room[0], self._room[1] - room[1]
        is_near = taken > self._config.disk_mb * MB // 8 or made > self._config.files // 8
        if not is_near and self._rounds % WALK_ROUNDS and self._workspace in self._seen:
            return ""
        self._room = room
        measured = measure(self._workspace)
        size, files = measured.size + self.unlinked, measured.files
        before = self._seen.first(self._workspace, measured)
        if measured.is_hidden and is_near:
            return "killed: it hid files from being counted, in folders too deep or closed"
        if size > max(self._config.disk_mb * MB, before.size):
            return f"killed: the checkout took more than {self._config.disk_mb} MB of disk"
        is_over = files > max(self._config.files, before.files)
        return f"killed: the checkout held more than {self._config.files:,} files" if is_over else ""


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes on the disk and entries below a folder. `is_hidden`: not all of it could be seen."""

    size: int
    files: int
    is_hidden: bool


class Sizes:
    """How large each checkout was when it was first looked at. One that was too large already may be made smaller by
    an agent, not larger.
    """

    def __init__(self) -> None:
        self._first: dict[str, Measured] = {}

    def __contains__(self, workspace: str) -> bool:
        return workspace in self._first

    def first(self, workspace: str, measured: Measured) -> Measured:
        """The first that was ever said of it, while it is among those that were last seen."""
        found = self._first.pop(workspace, measured)
        self._first[workspace] = found
        while len(self._first) > MOST_SIZES:
            del self._first[next(iter(self._first))]
        return found


def measure(folder: str) -> Measured:
    """Links are not followed. What has gone meanwhile counts nothing."""
    size = files = 0
    is_hidden = False
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    files += 1
                    with suppress(FileNotFoundError):
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            is_hidden = True
    return Measured(size, files, is_hidden)


def _room(folder: str) -> tuple[int, int]:
    """Bytes and files that the disk could still take."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0, 0
    return found.f_bfree * found.f_frsize, found.f_ffree


def _is_alive(number: int) -> bool:
    fields = _read(Path(f"/proc/{number}/stat")).rpartition(") ")[2].split()
    return bool(fields) and fields[0] not in {"Z", "X"}


def _child_of(pid: int) -> int:
    """The first process inside: bubblewrap's one child. 0: there is none yet."""
    for each in _children(pid):
        return each
    return 0


def _listed(pid: int) -> Path:
    """Where the kernel lists them, if it was made to."""
    return Path(f"/proc/{pid}/task/{pid}/children")


def _children(pid: int) -> Iterator[int]:
    path = _listed(pid)
    if path.exists():
        yield from (int(each) for each in _read(path).split())
        return
    with suppress(OSError), os.scandir("/proc") as entries:  # a kernel without that file
        for entry in entries:
            if entry.name.isdecimal():
                fields = _read(Path(entry.path) / "stat").rpartition(") ")[2].split()
                if len(fields) > 1 and fields[1] == str(pid):
                    yield int(entry.name)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
