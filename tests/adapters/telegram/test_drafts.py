"""Drafts show what is being said in private chats, and are never worth an error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.drafts import PACE_SECONDS, TROUBLE_SECONDS, Drafts, draft_id
from adapters.chat.telegram.platform import Telegram
from adapters.chat.telegram.render import JOINER, LIMIT, units
from core.model.chat import Person, Post, PostKey, ThreadRef
from core.model.errors import ChatBusy
from core.ports import Doing, Streaming, View
from tests.fakes import bot_api_schema
from tests.fakes.telegram import FakeTelegram, Fault, Kind

DIRECT = ThreadRef("telegram", "4242", "11")
GROUP = ThreadRef("telegram", "4242", "-100", "3")
ADA = Person("telegram", "4242", "11", "Ada")


def view(text: str = "", **fields: Any) -> View:
    return View("Mend it", ADA, text, **fields)


def test_it_streams(telegram: Telegram) -> None:
    assert isinstance(telegram, Streaming)


async def test_a_draft_grows_under_one_id_and_no_message_is_sent(telegram: Telegram, server: FakeTelegram) -> None:
    for text in ("I **look** ", "I **look** at `it` @ada "):
        assert await telegram.stream(DIRECT, "run:1", view(text)) == PACE_SECONDS
    await telegram.stream(DIRECT, "run:2", view("More "))
    await telegram.end_stream(DIRECT, "run:2")

    assert [each.text for each in server.drafts] == ["I look", f"I look at it @{JOINER}ada", "More"]
    assert [each["type"] for each in server.drafts[1].fields["entities"]] == ["bold", "code"]
    first, second, other = (each.draft for each in server.drafts)
    assert first == second == draft_id("run:1") != other
    assert server.posts == []
    bot_api_schema.check(server)


async def test_a_draft_keeps_to_its_topic_and_shows_what_is_done(telegram: Telegram, server: FakeTelegram) -> None:
    topic = ThreadRef("telegram", "4242", "11", "7")
    await telegram.stream(topic, "k", view("Look. ", doing=(Doing("1", "ls", ok=True), Doing("2", "pytest -q"))))
    await telegram.stream(topic, "k", view(doing=(Doing("1", "ls", ok=False),)))
    await telegram.stream(topic, "k", view(doing=(Doing("1", "ls", ok=True),)))

    assert [each.text for each in server.drafts] == ["Look.\n\n▸ pytest -q", "✗ ls", "✓ ls"]
    assert {each.thread for each in server.drafts} == {7}
    bot_api_schema.check(server)


@pytest.mark.parametrize("text", ["word " * 3000, "x" * 9000, "🤖 " * 4000, "1. a\n" * 2000], ids=lambda text: text[:4])
async def test_of_what_is_long_the_end_is_shown(telegram: Telegram, server: FakeTelegram, text: str) -> None:
    await telegram.stream(DIRECT, "k", view(f"{text}\n\nThe end. ", doing=(Doing("1", "pytest"),)))

    [draft] = server.drafts
    assert units(draft.text) <= LIMIT
    assert draft.text.startswith("…")
    assert draft.text.endswith("The end.\n\n▸ pytest")


async def test_groups_have_none_and_nothing_is_asked(telegram: Telegram, server: FakeTelegram) -> None:
    assert await telegram.stream(GROUP, "k", view("hello ")) is None
    assert await telegram.stream(ThreadRef("telegram", "4242", "-5"), "k", view("hello ")) is None

    assert server.calls == []


async def test_who_does_not_want_it_has_none(server: FakeTelegram) -> None:
    quiet = Telegram(TelegramConfig(token=SecretStr(server.token), api_base=server.base, streaming=False), ())
    assert await quiet.stream(DIRECT, "k", view("hello ")) is None
    await quiet.close()

    assert server.calls == []


async def test_a_server_that_knows_no_drafts_is_asked_once(telegram: Telegram, server: FakeTelegram) -> None:
    server.has_drafts = False
    for _ in range(2):
        assert await telegram.stream(DIRECT, "k", view("hello ")) is None

    assert len(server.called("sendMessageDraft")) == 1


REFUSALS = {
    "busy": (Fault.refuse(429, "Too Many Requests: retry after 137", retry_after=137), 137.0),
    "busy, not how long": (Fault.refuse(429, "Too Many Requests"), TROUBLE_SECONDS),
    "blocked": (Fault.refuse(403, "Forbidden: bot was blocked by the user"), None),
    "not this person": (Fault.refuse(400, "Bad Request: TEXTDRAFT_PEER_INVALID"), None),
    "trouble there": (Fault.refuse(502, "Bad Gateway"), TROUBLE_SECONDS),
    "no answer": (Fault(Kind.RESET_BEFORE), TROUBLE_SECONDS),
    "no JSON": (Fault(Kind.GARBLE), TROUBLE_SECONDS),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_whatever_is_wrong_is_not_raised(telegram: Telegram, server: FakeTelegram, name: str) -> None:
    fault, seconds = REFUSALS[name]
    server.fail("sendMessageDraft", fault)

    assert await telegram.stream(DIRECT, "k", view("hello ")) == seconds
    assert await telegram.stream(ThreadRef("telegram", "4242", "12"), "k", view("hello ")) == PACE_SECONDS


class Time:
    now = 1000.0


async def test_a_chat_that_is_asked_to_wait_gets_no_draft_until_then() -> None:
    time = Time()
    sent: list[str] = []

    async def call(fields: dict[str, Any]) -> bool:
        sent.append(fields["text"])
        return True

    drafts = Drafts(call, lambda: time.now)
    drafts.hold("11", 7.0)
    assert await drafts.show(DIRECT, "k", view("one ")) == 7.0
    time.now += 6.0
    assert await drafts.show(DIRECT, "k", view("two ")) == 1.0
    time.now += 1.0
    assert await drafts.show(DIRECT, "k", view("three ")) == PACE_SECONDS

    assert sent == ["three"]


async def test_a_post_that_must_wait_keeps_drafts_back(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessage", Fault.refuse(429, "Too Many Requests: retry after 30", retry_after=30))
    with pytest.raises(ChatBusy):
        await telegram.post(DIRECT, Post("The answer"), PostKey("answer:1"))
    seconds = await telegram.stream(DIRECT, "k", view("hello "))

    assert seconds is not None
    assert seconds > PACE_SECONDS
    assert server.drafts == []


async def test_a_format_that_is_refused_is_left_out(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessageDraft", *[Fault.refuse(400, "Bad Request: can't parse entities")] * 2)

    assert await telegram.stream(DIRECT, "k", view("**hello** ")) == PACE_SECONDS
    assert await telegram.stream(DIRECT, "k", view("**hello** ")) is None
    assert await telegram.stream(DIRECT, "k", view("**hello** ")) == PACE_SECONDS
    assert ["entities" in each for each in server.called("sendMessageDraft")] == [True, False, False]


async def test_a_draft_that_hangs_holds_no_message_up(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessageDraft", Fault(Kind.HANG))
    hanging = asyncio.create_task(telegram.stream(DIRECT, "k", view("hello ")))
    await server.wait_for(lambda: server.drafts)
    await telegram.post(DIRECT, Post("The answer"), PostKey("answer:1"))

    assert [each.text for each in server.posts] == ["The answer"]
    assert not hanging.done()
    assert await hanging == TROUBLE_SECONDS


def test_every_id_is_one() -> None:
    ids = {draft_id(f"run:{number}") for number in range(5000)}

    assert len(ids) > 4990
    assert all(0 < each < 2**31 for each in ids)
