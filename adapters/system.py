"""Processes and the clock: the one place where adapters start a child and wait for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.spawn import Process, Start, spawn
from core.ports import CommandWatch

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


class ProcessEndedError(Exception):
    """The process was killed. `output` is what it had written, the text why."""

    def __init__(self, why: str, output: bytes) -> None:
        super().__init__(why)
        self.output = output


class ProcessTimeoutError(ProcessEndedError):
    """Its time was over."""

    def __init__(self, seconds: float, output: bytes) -> None:
        super().__init__(f"ended after {seconds:g} s, the most it may take", output)


class ProcessLimitError(ProcessEndedError):
    """It used more of the machine than it may."""


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
    watch: CommandWatch | None = None,
) -> Ended:
    """Run to the end, in a process group of its own, with exactly `environment`.

    `merge` sends stderr into the output; `nice` leaves the processor to others. `on_output` sees each piece as it
    comes. `watch` looks after what it uses. ProcessTimeoutError after `seconds`; ProcessLimitError when it used too
    much; FileNotFoundError when there is no such program. On cancellation the whole group is dead when this returns.
    """
    most = watch.output_bytes if watch else None
    seconds = min(seconds, watch.seconds) if watch else seconds
    child = _Child(await spawn(Start(argv, environment, cwd, has_stdin=bool(stdin), merge=merge, nice=nice)))
    out, err = _Kept(limit, on_output, most), _Kept(limit, None, most)
    try:
        async with asyncio.timeout(seconds), _watched(watch, child.pid):
            await _all(child.feed(stdin), child.drain("out", out), child.drain("err", err), child.ended())
    except TimeoutError:
        raise ProcessTimeoutError(seconds, out.content) from None
    except _TooMuch as error:
        raise ProcessLimitError(str(error), out.content) from None
    finally:
        await child.end_group()
        if watch is not None:
            await watch.ended()
    return Ended(child.code, out.content, err.content, is_cut=out.is_cut or err.is_cut)


async def _all(*works: Coroutine[None, None, None]) -> None:
    """Until each is done; when one fails the others are cancelled."""
    tasks = [asyncio.create_task(each) for each in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _TooMuch(Exception):
    """The text says of what."""


@asynccontextmanager
async def _watched(watch: CommandWatch | None, pid: int) -> AsyncIterator[None]:
    """What is within is cancelled when the watch has something to say: _TooMuch."""
    if watch is None:
        yield
        return
    task, said, is_over = asyncio.current_task(), "", False
    assert task is not None, "a coroutine runs in a task"

    async def look() -> None:
        nonlocal said
        said = await watch.look(pid)
        if not is_over:
            task.cancel()

    looking = asyncio.create_task(look())
    try:
        yield
    except asyncio.CancelledError:
        if not said or task.uncancel():
            raise
        raise _TooMuch(said) from None
    finally:
        is_over = True
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


class _Child:
    """A process whose pipes and end are watched by the loop itself, on any loop and without a thread."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._pipes = {"in": process.stdin, "out": process.stdout, "err": process.stderr}
        for pipe in self._pipes.values():
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

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

    def __init__(self, limit: int, on_output: Callable[[bytes], None] | None, most: int | None) -> None:
        self._limit, self._on_output, self._most = limit, on_output, most
        self._written = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self.is_cut = False

    @property
    def content(self) -> bytes:
        return b"".join(self._pieces)

    def take(self, piece: bytes) -> None:
        """_TooMuch beyond what it may write."""
        self._written += len(piece)
        if self._most is not None and self._written > self._most:
            raise _TooMuch(f"killed: wrote more than {self._most >> 20} MB of output")
        if self._on_output is not None:
            self._on_output(piece)
        room = self._limit - self._size
        self.is_cut = self.is_cut or len(piece) > room
        self._pieces.append(piece[:room])
        self._size += min(len(piece), room)
