"""kill -9 in every part of the way from a message to a pull request, many times.

    python -m benchmarks.kills --moments 60 --seed 1

Ends with 1 if anything was lost, said twice, or done twice. The small form runs with the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from itertools import islice
from pathlib import Path

from tests.end_to_end.kills import Kills, Report, bot_for, spots
from tests.end_to_end.stage import stage

WAYS = (("telegram", "polling"), ("telegram", "webhook"), ("slack", "socket"), ("slack", "http"))

LEAST = 10
"""Moments in each window; where chance gave fewer, a few more are added."""
MOST_EXTRA = 12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=60, help="at least so many, shared by the four ways")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    whole = Report()
    for platform, mode in WAYS:
        dice = random.Random(f"{asked.seed}/{platform}/{mode}")
        asyncio.run(_way(platform, mode, -(-asked.moments // len(WAYS)), dice, whole))
    extra = 0
    while whole.fewest() < LEAST and extra < MOST_EXTRA:
        platform, mode = WAYS[extra % len(WAYS)]
        asyncio.run(_way(platform, mode, 4, random.Random(f"{asked.seed}/{extra}"), whole))
        extra += 1
    print(whole.table())
    if whole.fewest() < LEAST:
        whole.faults.append(f"fewer than {LEAST} moments in some window")
    return 1 if whole.faults else 0


async def _way(platform: str, mode: str, count: int, dice: random.Random, whole: Report) -> None:
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        async with stage(Path(folder)) as around:
            bot = bot_for(around, platform, mode)
            kills = Kills(around, bot, platform, mode)
            kills.report = whole
            await kills.begin()
            try:
                for number, spot in enumerate(islice(spots(platform, mode, dice), count)):
                    before = len(whole.faults)
                    await kills.run(spot)
                    told = "; ".join(whole.faults[before:]) or "well"
                    print(f"{platform} {mode} {number + 1}/{count} {spot.window} {spot.call} {told}", file=sys.stderr)
            finally:
                await bot.kill()
            if whole.faults:
                print(bot.log[-20_000:], file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
