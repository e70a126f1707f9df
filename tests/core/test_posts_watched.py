"""Posts that are lost are told to the owners, and every call to a platform is traced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.alerts import Alerts
from core.model.chat import Post, PostKey
from core.model.errors import ChatError, SendUnknown
from core.tracing import NoTracer, trace_of_post
from tests.whole import WholeBot


class Noted:
    """Fulfils Tracer."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, dict[str, str]]] = []

    @contextmanager
    def span(self, name: str, trace: str = "", **facts: str) -> Iterator[None]:
        self.spans.append((name, trace, facts))
        yield


@pytest.fixture
def alerts(bot: WholeBot) -> Alerts:
    found = Alerts(bot.clock)
    bot.posts.watched_by(found, NoTracer())
    return found


async def test_a_post_that_is_refused_for_good_is_told(bot: WholeBot, alerts: Alerts) -> None:
    bot.platform.fail("post", ChatError("The bot was removed from this chat."), times=2)
    await bot.posts.say(PostKey("reply:x"), bot.platform.thread, Post("hello"))
    await bot.posts.say(PostKey("alert:store_down::1"), bot.platform.thread, Post("hello"))
    await bot.quiet()

    [alert] = alerts.due()
    room = bot.platform.thread.room
    assert alert.words == f"A post to `{room}` (`reply:x`) was refused: The bot was removed from this chat."
    assert (alert.subject, alert.count) == (str(room), 1)


async def test_a_post_of_which_nobody_knows_twice_is_told(bot: WholeBot, alerts: Alerts) -> None:
    bot.platform.can_find = False
    bot.platform.fail("post", SendUnknown("lost"), times=2)
    await bot.posts.say(PostKey("reply:x"), bot.platform.thread, Post("hello"))
    async with asyncio.timeout(20):
        while not alerts.has_waiting:
            await bot.clock.forward(5)
            await asyncio.sleep(0.01)

    [alert] = alerts.due()
    assert "(`reply:x`) may not have arrived: twice there was no answer." in alert.words


async def test_each_call_is_traced_with_what_it_is_for(bot: WholeBot) -> None:
    tracer, key = Noted(), PostKey("reply:x")
    bot.posts.watched_by(Alerts(bot.clock), tracer)
    await bot.posts.say(key, bot.platform.thread, Post("hello"))
    await bot.quiet()
    await bot.posts.show(key, Post("other words"))
    await bot.quiet()

    facts = {"platform": "fake", "key": "reply:x"}
    assert tracer.spans == [("post", trace_of_post(key), facts), ("edit", trace_of_post(key), facts)]
