"""A run that takes the bot down again and again is not taken up by itself: no blind loop, whatever step it dies in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.alerts import Alert, AlertKind
from core.model.errors import StoreError
from core.model.work import RunState
from core.runs.steps import MOST_CUTS
from tests.fakes.agent import for_ever
from tests.fakes.engine import CrashAt, Moment
from tests.whole import WholeBot, whole_bot

LIVES = MOST_CUTS + 3


@pytest.fixture
async def repeating(tmp_path: Path) -> AsyncIterator[WholeBot]:
    """A bot whose agent can go on with a turn that was cut."""
    async with whole_bot(tmp_path) as bot:
        bot.agent.can_repeat = True
        yield bot


async def begun_or_quiet(bot: WholeBot) -> None:
    ways = [asyncio.create_task(bot.agent.began.wait()), asyncio.create_task(bot.quiet())]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)


async def cut_again_and_again(bot: WholeBot) -> list[Alert]:
    """As many lives as it wants, each cut in the turn; what the owner is told in the last of them."""
    bot.agent.script = [for_ever] * LIVES
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    for _ in range(MOST_CUTS):
        bot.agent.began.clear()
        await bot.restart()
        await begun_or_quiet(bot)
    await bot.posts.until_quiet()
    return bot.alerts.due()


async def test_a_turn_that_three_restarts_cut_is_parked_and_the_owner_is_told(repeating: WholeBot) -> None:
    alerts = await cut_again_and_again(repeating)

    assert [turn.is_retry for turn in repeating.agent.turns] == [False, True, True]
    card = repeating.platform.posts[-1]
    assert "`Mend it` was cut by 3 restarts, so I don't take it up again by myself." in card.text
    assert card.labels == ["Resume", "Discard", "Show diff"]
    await repeating.platform.shown("Cut by 3 restarts: waits for your decision")
    run = await repeating.only_run()
    assert run.state is RunState.WAITING
    assert [(alert.kind, alert.subject) for alert in alerts] == [(AlertKind.RUN_QUARANTINED, run.id)]
    assert "“Mend it”" in alerts[0].words
    await repeating.restart()
    await repeating.quiet()
    assert len(repeating.agent.turns) == MOST_CUTS
    assert len([text for text in repeating.platform.texts() if "was cut by 3 restarts" in text]) == 1


@pytest.mark.parametrize("word", ["Resume", "Discard", "Show diff"])
async def test_a_person_decides_about_it(repeating: WholeBot, word: str) -> None:
    repeating.workspaces.changes = {"half.py": "1"}
    await cut_again_and_again(repeating)
    repeating.agent.script = []

    await repeating.platform.press(word)
    await repeating.quiet()

    run = await repeating.only_run()
    expected = {"Resume": RunState.COMPLETED, "Discard": RunState.CANCELLED, "Show diff": RunState.WAITING}
    assert run.state is expected[word]
    if word == "Show diff":
        assert "half.py" in repeating.platform.posts[-1].text


async def test_resume_is_leave_for_as_many_more_restarts_and_not_for_ever(repeating: WholeBot) -> None:
    await cut_again_and_again(repeating)
    repeating.agent.began.clear()
    await repeating.platform.press("Resume")
    await repeating.agent.began.wait()
    for _ in range(LIVES):
        repeating.agent.began.clear()
        await repeating.restart()
        await begun_or_quiet(repeating)

    assert len(repeating.agent.turns) == 2 * MOST_CUTS
    assert len([text for text in repeating.platform.texts() if "was cut by 3 restarts" in text]) == 2


@pytest.mark.parametrize(
    ("step", "words", "labels"),
    [(1, "while I prepared its workspace", []), (3, "while I published what it did", ["Publish again"])],
)
async def test_a_step_of_ours_that_kills_the_bot_is_given_up(
    repeating: WholeBot, step: int, words: str, labels: list[str]
) -> None:
    repeating.workspaces.changes = {"a.py": "1"}
    await repeating.linked()
    repeating.engine.crash_at = CrashAt(step, Moment.CALLED)
    await repeating.said("Mend it")
    await repeating.engine.settled()
    for cut in range(1, MOST_CUTS + 1):
        assert repeating.engine.is_dead
        if cut < MOST_CUTS:
            repeating.engine.crash_at = CrashAt(repeating.engine.steps_taken + 1, Moment.CALLED)
        with suppress(StoreError):
            await repeating.restart()
        await repeating.engine.settled()
    await repeating.quiet()

    run = await repeating.only_run()
    assert run.state is RunState.FAILED
    post = repeating.platform.posts[-1]
    assert f"I was restarted 3 times {words}" in post.text
    assert post.labels == labels
    assert [alert.kind for alert in repeating.alerts.due()] == [AlertKind.RUN_QUARANTINED]
