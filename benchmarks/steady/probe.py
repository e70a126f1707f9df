"""`patchbay` with a probe in it: how long does anything keep the event loop from going on, and what was it?

    python -m benchmarks.steady.probe REPORT MILLISECONDS run --config FILE

The loop beats every few milliseconds; a beat that comes late was held up for so long. What the operating system took
(the thread was ready and had no processor: /proc/…/schedstat) is told apart. A thread looks on, and takes down what the
loop's thread does while a beat is overdue. The program itself knows nothing of it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from time import perf_counter, sleep
from types import FrameType
from typing import Any

BEAT_SECONDS = 0.005
FRAMES = 14
WRITE_SECONDS = 1.0
MOST_KEPT = 400


class Probe:
    """`late`: each beat that was later than `late` seconds: when, for how long, and what was seen meanwhile."""

    def __init__(self, report: Path, late: float) -> None:
        self._report, self._limit = report, late
        self._last = self._began = perf_counter()
        self._spent = self._waits = 0.0
        self._thread = threading.get_ident()
        self._stat = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._seen: list[list[str]] = []
        self._beats: Counter[int] = Counter()
        self._late: list[dict[str, Any]] = []
        self._collecting = self._collected = 0.0
        gc.callbacks.append(self._on_garbage)

    def begin(self) -> None:
        """What was until now does not count: the start, before anybody is served."""
        self._began = perf_counter()
        self._beats.clear()
        self._late.clear()

    async def beat(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.begin)
        threading.Thread(target=self._look_on, daemon=True, name="probe").start()
        self._last = perf_counter()
        self._spent, self._waits = self._schedstat()
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            now = perf_counter()
            held = now - self._last - BEAT_SECONDS
            spent, waits = self._schedstat()
            self._beats[max(0, int(held * 1000))] += 1
            if held > self._limit:
                self._note(now, held, spent - self._spent, waits - self._waits)
            self._seen.clear()
            self._collected = 0.0
            self._last, self._spent, self._waits = perf_counter(), spent, waits

    def _note(self, now: float, held: float, spent: float, waited: float) -> None:
        late: dict[str, Any] = {"at": now - self._began, "ms": held * 1000, "cpu_ms": spent * 1000}
        late |= {"no_processor_ms": waited * 1000, "garbage_ms": self._collected * 1000}
        if len(self._late) < MOST_KEPT:
            self._late.append(late | {"seen": list(self._seen)})

    def _on_garbage(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = perf_counter()
        else:
            self._collected += perf_counter() - self._collecting

    def _schedstat(self) -> tuple[float, float]:
        """Seconds on a processor, and seconds ready without one."""
        run, wait, _ = self._stat.read_text().split()
        return int(run) / 1e9, int(wait) / 1e9

    def _look_on(self) -> None:
        written = perf_counter()
        while True:
            sleep(BEAT_SECONDS)
            now = perf_counter()
            if now - self._last > max(self._limit / 2, BEAT_SECONDS):
                self._seen.append(_stacks(self._thread))
            if now - written > WRITE_SECONDS:
                self._write()
                written = now

    def _write(self) -> None:
        draft = self._report.with_suffix(".new")
        draft.write_text(json.dumps({"beats": dict(self._beats), "late": self._late}))
        draft.replace(self._report)


def _stacks(loop_thread: int) -> list[str]:
    """Of the loop's thread, newest call first; then a line for each other thread that is not at rest."""
    frames = sys._current_frames()  # noqa: SLF001 - the documented way
    said = _calls(frames[loop_thread])[:FRAMES]
    for ident, frame in frames.items():
        if ident not in {loop_thread, threading.get_ident()}:
            calls = _calls(frame)
            if not any(word in calls[0] for word in ("wait", "get", "_worker", "select", "sleep")):
                said.append(f"beside: {' < '.join(calls[:3])}")
    return said


def _calls(frame: FrameType) -> list[str]:
    stack = traceback.extract_stack(frame)
    return [f"{'/'.join(Path(each.filename).parts[-3:])}:{each.lineno} {each.name}" for each in reversed(stack)]


def main() -> None:
    report, late = Path(sys.argv[1]), float(sys.argv[2]) / 1000
    sys.argv = ["patchbay", *sys.argv[3:]]
    from bot import app, cli, loop  # noqa: PLC0415 - after the arguments are as it expects them

    plain = loop.run

    async def probed(inner: Coroutine[Any, Any, Any]) -> Any:
        beating = asyncio.create_task(Probe(report, late).beat())
        try:
            return await inner
        finally:
            beating.cancel()

    vars(app)["run_loop"] = lambda inner: plain(probed(inner))
    cli.main()


if __name__ == "__main__":
    main()
