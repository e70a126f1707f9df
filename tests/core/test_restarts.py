"""After a restart: one card for several runs that it cut, and open questions asked again where presses get lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.model.chat import ButtonToken, Post, PostKey
from core.model.errors import AgentCapped, StoreError
from core.model.events import TurnEnd, TurnResult
from core.model.work import Run, RunState
from core.runs.restarts import BEAT_SECONDS, SHOWN_RUNS
from core.zones import span
from tests.fakes.agent import FakeAgent, for_ever
from tests.whole import WholeBot, whole_bot

QUESTION = TurnResult("", end=TurnEnd.ASKED, question="Which one?", options=("Red", "Blue"))


async def cut(bot: WholeBot, count: int, *, agent: FakeAgent | None = None) -> list[Run]:
    """So many runs of one chat that a restart finds in the middle of a turn, oldest first."""
    agent = agent or bot.agent
    agent.script = [for_ever] * count
    await bot.linked()
    await bot.ask(f"/link DEMO {agent.name}")
    for number in range(1, count + 1):
        await bot.said(f"Do {number}", thread=replace(bot.platform.thread, root=f"t{number}"))
        async with asyncio.timeout(10):
            while len(agent.turns) < number:  # noqa: ASYNC110 - the agent is a guest, it tells nobody
                await asyncio.sleep(0.001)
    return await bot.store.open_runs()


def cards(bot: WholeBot, words: str) -> list[str]:
    return [text for text in bot.platform.texts() if words in text]


# -------------------------------------------------------------------------------------- what was cut


async def test_two_runs_of_a_chat_that_were_cut_share_one_card(bot: WholeBot) -> None:
    await cut(bot, 2)

    await bot.restart()
    await bot.quiet()

    card = await bot.platform.shown("I restarted; 2 runs were cut.")
    assert card.ref.thread == bot.platform.thread
    assert "1. **Do 1** · scripted: waits: what it had done to the files is still there" in card.text
    assert card.labels == [
        *("Resume 1", "Discard 1", "Show diff 1"),
        *("Resume 2", "Discard 2", "Show diff 2"),
        "Resume all",
    ]
    assert cards(bot, "was cut.") == []
    assert {run.state for run in await bot.store.open_runs()} == {RunState.WAITING}
    assert bot.alerts.due() == []
    await bot.platform.press("Discard 2")
    await bot.platform.press("Resume 1")
    await bot.quiet()
    runs = await bot.store.runs_of(bot.platform.thread.room, 5)
    assert {run.title: run.state for run in runs} == {"Do 1": RunState.COMPLETED, "Do 2": RunState.CANCELLED}


async def test_all_of_them_are_resumed_with_one_press(bot: WholeBot) -> None:
    await cut(bot, 2)
    await bot.restart()
    await bot.quiet()

    await bot.platform.press("Resume all")
    await bot.quiet()

    runs = await bot.store.runs_of(bot.platform.thread.room, 5)
    assert [run.state for run in runs] == [RunState.COMPLETED] * 2
    assert cards(bot, "▸ Going on with 2 of them.")
    assert "None of them waits any more." in (await bot.ask("/resume all")).text


@pytest.mark.parametrize("label", ["Resume all", "Resume 1"])
async def test_a_press_that_is_quicker_than_what_it_is_for_waits_for_it(
    bot: WholeBot, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    await cut(bot, 2)
    gate, park = asyncio.Event(), bot.store.park

    async def late(*args: Any) -> Run:
        await gate.wait()
        return await park(*args)

    monkeypatch.setattr(bot.store, "park", late)
    await bot.restart()
    await bot.platform.shown("I restarted; 2 runs were cut.")

    pressed = asyncio.create_task(bot.platform.press(label))
    await asyncio.sleep(0.01)
    gate.set()
    await pressed
    await bot.quiet()

    runs = await bot.store.runs_of(bot.platform.thread.room, 5)
    assert {run.title: run.state for run in runs}["Do 1"] is RunState.COMPLETED
    assert cards(bot, "settled before") == []


async def test_a_press_does_not_wait_for_ever(bot: WholeBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.cards.COMING_SECONDS", 0.01)
    runs = await cut(bot, 1)
    bot.cut_cards.put(runs[0].id, PostKey("restart:card"))

    await bot.said(f"/resume {runs[0].id}")

    assert await bot.platform.shown("That was settled before: the run is RUNNING.")


async def test_resume_all_leaves_a_question_alone(bot: WholeBot) -> None:
    await bot.linked()
    bot.agent.script = [QUESTION]
    await bot.ask("Paint it")

    assert "None of them waits" in (await bot.ask("/resume all")).text
    assert (await bot.only_run()).state is RunState.WAITING


async def test_what_goes_on_by_itself_is_said_beside_what_waits(tmp_path: Path) -> None:
    able = FakeAgent("able", can_repeat=True)
    async with whole_bot(tmp_path, agents=[able]) as bot:
        await cut(bot, 1)
        await bot.said("/link DEMO able")
        able.script = [for_ever]
        await bot.said("Also", thread=replace(bot.platform.thread, root="t9"))
        await able.began.wait()

        await bot.restart()
        await bot.quiet()

        card = await bot.platform.shown("I restarted; 2 runs were cut.")
        assert "2. **Also** · able: goes on by itself" in card.text
        assert card.labels == ["Resume 1", "Discard 1", "Show diff 1"]


async def test_runs_that_all_go_on_by_themselves_need_no_card(tmp_path: Path) -> None:
    able = FakeAgent("able", can_repeat=True)
    async with whole_bot(tmp_path, agents=[able]) as bot:
        await cut(bot, 2, agent=able)

        await bot.restart()
        await bot.quiet()

        assert cards(bot, "♻️") == []
        assert len(await bot.store.open_runs()) == 0


async def test_a_card_that_is_cut_short_is_the_same_card_and_a_later_cut_is_news(bot: WholeBot) -> None:
    """A second restart before anything went on says nothing twice; one after a resumed turn does."""
    await cut(bot, 2)
    await bot.crash()
    await bot.restarts.take_stock()
    await bot.crash()
    await bot.start()
    await bot.quiet()
    assert len(cards(bot, "2 runs were cut")) == 1

    await bot.restart()
    await bot.quiet()
    assert len(cards(bot, "2 runs were cut")) == 1
    bot.agent.script = [for_ever]
    await bot.platform.press("Resume 1")
    async with asyncio.timeout(10):
        while len(bot.agent.turns) < 3:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    await bot.restart()
    await bot.quiet()

    assert len(cards(bot, "`Do 1` was cut.")) == 1


async def test_no_more_than_a_few_are_on_the_card(bot: WholeBot) -> None:
    await cut(bot, SHOWN_RUNS + 1)

    await bot.restart()
    await bot.quiet()

    card = await bot.platform.shown(f"I restarted; {SHOWN_RUNS + 1} runs were cut.")
    assert "… and 1 more, each in its thread." in card.text
    assert len(cards(bot, "was cut.")) == 1


# ------------------------------------------------------------------------------------ asked once more


async def alive(bot: WholeBot, beats: int) -> None:
    """Up for so many beats, each of them kept."""
    for _ in range(beats):
        await bot.clock.forward(BEAT_SECONDS)
        async with asyncio.timeout(10):
            while await bot.store.last_beat() != bot.clock.now():  # noqa: ASYNC110 - a database tells nobody
                await asyncio.sleep(0.001)


async def away(bot: WholeBot, seconds: float) -> None:
    """Down for so long."""
    await bot.crash()
    await bot.clock.forward(seconds)
    await bot.start()
    await bot.quiet()


@pytest.fixture
async def asked(bot: WholeBot) -> WholeBot:
    """A question stands on a platform that keeps a press for 150 seconds."""
    bot.platform.press_seconds = 150.0  # type: ignore[attr-defined]
    bot.agent.script = [QUESTION]
    await bot.linked()
    await bot.ask("Paint it")
    return bot


@pytest.mark.parametrize("which", [0, 1])
async def test_an_open_question_is_asked_once_more_and_both_posts_are_answered_once(
    asked: WholeBot, which: int
) -> None:
    await away(asked, 17 * 60)

    first, second = [post for post in asked.platform.posts if "Which one?" in post.text]
    assert second.text.startswith(
        "*I was away from 10:00 to 10:17 (Europe/Berlin); a press in that time may have been lost, so I ask again.*"
    )
    assert second.labels == first.labels == ["Red", "Blue"]
    await asked.platform.press((first, second)[which].buttons[1])
    await asked.quiet()
    assert [turn.prompt for turn in asked.agent.turns] == ["Paint it", "Blue"]
    await asked.platform.press((second, first)[which].buttons[0])
    await asked.quiet()

    assert len(asked.agent.turns) == 2
    assert "settled before" in asked.platform.posts[-1].text


async def test_a_quick_restart_asks_nothing_again(asked: WholeBot) -> None:
    await away(asked, 17 * 60)
    for _ in range(3):
        await away(asked, 100)

    assert len(cards(asked, "so I ask again")) == 1


async def test_how_long_it_was_away_is_counted_from_its_last_beat(asked: WholeBot) -> None:
    await alive(asked, 7)
    await away(asked, 150)
    assert cards(asked, "so I ask again") == []

    await away(asked, 151)

    assert len(cards(asked, "so I ask again")) == 1


async def test_a_store_that_is_away_does_not_end_the_beats(asked: WholeBot, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away_(_at: datetime) -> None:
        raise StoreError("away")

    with monkeypatch.context() as patched:
        patched.setattr(asked.store, "beat", away_)
        await asked.clock.forward(BEAT_SECONDS)
    assert await asked.store.last_beat() != asked.clock.now()

    await alive(asked, 1)


async def test_a_platform_that_says_when_a_press_fails_is_left_alone(bot: WholeBot) -> None:
    bot.agent.script = [QUESTION]
    await bot.linked()
    await bot.ask("Paint it")

    await away(bot, 3600)

    assert cards(bot, "so I ask again") == []


async def test_what_needs_no_press_is_not_asked_again(asked: WholeBot) -> None:
    """A question in words, a cap that resets by itself, a card that was never sent."""
    thread = asked.platform.thread
    asked.agent.script = [
        replace(QUESTION, options=()),
        AgentCapped("Capped.", datetime(2026, 3, 9, tzinfo=UTC)),
    ]
    await asked.ask("In words", thread=replace(thread, root="a"))
    await asked.ask("Capped", thread=replace(thread, root="b"))

    await away(asked, 3600)

    assert len(cards(asked, "so I ask again")) == 1
    run = next(run for run in await asked.store.open_runs() if run.title == "In words")
    await asked.store.park(run.id, asked.clock.now(), PostKey("never:said"))
    await away(asked, 3600)
    assert len(cards(asked, "so I ask again")) == 2


async def test_a_card_of_a_cut_run_is_asked_again_too_with_the_last_of_its_pieces(bot: WholeBot) -> None:
    bot.platform.press_seconds = 150.0  # type: ignore[attr-defined]
    await cut(bot, 1)
    await bot.restart()
    await bot.quiet()
    (run,) = await bot.store.open_runs()
    card = next(post for post in bot.platform.posts if post.key == run.asks)
    rows = tuple(tuple(replace(each, token=ButtonToken("")) for each in row) for row in card.post.buttons)
    await bot.posts.say(PostKey(f"{run.asks}#2"), run.thread, Post("the rest", rows))
    await bot.quiet()

    await away(bot, 3600)

    (again,) = [post for post in bot.platform.posts if "so I ask again" in post.text]
    assert again.text.endswith("the rest")
    assert again.labels == ["Resume", "Discard", "Show diff"]
    await bot.platform.press(again.buttons[0])
    await bot.quiet()
    assert await bot.store.open_runs() == []


def test_days_are_named_where_they_differ() -> None:
    since, until = datetime(2026, 11, 20, 22, 3, tzinfo=UTC), datetime(2026, 11, 21, 7, 20, tzinfo=UTC)

    assert span(since, until, "UTC") == "from Fri 20 Nov, 22:03 to Sat 21 Nov, 07:20 (UTC)"
