"""kill -9 is a non-event: the small form; `python -m benchmarks.kills` is the large one."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from tests.end_to_end.kills import Kills, Window, bot_for, spots
from tests.end_to_end.stage import stage


@pytest.mark.parametrize(("platform", "mode"), [("telegram", "polling"), ("slack", "socket")])
async def test_killed_in_each_window_nothing_is_lost_and_nothing_is_said_twice(
    platform: str, mode: str, tmp_path: Path
) -> None:
    async with stage(tmp_path) as around:
        bot = bot_for(around, platform, mode)
        kills = Kills(around, bot, platform, mode)
        await kills.begin()
        try:
            for spot in islice(spots(platform, mode, random.Random(1)), 4):
                await kills.run(spot)
        finally:
            await bot.kill()

    assert kills.report.faults == [], bot.log[-4000:]
    assert {window for window, _ in kills.report.moments} >= {Window.ACK, Window.TURN, Window.PUSH, Window.FINAL}
