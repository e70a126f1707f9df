"""Processes and the clock: the one place where adapters start a child and wait for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.spawn import Process, Start, spawn

GRACE_SECONDS = 0.3
"""Between asking a process group to end and killing it; Stop promises one second in all."""

CHUNK = 65_536

AGENT_NICE = 10
"""What agents start gets a tenth of what the bot gets, when both want the processor: people are answered meanwhile."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def free_bytes(folder: Path) -> int | None:
    """What this process may still write there; None: nobody knows."""
    try:
        return (await asyncio.to_thread(shutil.disk_usage, folder)).free
    except OSError:
        return None


class ProcessTimeoutError(Exception):
    """The process was killed because its time was over. `output` is what it had written."""

    def __init__(self, seconds: float, output: bytes) -> None:
        super().__init__(f"ended after {seconds:g} s, the most it may take")
        self.output = output


@dataclass(frozen=True, slots=True)
class Ended:
    """`code` as in a shell; negative: the signal that ended it. Outputs are cut at `limit`, the head kept."""

    code: int
    output: bytes
    error: bytes
    is_cut: bool = False

    @property
    def text(self) -> str:
        return self.output.decode(errors="replace")


async def run(  # noqa: PLR0913 - the facts of one process
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    seconds: float,
    cwd: str | None = None,
    stdin: bytes = b"",
    limit: int = 10_000_000,
    merge: bool = False,
    nice: int = 0,
    on_output: Callable[[bytes], None] | None = None,
) -> Ended:
    """Run to the end, in a process group of its own, with exactly `environment`.

    `merge` sends stderr into the output; `nice` leaves the processor to others. `on_output` sees each piece as it
    comes. ProcessTimeoutError after `seconds`; FileNotFoundError when there is no such program. On cancellation the
    whole group is dead when this returns.
    """
    child = _Child(await spawn(Start(argv, environment, cwd, has_stdin=bool(stdin), merge=merge, nice=nice)))
    out, err = _Kept(limit, on_output), _Kept(limit, None)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(child.feed(stdin), child.drain("out", out), child.drain("err", err), child.ended())
    except TimeoutError:
        raise ProcessTimeoutError(seconds, out.content) from None
    finally:
        await child.end_group()
    return Ended(child.code, out.content, err.content, is_cut=out.is_cut or err.is_cut)


class _Child:
    """A process whose pipes and end are watched by the loop itself, on any loop and without a thread."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._pipes = {"in": process.stdin, "out": process.stdout, "err": process.stderr}
        for pipe in self._pipes.values():
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)

    @property
    def code(self) -> int:
        return self._process.returncode or 0

    async def drain(self, name: str, kept: _Kept) -> None:
        """Read to the end of the output."""
        pipe = self._pipes[name]
        while pipe is not None:
            try:
                piece = os.read(pipe.fileno(), CHUNK)
            except BlockingIOError:
                await _readable(pipe.fileno())
                continue
            if not piece:
                return
            kept.take(piece)
            await asyncio.sleep(0)  # a process that writes faster than this reads would keep the loop for itself

    async def feed(self, stdin: bytes) -> None:
        """Write it all, then close; a process that does not read to the end is no error."""
        pipe, rest = self._pipes["in"], memoryview(stdin)
        while pipe is not None and rest:
            try:
                rest = rest[os.write(pipe.fileno(), rest) :]
            except BlockingIOError:
                await _writable(pipe.fileno())
            except (BrokenPipeError, ConnectionResetError):
                break
        if pipe is not None:
            pipe.close()

    async def ended(self) -> None:
        """Until it is over; its code is known then."""
        if self._process.poll() is not None:
            return
        try:
            watch = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):  # no such thing on this system
            await asyncio.to_thread(self._process.wait)
            return
        try:
            while self._process.poll() is None:
                await _readable(watch)
        finally:
            os.close(watch)

    async def end_group(self) -> None:
        """Terminate, wait, kill, wait: nothing of the process's group is left. No error when it is over already."""
        try:
            if self._process.poll() is None:
                self._signal(signal.SIGTERM)
                with suppress(TimeoutError):
                    async with asyncio.timeout(GRACE_SECONDS):
                        await self.ended()
        finally:
            self._signal(signal.SIGKILL)
            for pipe in self._pipes.values():
                if pipe is not None:
                    pipe.close()
            await self.ended()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


async def _readable(fd: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


async def _writable(fd: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(fd)


class _Kept:
    """The head of an output, up to a limit; the rest is read and dropped, so that the process never blocks."""

    def __init__(self, limit: int, on_output: Callable[[bytes], None] | None) -> None:
        self._limit, self._on_output = limit, on_output
        self._pieces: list[bytes] = []
        self._size = 0
        self.is_cut = False

    @property
    def content(self) -> bytes:
        return b"".join(self._pieces)

    def take(self, piece: bytes) -> None:
        if self._on_output is not None:
            self._on_output(piece)
        room = self._limit - self._size
        self.is_cut = self.is_cut or len(piece) > room
        self._pieces.append(piece[:room])
        self._size += min(len(piece), room)
