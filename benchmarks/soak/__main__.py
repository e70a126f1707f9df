"""`patchbay run` under a steady load for hours, and what it holds meanwhile.

    python -m benchmarks.soak --minutes 120 --seed 1

Ends with 1 if memory grew by more than 5 % after the warm-up, if descriptors, threads, processes or checkouts stayed,
or if anything was not answered. The small form runs with the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from benchmarks.soak.town import Counts, Town
from benchmarks.soak.verdict import judge, row, table
from benchmarks.soak.vitals import Vitals, look
from tests.end_to_end.stage import stage

END_SECONDS = 90.0
"""The most that what is begun takes to be over."""
QUIET_SECONDS = 15.0
"""After that nothing is at work any more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """In seconds; `warm` is not judged."""

    seconds: float
    warm: float
    every: float
    seed: int
    pace: float = 1.0
    gap: float = 12.0
    quiet: float = QUIET_SECONDS


async def soak(folder: Path, plan: Plan, tell: Callable[[str], None]) -> tuple[list[Vitals], Counts]:
    """The last sample is taken when all is quiet."""
    async with stage(folder) as around:
        town = Town(around, plan.seed, pace=plan.pace, gap=plan.gap)
        async with around.bot("telegram", "slack") as bot:
            metrics, began, samples = f"http://127.0.0.1:{around.port}/metrics", monotonic(), []

            async def sample() -> None:
                seen = await look(bot.pid, bot.data, bot.log_path, monotonic() - began, metrics)
                samples.append(seen)
                tell(f"{row(seen)} {_said(town.counts)}")

            await town.settle()
            life = asyncio.create_task(town.live())
            try:
                while monotonic() - began < plan.seconds and not life.done():
                    await sample()
                    await asyncio.sleep(plan.every)
                town.close()
                async with asyncio.timeout(END_SECONDS):
                    await life
            finally:
                life.cancel()
            await asyncio.sleep(plan.quiet)
            await sample()
            town.counts.troubles += [line for line in bot.log.splitlines() if "[error" in line][:20]
        return samples, town.counts


def _said(counts: Counts) -> str:
    waits, counts.waits = counts.waits, []
    took = f"p50 {statistics.median(waits) * 1000:.0f} max {max(waits) * 1000:.0f} ms" if waits else ""
    return f"said {counts.said} {took} rounds {sum(counts.rounds.values())} troubles {len(counts.troubles)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--warm", type=float, default=20, help="minutes that are not judged")
    parser.add_argument("--every", type=float, default=30, help="seconds between two samples")
    parser.add_argument("--pace", type=float, default=1.0, help="light messages in a second")
    parser.add_argument("--gap", type=float, default=12.0, help="seconds between two runs")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    plan = Plan(asked.minutes * 60, asked.warm * 60, asked.every, asked.seed, asked.pace, asked.gap)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        samples, counts = asyncio.run(soak(Path(folder), plan, lambda line: print(line, file=sys.stderr, flush=True)))
    verdict = judge(samples[:-1], plan.warm)
    print(table(samples))
    print(f"\nsaid {counts.said}, answered {counts.answered}; rounds {counts.rounds}")
    print(f"memory after {asked.warm:g} minutes: {verdict.first:.1f} → {verdict.last:.1f} MB, {verdict.growth:+.1%}")
    faults = [*verdict.faults, *counts.troubles]
    faults += [f"{samples[-1].children} processes are left"] if samples[-1].children else []
    print("\n".join(faults) or "nothing is left behind")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
