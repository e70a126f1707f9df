"""What the outbox and the inbox promise, at the platforms' limits: `python -m benchmarks.limits`.

    --busy 1000            429s over many chats, on each platform half of them
    --lost 1000            lost replies, on each platform
    --interleavings 10000  repeated and reordered deliveries, distinct by hash

Ends with 1 if a call came early, a post was lost, doubled or out of order, or a cause had not one effect.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import structlog

from benchmarks.limits import busy, interleavings, lost

T = TypeVar("T")
PLATFORMS = ("telegram", "slack")
SHOWN = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int)
    parser.add_argument("--lost", type=int)
    parser.add_argument("--interleavings", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    is_all = asked.busy is asked.lost is asked.interleavings is None
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, seed {asked.seed}\n")
    faults: list[str] = []
    if count := 1000 if is_all else asked.busy:
        faults += _busy(count // 2, asked.seed)
    if count := 1000 if is_all else asked.lost:
        faults += _lost(count, asked.seed)
    if count := 10_000 if is_all else asked.interleavings:
        faults += _interleavings(count, asked.seed, asked.processes)
    for each in faults[:SHOWN]:
        print(each)
    return 1 if faults else 0


def _busy(count: int, seed: int) -> list[str]:
    print(busy.HEAD)
    faults = []
    for platform in PLATFORMS:
        result = _timed(busy.busy, platform, count, seed)
        print(result.row(), flush=True)
        faults += result.faults
        if result.p(99) > busy.P99_SECONDS:
            faults.append(f"{platform}: other chats waited {result.p(99):.1f} s")
        if result.refused < count:
            faults.append(f"{platform}: only {result.refused} of {count} refusals were met")
    return faults


def _lost(count: int, seed: int) -> list[str]:
    print(f"\n{lost.HEAD}")
    faults = []
    for platform in PLATFORMS:
        result = _timed(lost.lost, platform, count, seed)
        print(result.row(), flush=True)
        faults += result.faults
        if result.before + result.after < count:
            faults.append(f"{platform}: only {result.before + result.after} of {count} replies were lost")
    return faults


def _interleavings(count: int, seed: int, processes: int) -> list[str]:
    began = time.monotonic()
    report = interleavings.interleavings(count, seed, processes)
    print(f"\n{interleavings.HEAD}\n{interleavings.row(report)}")
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return report.faults


def _timed(call: Callable[[str, int, Path, str], Coroutine[Any, Any, T]], platform: str, count: int, seed: int) -> T:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="limits-") as folder:
        result = asyncio.run(call(platform, count, Path(folder), f"{seed}/{platform}"))
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return result


if __name__ == "__main__":
    sys.exit(main())
