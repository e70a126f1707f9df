"""A crash around every step of a run: nothing is lost, nothing is said or published twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from core.model.events import TurnAsk, TurnResult
from core.model.work import RunState
from core.ports import Note
from tests.fakes.agent import for_ever
from tests.fakes.engine import CrashAt, Moment
from tests.whole import WholeBot, whole_bot

STEPS = 4
"""prepare, turn, publish, finish."""


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("step", range(1, STEPS + 1))
async def test_a_crash_around_any_step_is_a_non_event(tmp_path: Path, step: int, moment: Moment) -> None:
    async with whole_bot(tmp_path) as bot:
        bot.agent.can_repeat = True
        bot.workspaces.changes = {"a.py": "1"}
        await bot.linked()
        bot.engine.crash_at = CrashAt(step, moment)
        await bot.said("Mend it")
        await bot.engine.settled()
        assert bot.engine.is_dead

        await bot.restart()
        await bot.quiet()

        run = await bot.only_run()
        assert run.state is RunState.COMPLETED
        assert len(bot.forge.pulls) == 1
        keys = [each.key for each in bot.platform.posts]
        assert len(keys) == len(set(keys))
        answers = [each for each in bot.platform.posts if each.key.startswith("answer:")]
        assert len(answers) == 1
        assert "/DEMO/pull/1" in answers[0].text


@pytest.mark.parametrize("word", ["Resume", "Discard", "Show diff"])
async def test_a_turn_that_was_cut_is_reported_and_waits(bot: WholeBot, word: str) -> None:
    bot.agent.script = [for_ever]
    bot.workspaces.changes = {"half.py": "1"}
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()

    await bot.restart()
    await bot.quiet()
    card = bot.platform.posts[-1]
    assert "I restarted, and `Mend it` was cut." in card.text
    assert card.labels == ["Resume", "Discard", "Show diff"]
    await bot.platform.press(word)
    await bot.quiet()

    run = await bot.only_run()
    match word:
        case "Resume":
            assert run.state is RunState.COMPLETED
            assert bot.agent.turns[-1].is_retry
        case "Discard":
            assert run.state is RunState.CANCELLED
            assert bot.forge.pulls == []
        case _:
            assert run.state is RunState.WAITING
            assert "half.py" in bot.platform.posts[-1].text


async def test_a_turn_that_was_resumed_and_cut_again_is_asked_about_again(bot: WholeBot) -> None:
    """Leave to take it again is given once: it does not outlive the attempt that it was given for."""
    bot.agent.script = [for_ever, for_ever]
    await bot.linked()
    await bot.said("Mend it")
    for attempt in (1, 2):
        await bot.agent.began.wait()
        bot.agent.began.clear()
        await bot.restart()
        await bot.quiet()

        assert len(bot.agent.turns) == attempt
        assert (await bot.only_run()).state is RunState.WAITING
        assert "was cut." in bot.platform.posts[-1].text
        assert len([each for each in bot.platform.texts() if "was cut." in each]) == attempt
        await bot.platform.press("Resume")

    await bot.quiet()
    assert [turn.is_retry for turn in bot.agent.turns] == [False, True, True]
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_each_question_about_a_cut_turn_takes_an_answer_of_its_own(bot: WholeBot) -> None:
    async def begin_and_die(*given: Any) -> bool:
        await begin_turn(*given)
        died.set()
        await asyncio.Event().wait()
        return True

    died, begin_turn, bot.agent.script = asyncio.Event(), bot.store.begin_turn, [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    await bot.restart()
    await bot.quiet()
    bot.store.begin_turn = begin_and_die  # type: ignore[method-assign, assignment]
    await bot.platform.press("Resume")
    await died.wait()

    bot.store.begin_turn = begin_turn  # type: ignore[method-assign]
    await bot.restart()
    await bot.quiet()
    await bot.platform.press("Discard")
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.CANCELLED


async def test_a_cut_turn_is_taken_again_where_the_agent_can(tmp_path: Path) -> None:
    async with whole_bot(tmp_path) as bot:
        bot.agent.can_repeat = True
        bot.agent.script = [for_ever]
        await bot.linked()
        await bot.said("Mend it")
        await bot.agent.began.wait()

        await bot.restart()
        await bot.quiet()

        assert [turn.is_retry for turn in bot.agent.turns] == [False, True]
        assert (await bot.only_run()).state is RunState.COMPLETED


async def test_what_was_taken_but_not_handled_is_handled_after_the_restart(bot: WholeBot) -> None:
    await bot.linked()
    bot.inbox._group = None
    await bot.platform.say("Mend it")

    await bot.restart()
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_a_message_said_while_the_run_was_cut_wakes_it(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    await bot.restart()
    await bot.quiet()

    await bot.ask("Go on, please")

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "Mend it", "Go on, please"]
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_a_flow_that_breaks_ends_its_run(bot: WholeBot) -> None:
    async def broken(turn: TurnAsk, note: Note) -> TurnResult:
        raise ZeroDivisionError

    bot.agent.script = [broken]
    await bot.linked()

    answer = await bot.ask("Mend it")

    assert "Something went wrong inside the bot" in answer.text
    assert (await bot.only_run()).state is RunState.FAILED


async def test_a_run_that_the_engine_never_heard_of_is_begun_at_the_next_start(bot: WholeBot) -> None:
    await bot.linked()

    async def lose(*_args: object) -> None:
        return

    bot.engine.start, start = lose, bot.engine.start  # type: ignore[method-assign, assignment]
    await bot.said("Mend it")
    bot.engine.start = start  # type: ignore[method-assign]
    await bot.restart()
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.COMPLETED
