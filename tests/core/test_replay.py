"""A delivery that was set aside, replayed: it is handled after all, once, at the next start."""

from __future__ import annotations

import asyncio

from core.model.chat import ChatEvent
from tests.whole import WholeBot


async def _broken(_event: ChatEvent) -> None:
    raise ZeroDivisionError


async def test_what_was_set_aside_and_replayed_is_answered_after_the_next_start(bot: WholeBot) -> None:
    bot.inbox._hear = _broken
    said = await bot.platform.say("/projects")
    async with asyncio.timeout(5):
        while not await bot.store.asides():
            await bot.clock.forward(1)
    await bot.quiet()
    await bot.restart()
    await bot.quiet()
    before = bot.platform.texts()

    assert await bot.store.replay(said.cause)
    await bot.restart()
    await bot.quiet()

    assert "could not handle" in before[-1]
    assert len(bot.platform.texts()) == len(before) + 1
    assert "no project" in bot.platform.texts()[-1].lower()
    assert await bot.store.unsettled() == []
