"""The bot, killed at thousands of known points; ends with 1 if anything was lost, said twice or done twice.

python -m benchmarks.chaos --points 10000 --workers 2     in process, on SQLite
python -m benchmarks.chaos --seed 1 --only 17             one episode again
python -m benchmarks.chaos --syscalls 500                 by SIGKILL at system calls (needs strace)
python -m benchmarks.chaos --postgresql 200               on a server of our own, which is restarted (needs initdb)
python -m benchmarks.chaos --controls                     ends with 0 only if each built-in fault is seen
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from benchmarks.chaos import postgres
from benchmarks.chaos.controls import CONTROLS
from benchmarks.chaos.episode import episode, make_template, try_control
from benchmarks.chaos.lives import Lives
from benchmarks.chaos.plan import Plan, Report
from benchmarks.chaos.postgres import Cluster

LIVES = 60
"""In an episode."""
RESTARTS = 0.5
"""The part of the lives on PostgreSQL in which the server is restarted."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200, help="until so many distinct ones were hit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one episode")
    parser.add_argument("--lives", type=int, default=LIVES, help="in each episode")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--syscalls", type=int, default=0, help="so many lives ended at system calls instead")
    parser.add_argument("--postgresql", type=int, default=0, help="so many points on PostgreSQL instead")
    parser.add_argument("--control", choices=CONTROLS, help="with this fault built in")
    parser.add_argument("--controls", action="store_true", help="with each of the faults in turn")
    parser.add_argument("--keep", type=Path, help="a folder for what the bot left in episodes with faults")
    asked = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # that a caller dies in the middle is no news
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left behind
    if asked.controls:
        return asyncio.run(try_controls(asked.seed))
    report = asyncio.run(run(asked))
    print(report.by_operation(), report.table(), sep="\n\n")
    return 1 if report.verdict() else 0


async def run(asked: argparse.Namespace) -> Report:
    """Workers take the next episode in turn, until there are points enough."""
    report = Report()
    numbers = iter([asked.only] if asked.only is not None else range(1_000_000))
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        folder = Path(scratch)
        async with asyncio.TaskGroup() as group:
            for worker in range(asked.workers):
                group.create_task(work(asked, folder / str(worker), numbers, report))
    return report


async def work(asked: argparse.Namespace, folder: Path, numbers: Iterator[int], report: Report) -> None:
    async with _ground(asked, folder) as (lives, play):
        await _play_all(asked, folder, numbers, report, play)
        await lives.close()


Play = Callable[[Plan, Path, Report], Awaitable[None]]


@asynccontextmanager
async def _ground(asked: argparse.Namespace, folder: Path) -> AsyncIterator[tuple[Lives, Play]]:
    """Where the episodes of a worker are played."""
    lives = await Lives.begin()
    if not asked.postgresql:
        template = await make_template(lives, folder / "template")
        yield lives, lambda plan, here, report: episode(plan, lives, here, template, report)
        return
    async with Cluster(folder / "cluster") as cluster:
        template = await postgres.make_template(cluster, lives, folder / "template")
        yield lives, lambda plan, here, report: postgres.episode(plan, cluster, lives, here, template, report)


async def _play_all(
    asked: argparse.Namespace, folder: Path, numbers: Iterator[int], report: Report, play: Play
) -> None:
    began, most = monotonic(), asked.syscalls or asked.postgresql or asked.points
    ops = CONTROLS[asked.control].ops if asked.control else ()
    restarts = RESTARTS if asked.postgresql else 0.0
    for number in numbers:
        plan = Plan(asked.seed, number, asked.lives, asked.control or "", ops, bool(asked.syscalls), restarts)
        here, own = folder / str(number), Report()
        await play(plan, here, own)
        report.include(own)
        if own.faults and asked.keep:
            shutil.copytree(here, asked.keep / f"{asked.seed}-{number}", dirs_exist_ok=True)
        shutil.rmtree(here)
        count = report.calls if asked.syscalls else len(report.points)
        kind = "system calls" if asked.syscalls else "distinct points"
        told = f"{count:,} {kind}, {report.lives:,} lives, {len(report.faults)} faults"
        print(f"{plan.name} {monotonic() - began:.0f} s: {told}", *own.faults, sep="\n  ", file=sys.stderr, flush=True)
        if count >= most:
            break


async def try_controls(seed: int) -> int:
    """Each of them must turn it red."""
    seen = True
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        lives = await Lives.begin()
        template = await make_template(lives, Path(scratch) / "template")
        for name, control in CONTROLS.items():
            report = await try_control(name, seed, lives, Path(scratch), template)
            told = [each for each in report.faults if control.is_seen([each])]
            seen = seen and bool(told)
            print(f"a build that {control.about}: {report.lives} lives, {'red' if told else 'GREEN'}")
            print(*told[:3], sep="\n", end="\n\n", flush=True)
        await lives.close()
    return 0 if seen else 1


if __name__ == "__main__":
    sys.exit(main())
