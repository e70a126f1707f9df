"""What is streamed of live turns: the newest, at the platform's pace, kept alive, taken away. Nothing waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from core.model.chat import Person, ThreadRef
from core.model.events import ActionBegan, ActionEnded, AgentEvent, PlanShown, TextSaid, TurnAsk, TurnResult
from core.model.work import Run, RunId, WorkId
from core.ports import Doing, Note, Streaming, View
from core.runs import streams as module
from core.runs.live import TICK_SECONDS, Live
from core.runs.progress import Progress
from core.runs.streams import KEEP_SECONDS, Streams
from tests.fakes.clock import FakeClock
from tests.whole import WholeBot

THREAD = ThreadRef("fake", "home", "room")
ADA = Person("fake", "home", "ada", "Ada")
RUN = Run(RunId("run"), WorkId("run"), THREAD, "scripted", ADA, "Mend it", datetime(2026, 3, 2, tzinfo=UTC))


@dataclass
class Screen:
    """Shows each view; `pauses` are given back one after another, then `pause`."""

    pause: float | None = 1.5
    pauses: list[float | None] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    ended: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def stream(self, thread: ThreadRef, key: str, view: View) -> float | None:
        assert thread == THREAD
        self.views.append(view)
        self.keys.add(key)
        if self.hold is not None:
            await self.hold.wait()
        return self.pauses.pop(0) if self.pauses else self.pause

    async def end_stream(self, thread: ThreadRef, key: str) -> None:
        assert thread == THREAD
        self.ended.append(key)

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.views]


class Scene:
    """One turn of RUN on a screen."""

    def __init__(self, screen: Any, redact: Any = str) -> None:
        self.clock, self.screen, self.progress = FakeClock(), screen, Progress()
        self.streams = Streams({"fake": screen}, self.clock, redact)

    async def say(self, *events: AgentEvent) -> None:
        for event in events:
            self.progress = self.progress.after(event, self.clock.now())
            self.streams.hear(RUN.id, event, self.progress)
        await self.clock.forward(0)


@pytest.fixture
async def screen() -> Screen:
    return Screen()


@pytest.fixture
async def scene(screen: Screen) -> AsyncIterator[Scene]:
    made = Scene(screen)
    made.streams.begin(RUN)
    yield made
    await made.streams.close()


def test_the_screen_is_one(screen: Screen) -> None:
    assert isinstance(screen, Streaming)


async def test_words_are_shown_as_they_come_and_only_the_newest(scene: Scene, screen: Screen) -> None:
    await scene.say(TextSaid("I "))
    for word in ("look ", "at ", "it. "):
        await scene.say(TextSaid(word))
    assert screen.texts == ["I "]
    await scene.clock.forward(1.4)
    assert screen.texts == ["I "]
    await scene.clock.forward(0.2)

    assert screen.texts == ["I ", "I look at it. "]
    assert len(screen.keys) == 1
    assert screen.ended == []


async def test_what_is_done_and_planned_is_shown_too(scene: Scene, screen: Screen) -> None:
    await scene.say(PlanShown((("read", True), ("write", False))))
    assert screen.views == []
    await scene.say(ActionBegan("1", "ls"), ActionEnded("1", ok=True), ActionBegan("2", "pytest"))

    assert screen.views == [
        View("Mend it", ADA, "", (Doing("1", "ls", ok=True), Doing("2", "pytest")), (("read", True), ("write", False)))
    ]


async def test_a_pause_that_the_platform_asks_for_is_kept_and_a_hasty_one_is_not(scene: Scene, screen: Screen) -> None:
    screen.pauses = [137.0, 0.0]
    await scene.say(TextSaid("one "))
    await scene.say(TextSaid("two "))
    await scene.clock.forward(136)
    assert len(screen.views) == 1
    await scene.clock.forward(1)
    await scene.say(TextSaid("three "))
    await scene.clock.forward(0.9)
    assert len(screen.views) == 2
    await scene.clock.forward(0.1)

    assert screen.texts == ["one ", "one two ", "one two three "]


async def test_what_does_not_change_is_shown_again_before_it_fades(scene: Scene, screen: Screen) -> None:
    await scene.say(TextSaid("Still "))
    await scene.clock.forward(1.5 + KEEP_SECONDS)
    await scene.clock.forward(1.5 + KEEP_SECONDS)

    assert screen.texts == ["Still "] * 3
    assert KEEP_SECONDS + 10 < 30


async def test_it_ends_with_the_turn_at_once_even_in_a_long_pause(scene: Scene, screen: Screen) -> None:
    screen.pauses = [600.0]
    await scene.say(TextSaid("one "))
    assert scene.streams.shows(RUN.id)
    scene.streams.end(RUN.id)
    assert not scene.streams.shows(RUN.id)
    await scene.say(TextSaid("too late "))

    assert screen.texts == ["one "]
    assert screen.ended == list(screen.keys)


async def test_a_turn_that_says_nothing_shows_nothing(scene: Scene, screen: Screen) -> None:
    await scene.clock.forward(2 * KEEP_SECONDS)
    scene.streams.end(RUN.id)
    scene.streams.end(RUN.id)
    await scene.clock.forward(0)

    assert screen.views == []


async def test_a_platform_that_shows_no_more_is_not_asked_again_in_this_turn(scene: Scene, screen: Screen) -> None:
    screen.pauses = [1.0, None]
    await scene.say(TextSaid("one "))
    assert scene.streams.shows(RUN.id)
    await scene.say(TextSaid("two "))
    await scene.clock.forward(1)
    assert not scene.streams.shows(RUN.id)
    assert len(screen.ended) == 1
    await scene.say(TextSaid("three "))
    await scene.clock.forward(100)
    assert len(screen.views) == 2
    scene.streams.end(RUN.id)
    scene.streams.begin(RUN)
    await scene.say(TextSaid("next turn "))

    assert screen.texts[-1] == "next turn "
    assert len(screen.keys) == 2


async def test_where_nothing_can_be_streamed_nothing_is(screen: Screen) -> None:
    scene = Scene(object())
    scene.streams.begin(RUN)
    await scene.say(TextSaid("one "))
    scene.streams.end(RUN.id)
    await scene.streams.close()

    assert not scene.streams.shows(RUN.id)


async def test_nothing_is_shown_with_a_secret_in_it(screen: Screen) -> None:
    scene = Scene(screen, lambda text: text.replace("hush", "[redacted]"))
    scene.streams.begin(RUN)
    await scene.say(TextSaid("It is hu"))
    await scene.say(TextSaid("sh now "), ActionBegan("1", "echo hush"), PlanShown((("hush", False),)))
    await scene.clock.forward(2)
    await scene.streams.close()

    assert "hush" not in repr(screen.views)
    assert screen.texts == ["It is ", "It is [redacted] now "]
    assert screen.views[-1].doing


async def test_closing_takes_away_what_is_shown_and_waits_no_longer_than_it_may(
    scene: Scene, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.say(TextSaid("one "))
    await scene.streams.close()
    assert len(screen.ended) == 1

    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.01)
    screen.hold = asyncio.Event()
    scene.streams.begin(RUN)
    await scene.say(TextSaid("one "))
    await scene.streams.close()

    assert len(screen.ended) == 1


# ------------------------------------------------------------------------------------------- in a whole bot


async def test_an_anchor_leaves_the_steps_to_the_stream_and_has_them_where_there_is_none(bot: WholeBot) -> None:
    screen, go = Screen(), asyncio.Event()

    async def turn(note: Note) -> str:
        note(ActionBegan("1", "pytest"))
        await bot.clock.forward(0)
        note(ActionBegan("2", "ruff"))
        await go.wait()
        return "done"

    await bot.linked()
    await bot.ask("Mend it")
    run = await bot.only_run()
    streams = Streams({"fake": screen}, bot.clock)
    live = Live(bot.posts, bot.clock, streams)
    ticking = asyncio.create_task(live.tick())
    taking = asyncio.create_task(live.take(run, turn))
    await bot.clock.forward(0)
    await bot.posts.until_quiet()
    await bot.clock.forward(TICK_SECONDS)
    await bot.posts.until_quiet()
    anchor = bot.platform.find_shown("step 2")
    assert anchor is not None
    assert [post.text.count("`") for post in anchor.history[-2:]] == [2, 0]
    go.set()
    await taking
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)

    assert [each.title for each in screen.views[-1].doing] == ["pytest", "ruff"]
    assert screen.ended == list(screen.keys)


async def test_an_answer_does_not_wait_for_a_stream_that_hangs(bot: WholeBot) -> None:
    screen = Screen(hold=asyncio.Event())
    bot.live._streams = Streams({"fake": screen}, bot.clock)

    async def play(turn: TurnAsk, note: Note) -> TurnResult:
        note(TextSaid("All is well, "))
        await bot.clock.forward(0)
        assert screen.views
        return TurnResult("All is well, and mended.")

    bot.agent.script = [play]
    await bot.linked()
    answer = await bot.ask("Mend it")

    assert "All is well, and mended." in answer.text
    assert screen.ended == []
    assert sum("All is well" in each for each in bot.platform.texts()) == 1
