"""Interleavings: deliveries that come again, in any order, around crashes: one effect for each cause."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from core.model.chat import Cause, ChatEvent, Said
from core.model.work import RunState
from tests.interleavings import Report, play, two_platforms
from tests.whole import WholeBot, whole_bot

ROUNDS = 30
EACH = 10
"""So many interleavings in each round: 300 in all."""

ON_PLATFORMS = 25
"""So many for each seed as the two platforms really send them; `python -m benchmarks.limits` plays 10,000."""


def events_of(bot: WholeBot, name: str) -> list[ChatEvent]:
    """Two threads, each with a plain message and commands, and one task more."""

    def said(number: int, text: str, root: str) -> Said:
        thread = replace(bot.platform.thread, root=f"{name}-{root}")
        cause = Cause(f"fake:home:{name}-{number}")
        return Said(cause, thread, bot.platform.owner, text, in_thread=True, message=f"{name}-{number}")

    return [
        said(1, f"Mend {name}", "a"),
        said(2, "/status", "a"),
        said(3, f"/create_task DEMO {name}", "b"),
        said(4, f"Look at {name}", "b"),
        said(5, "/exceute", "b"),
    ]


async def interleave(bot: WholeBot, name: str, chance: random.Random) -> list[ChatEvent]:
    """Each event one to three times, shuffled, some at the same moment; sometimes the bot dies on the way."""
    events = events_of(bot, name)
    arrivals = [each for each in events for _ in range(chance.randint(1, 3))]
    chance.shuffle(arrivals)
    crash_after = chance.choice([None, None, chance.randrange(len(arrivals))])
    for number, event in enumerate(arrivals):
        await bot.platform.deliver(event)
        if number == crash_after:
            await bot.restart()
        elif chance.random() < 0.3:
            await asyncio.sleep(0)
    return events


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_one_effect_for_each_cause(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with whole_bot(tmp_path) as bot:
        bot.agent.can_repeat = True
        await bot.linked()
        causes = []
        for each in range(EACH):
            events = await interleave(bot, f"x{each}", chance)
            causes += [event.cause for event in events]
            await bot.quiet()

        keys = Counter(each.key for each in bot.platform.posts)
        assert [key for key, count in keys.items() if count > 1] == []
        for cause in causes:
            if cause.endswith(("-2", "-3", "-5")):
                assert keys[f"reply:{cause}"] == 1  # type: ignore[index]
        runs = await bot.store.runs_of(bot.platform.thread.room, 1000)
        assert {run.state for run in runs} == {RunState.COMPLETED}
        assert sorted(run.title for run in runs) == sorted(
            title for each in range(EACH) for title in (f"Mend x{each}", f"Look at x{each}")
        )
        tasks = await bot.store.tasks((await bot.store.projects())[0].key)
        assert sorted(task.title for task in tasks) == sorted(f"x{each}" for each in range(EACH))
        assert await bot.store.unsettled() == []


@pytest.mark.parametrize("seed", range(3))
async def test_one_effect_for_each_cause_as_slack_and_telegram_send_it(tmp_path: Path, seed: int) -> None:
    chance, report = random.Random(seed), Report()
    async with two_platforms(tmp_path) as bot:
        for each in range(ON_PLATFORMS):
            await play(bot, f"x{each}", chance, report)

    assert report.faults == []
    assert len(report.hashes) >= ON_PLATFORMS - 2
    assert report.deliveries > 3 * ON_PLATFORMS
