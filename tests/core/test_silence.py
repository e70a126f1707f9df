"""Done, at work and stuck can always be told apart by the anchor."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.model.events import ActionBegan, TurnAsk, TurnResult
from core.model.work import RunId, RunState
from core.ports import Note
from tests.fakes.agent import for_ever
from tests.whole import WholeBot, whole_bot


async def test_a_silent_agent_is_said_to_work_still_and_later_to_be_stuck_perhaps(bot: WholeBot) -> None:
    goes_on, signs = asyncio.Event(), asyncio.Event()

    async def play(turn: TurnAsk, note: Note) -> TurnResult:
        await goes_on.wait()
        note(ActionBegan("1", "pytest"))
        signs.set()
        return await for_ever(turn, note)

    bot.agent.script = [play]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    anchor = await bot.platform.shown("**RUNNING**")
    await bot.clock.forward(110)
    await bot.posts.until_quiet()
    assert "last sign" not in anchor.text

    await bot.clock.forward(70)
    await bot.platform.shown("⏳ still working, last sign 3 min ago")
    await bot.clock.forward(540)
    await bot.platform.shown("⏳ last sign 12 min ago: it may be stuck. Stop ends it; what it changed is kept")
    assert anchor.labels == ["⏹ Stop"]
    goes_on.set()
    await signs.wait()
    await bot.platform.shown("▸ `pytest`")

    await bot.posts.until_quiet()
    assert "last sign" not in anchor.text
    await bot.ask("/cancel")
    assert "**CANCELLED**" in anchor.text
    assert anchor.labels == []


async def test_a_turn_that_was_taken_up_again_says_so_while_it_runs(tmp_path: Path) -> None:
    async with whole_bot(tmp_path) as bot:
        bot.agent.can_repeat = True
        goes_on = asyncio.Event()

        async def play(turn: TurnAsk, note: Note) -> TurnResult:
            await goes_on.wait()
            return TurnResult("done")

        bot.agent.script = [for_ever, play]
        await bot.linked()
        await bot.said("Mend it")
        await bot.agent.began.wait()
        await bot.restart()

        anchor = await bot.platform.shown("♻️ I restarted and went on")
        goes_on.set()
        await bot.quiet()

        assert "♻️" not in anchor.text
        assert "**COMPLETED**" in anchor.text
        assert not [text for text in bot.platform.texts() if "was cut" in text]


async def test_the_anchor_of_a_run_that_ends_without_a_flow_never_says_that_it_goes_on(
    bot: WholeBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot.runs._most_at_once = 0
    await bot.linked()
    await bot.said("Mend it")
    run = await bot.only_run()

    async def dies(run_id: RunId, state: RunState, *_rest: object) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(bot.store, "end_run", dies)
        with pytest.raises(asyncio.CancelledError):
            await bot.runs.stop(run.id, "Olga")
    await bot.restart()
    await bot.quiet()

    anchor = next(each for each in bot.platform.posts if each.key == f"anchor:{run.id}")
    assert "**CANCELLED**" in anchor.text
    assert anchor.labels == []
