"""The turns that run in this process: stopped, cancelled, counted, and their anchors kept up to date."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from core.model.events import ActionBegan, PlanShown, SessionNamed, TurnAsk, TurnResult
from core.model.work import RunId
from core.ports import Note
from core.runs.live import TICK_SECONDS, Live, StoppedError
from core.runs.progress import TITLE_LENGTH
from tests.fakes.agent import for_ever
from tests.whole import WholeBot


async def test_a_turn_that_is_stopped_is_over_when_it_is(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    run, live, ended = await bot.only_run(), Live(bot.posts, bot.clock), []

    async def turn(note: Note) -> str:
        note(SessionNamed("s-1"))
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append("children")
        return "never"

    taking = asyncio.create_task(live.take(run, turn))
    await asyncio.sleep(0.01)
    assert not live.has_room(RunId("other"), 1)
    assert live.has_room(run.id, 1)
    assert live.stop(run.id)
    with pytest.raises(StoppedError):
        await taking

    assert ended == ["children"]
    assert live.progress(run.id).session == "s-1"
    assert not live.stop(run.id)
    assert live.has_room(RunId("other"), 1)
    live.forget(run.id)
    assert live.progress(run.id).session == ""


async def test_a_cancelled_bot_takes_its_turns_with_it(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    run, live, ended = await bot.only_run(), Live(bot.posts, bot.clock), []

    async def turn(_note: Note) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append("children")
        return "never"

    taking = asyncio.create_task(live.take(run, turn))
    await asyncio.sleep(0.01)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking

    assert ended == ["children"]


async def test_a_turn_that_cancels_itself_is_no_stop(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    run, live = await bot.only_run(), Live(bot.posts, bot.clock)

    async def turn(_note: Note) -> str:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await live.take(run, turn)


async def test_who_is_about_to_work_takes_room_until_it_rests_or_is_over(bot: WholeBot) -> None:
    live = Live(bot.posts, bot.clock)
    live.expect(RunId("a"))
    live.expect(RunId("b"))
    assert not live.has_room(RunId("c"), 2)

    live.rest(RunId("a"))
    assert live.has_room(RunId("c"), 2)
    live.forget(RunId("b"))

    assert live.has_room(RunId("c"), 1)


async def test_the_elapsed_time_of_an_anchor_moves_when_nothing_happens(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    await bot.clock.forward(TICK_SECONDS + 1)
    await bot.platform.shown("· 10s")

    async def more() -> None:
        await bot.clock.forward(TICK_SECONDS)

    await more()
    await bot.platform.shown("· 20s")


async def test_what_an_agent_does_is_shown_as_it_happens(bot: WholeBot) -> None:
    seen = asyncio.Event()

    async def play(turn: TurnAsk, note: Note) -> TurnResult:
        note(ActionBegan("1", "pytest"))
        await seen.wait()
        return TurnResult("done")

    bot.agent.script = [play]
    await bot.linked()
    await bot.said("Mend it")
    await bot.platform.shown("▸ `pytest`")
    seen.set()
    await bot.quiet()

    assert "**COMPLETED**" in next(each.text for each in bot.platform.posts if each.key.startswith("anchor:"))


async def test_a_secret_that_a_title_would_cut_in_two_is_black(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    secret = uuid4().hex
    run = await bot.only_run()
    live = Live(bot.posts, bot.clock, redact=lambda text: text.replace(secret, "█"))
    long = f"curl {'a' * (TITLE_LENGTH - 20)} {secret}"

    async def turn(note: Note) -> None:
        note(ActionBegan("1", long))
        note(PlanShown(((long, False),)))

    await live.take(run, turn)

    shown = live.progress(run.id)
    assert [each.title[-1] for each in shown.actions] == ["█"]
    assert [words[-1] for words, _ in shown.plan] == ["█"]
