"""A provider's usage cap: named with its reset, and the run goes on by itself when it has come."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.model.errors import AgentCapped
from core.model.events import SessionNamed, TurnAsk, TurnResult, UsageSeen
from core.model.work import RunState, Usage
from core.ports import Note
from core.runs.flow import MOST_CAPS
from core.zones import local_time
from tests.fakes.agent import for_ever
from tests.whole import WholeBot, whole_bot

RESET = datetime(2026, 3, 2, 11, 20, tzinfo=UTC)
"""Two hours and twenty minutes after the clock's beginning: 12:20 in Berlin."""
CAP = AgentCapped("scripted: the provider's usage cap is reached.", RESET)


async def test_a_cap_is_named_with_its_reset_and_the_run_goes_on_by_itself_then(bot: WholeBot) -> None:
    async def capped(turn: TurnAsk, note: Note) -> TurnResult:
        note(SessionNamed("s-1"))
        note(UsageSeen(Usage(10, 5, 0.5)))
        raise CAP

    bot.agent.script = [capped, TurnResult("mended", usage=Usage(1, 2, 0.25))]
    await bot.linked()
    card = await bot.ask("Mend it")

    assert "the provider's usage cap is reached." in card.text
    assert "The cap resets at **12:20 (Europe/Berlin)**, in 2h 20m" in card.text
    assert card.labels == ["Resume now", "⏹ Stop"]
    anchor = await bot.platform.shown("goes on by itself at 12:20 (Europe/Berlin)")
    assert "**WAITING**" in anchor.text
    run = await bot.only_run()
    assert (run.state, run.parked_until) == (RunState.WAITING, RESET)
    await bot.clock.forward(2 * 3600)
    await bot.quiet()
    assert len(bot.agent.turns) == 1

    await bot.clock.forward(20 * 60)
    await bot.quiet()

    assert [(turn.prompt, turn.session, turn.is_retry) for turn in bot.agent.turns] == [
        ("Mend it", "", False),
        ("Mend it", "s-1", True),
    ]
    run = await bot.only_run()
    assert (run.state, run.usage, run.parked_until) == (RunState.COMPLETED, Usage(11, 7, 0.75), None)


async def test_the_reset_survives_restarts(bot: WholeBot) -> None:
    bot.agent.script = [CAP]
    await bot.linked()
    await bot.ask("Mend it")
    for _ in range(3):
        await bot.restart()
        await bot.quiet()
    assert len(bot.agent.turns) == 1
    assert len([text for text in bot.platform.texts() if "The cap resets at" in text]) == 1

    await bot.clock.set(RESET)
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.COMPLETED


@pytest.mark.parametrize("label", ["Resume now", "⏹ Stop"])
async def test_a_person_need_not_wait_for_the_reset(bot: WholeBot, label: str) -> None:
    bot.agent.script = [CAP]
    await bot.linked()
    await bot.ask("Mend it")

    await bot.platform.press(label)
    await bot.quiet()

    expected = RunState.COMPLETED if label == "Resume now" else RunState.CANCELLED
    assert (await bot.only_run()).state is expected


async def test_what_is_said_before_and_while_it_is_capped_comes_after_the_turn_that_was_cut_short(
    bot: WholeBot,
) -> None:
    async def capped(turn: TurnAsk, note: Note) -> TurnResult:
        await bot.said("And the tests")
        raise CAP

    bot.agent.script = [capped]
    await bot.linked()
    await bot.ask("Mend it")
    answer = await bot.ask("And the docs")
    assert "usage cap is reached" in answer.text
    assert len(bot.agent.turns) == 1

    await bot.clock.set(RESET)
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "Mend it", "And the tests", "And the docs"]
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_others_may_work_while_a_run_is_parked(bot: WholeBot) -> None:
    bot.runs._most_at_once = 1
    bot.agent.script = [CAP]
    await bot.linked()
    await bot.ask("Mend it")

    answer = await bot.ask("Elsewhere", thread=replace(bot.platform.thread, root="elsewhere"))

    assert "done: Elsewhere" in answer.text


async def test_a_cap_that_comes_again_and_again_ends_the_run_in_the_end(bot: WholeBot) -> None:
    async def capped(turn: TurnAsk, note: Note) -> TurnResult:
        raise AgentCapped("The cap again.", bot.clock.now() + timedelta(hours=1))

    bot.agent.script = [capped] * (MOST_CAPS + 1)
    bot.workspaces.changes = {"half.py": "1"}
    await bot.linked()
    await bot.ask("Mend it")
    for _ in range(MOST_CAPS):
        assert (await bot.only_run()).state is RunState.WAITING
        await bot.clock.forward(3600)
        await bot.quiet()

    run = await bot.only_run()
    assert run.state is RunState.FAILED
    assert "I waited for its reset 5 times" in bot.platform.posts[-1].text
    assert "kept on `patchbay/" in bot.platform.posts[-1].text
    assert len(bot.agent.turns) == MOST_CAPS + 1


async def test_what_was_said_is_not_lost_with_a_turn_that_was_given_up_nor_with_a_restart_after_that(
    tmp_path: Path,
) -> None:
    async with whole_bot(tmp_path) as bot:
        bot.agent.can_repeat = True
        caps = [AgentCapped("The cap again.", bot.clock.now())] * (MOST_CAPS + 1)
        bot.agent.script = [*caps, for_ever]
        await bot.linked()
        await bot.ask("Mend it")
        await bot.said("And the tests")
        for lap in range(MOST_CAPS):
            await bot.clock.forward(60)
            if lap < MOST_CAPS - 1:
                await bot.quiet()
        async with asyncio.timeout(10):
            while len(bot.agent.turns) < MOST_CAPS + 2:  # noqa: ASYNC110 - the agent is a guest, it tells nobody
                await asyncio.sleep(0.001)

        await bot.restart()
        await bot.quiet()

        assert [turn.prompt for turn in bot.agent.turns[-2:]] == ["And the tests"] * 2
        assert "it was reached again each time" in next(
            text for text in bot.platform.texts() if "Going on with what you said meanwhile" in text
        )
        assert (await bot.only_run()).state is RunState.COMPLETED


async def test_a_reset_that_is_over_already_makes_no_loop(bot: WholeBot) -> None:
    bot.agent.script = [AgentCapped("Capped.", bot.clock.now() - timedelta(hours=1))]
    await bot.linked()
    await bot.ask("Mend it")
    await bot.clock.forward(59)
    await bot.quiet()
    assert len(bot.agent.turns) == 1

    await bot.clock.forward(1)
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_a_resumed_turn_that_a_restart_cuts_is_asked_about(bot: WholeBot) -> None:
    bot.agent.script = [CAP, for_ever]
    await bot.linked()
    await bot.ask("Mend it")
    bot.agent.began.clear()
    await bot.clock.set(RESET)
    await bot.agent.began.wait()

    await bot.restart()
    await bot.quiet()

    assert "was cut." in bot.platform.posts[-1].text
    run = await bot.only_run()
    assert (run.state, run.parked_until) == (RunState.WAITING, None)


def test_another_day_is_named() -> None:
    now = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)

    assert local_time(now + timedelta(minutes=30), now, "UTC") == "22:30 (UTC)"
    assert local_time(datetime(2026, 11, 24, 14, 19, 1, tzinfo=UTC), now, "Europe/Berlin") == (
        "Tue 24 Nov, 15:20 (Europe/Berlin)"
    )
