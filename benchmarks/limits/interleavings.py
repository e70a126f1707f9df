"""Ten thousand ways in which what people do arrives, again and in any order, each with one effect for each cause."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog

from tests.interleavings import Report, play, two_platforms

BOTS = 6
"""At once in one process: most of an interleaving is waiting for the disk and for loopback."""

ROUND = 100
"""Interleavings for each bot; then a new one begins with an empty database."""

SPARE = 1.03
"""Two processes may play the same one."""

HEAD = """| interleavings | distinct | deliveries | crashes | labelled copies | effects too few or too many |
|---|---|---|---|---|---|"""


def row(report: Report) -> str:
    figures = f"{len(report.hashes):,} | {report.deliveries:,} | {report.crashes:,} | {report.labelled}"
    return f"| Slack and Telegram | {figures} | {len(report.faults)} |"


def interleavings(count: int, seed: int, processes: int) -> Report:
    share = int(count / processes * SPARE) + 1
    whole = Report()
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        for each in pool.starmap(part, [(share, f"{seed}/{number}") for number in range(processes)]):
            whole.hashes |= each.hashes
            whole.faults += each.faults
            whole.deliveries += each.deliveries
            whole.crashes += each.crashes
            whole.labelled += each.labelled
    if len(whole.hashes) < count:
        whole.faults.append(f"{len(whole.hashes)} distinct, {count} wanted")
    return whole


def part(count: int, seed: str) -> Report:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return asyncio.run(_part(count, seed))


async def _part(count: int, seed: str) -> Report:
    report = Report()
    rounds = iter(range(2 * count // ROUND + BOTS))
    await asyncio.gather(*(_bot(count, rounds, seed, report) for _ in range(BOTS)))
    return report


async def _bot(count: int, rounds: Iterator[int], seed: str, report: Report) -> None:
    for number in rounds:
        if len(report.hashes) >= count:
            return
        dice = random.Random(f"{seed}/{number}")
        with tempfile.TemporaryDirectory(prefix="limits-") as folder:
            async with two_platforms(Path(folder)) as bot:
                for each in range(ROUND):
                    if len(report.hashes) >= count:
                        return
                    await play(bot, f"r{number}x{each}", dice, report)
        print(f"{len(report.hashes)}/{count} interleavings, {len(report.faults)} faults", file=sys.stderr)
