"""What is measured on the way, and that every name it goes by is one that the meter knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.metrics import COUNTERS, HISTOGRAMS
from core.meter import NoMeter, outcome_of
from core.model.chat import ChatEvent, Post, PostKey
from core.model.errors import AgentError, ChatBusy, ChatError, SendFailed, SendUnknown
from core.model.events import TurnAsk, TurnResult
from core.model.work import Usage
from core.ports import Meter, Note
from tests.whole import WholeBot

CORE = Path(__file__).parents[2] / "core"


class Notes:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, ...], float] = {}
        self.values: dict[tuple[str, ...], list[float]] = {}

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        key = (name, *labels.values())
        self.counts[key] = self.counts.get(key, 0.0) + amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.values.setdefault((name, *labels.values()), []).append(value)


@pytest.fixture
def notes(bot: WholeBot) -> Notes:
    meter = Notes()
    bot.inbox._meter = bot.posts._sender._meter = meter
    object.__setattr__(bot.steps, "meter", meter)
    return meter


def test_who_does_not_measure_needs_no_meter() -> None:
    meter: Meter = NoMeter()

    meter.count("posts", 2, platform="slack")
    meter.observe("turn_seconds", 1.0, agent="a")


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ChatError("no such chat"), "rejected"),
        (ChatBusy("slow down", 3), "delayed"),
        (SendFailed("no route"), "failed"),
        (SendUnknown("no answer"), "unknown"),
    ],
)
def test_what_becomes_of_a_post_is_one_word(error: ChatError, word: str) -> None:
    assert outcome_of(error) == word


async def test_deliveries_are_counted_once_for_each_cause(bot: WholeBot, notes: Notes) -> None:
    said = await bot.platform.say("/projects")
    await bot.platform.deliver(said, "again")
    await bot.quiet()

    assert notes.counts["deliveries_taken", "fake"] == 1
    assert notes.counts["deliveries_handled", "fake"] == 1
    assert notes.values["handling_seconds", "fake"] == [0.0]


async def test_poison_is_counted_with_the_time_it_took(bot: WholeBot, notes: Notes) -> None:
    async def broken(_event: ChatEvent) -> None:
        raise ZeroDivisionError

    bot.inbox._hear = broken
    await bot.platform.say("/projects")
    while not await bot.store.asides():
        await bot.clock.forward(1)
    await bot.quiet()

    assert notes.counts["deliveries_set_aside", "fake"] == 1
    assert ("deliveries_handled", "fake") not in notes.counts
    assert notes.values["handling_seconds", "fake"][0] >= 3


async def test_posts_are_counted_by_what_became_of_them(bot: WholeBot, notes: Notes) -> None:
    bot.platform.fail("post", ChatBusy("slow down", 3))
    bot.platform.fail("post", SendUnknown("no answer"), accepted=True)
    bot.platform.fail("post", ChatError("no such chat"))
    for key in ("one", "two"):
        await bot.posts.say(PostKey(key), bot.platform.thread, Post(key))
    while not bot.posts.is_quiet():
        await bot.clock.forward(1)
    bot.platform.fail("edit", ChatBusy("slow down", 3))
    await bot.posts.show(PostKey("one"), Post("other words"))
    while not bot.posts.is_quiet():
        await bot.clock.forward(1)

    outcomes = {key[2]: amount for key, amount in notes.counts.items() if key[:2] == ("posts", "fake")}
    assert outcomes == {"delayed": 1, "unknown": 1, "sent": 1, "rejected": 1, "edit_delayed": 1, "edited": 1}


async def test_the_oldest_post_that_is_not_sent_is_known_until_it_is(bot: WholeBot) -> None:
    assert bot.posts.oldest() is None
    bot.platform.fail("post", ChatBusy("slow down", 30))
    began = bot.clock.now()
    await bot.posts.say(PostKey("one"), bot.platform.thread, Post("one"))
    await bot.clock.forward(10)
    await bot.posts.say(PostKey("two"), bot.platform.thread, Post("two"))

    assert bot.posts.oldest() == began
    while not bot.posts.is_quiet():
        await bot.clock.forward(1)
    assert bot.posts.oldest() is None


async def test_turns_are_measured_with_what_they_used(bot: WholeBot, notes: Notes) -> None:
    async def slow(_turn: TurnAsk, _note: Note) -> TurnResult:
        await bot.clock.forward(90)
        return TurnResult("done", usage=Usage(1000, 50, 0.25))

    bot.agent.script = [slow, AgentError("no more credit")]
    await bot.linked()
    await bot.ask("Mend it")
    await bot.ask("And the rest")

    assert notes.values["turn_seconds", "scripted", "done"] == [90.0]
    assert notes.values["turn_seconds", "scripted", "failed"] == [0.0]
    assert notes.counts["tokens", "scripted", "in"] == 1000
    assert notes.counts["tokens", "scripted", "out"] == 50
    assert notes.counts["cost_dollars", "scripted"] == 0.25


def test_every_name_that_is_measured_is_in_the_tables_and_no_other() -> None:
    used = set(_names())

    assert {name for kind, name in used if kind == "count"} == set(COUNTERS)
    assert {name for kind, name in used if kind == "observe"} == set(HISTOGRAMS)


def _names() -> Iterator[tuple[str, str]]:
    for path in (*CORE.rglob("*.py"), CORE.parent / "bot/health.py", CORE.parent / "adapters/gateway/relay.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                on = ast.unparse(node.func.value)
                if on.endswith("meter") and isinstance(node.args[0], ast.Constant):
                    yield node.func.attr, str(node.args[0].value)
