"""A chat of the town as its people use it: say something, and wait for what it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram

PATIENCE_SECONDS = 60.0
KEPT = 400
"""So many messages stay in a fake; older ones are forgotten, lest the fakes be what grows."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a talk goes on: what comes later is newer than `since`. `thread` is empty on Telegram."""

    since: str
    thread: str = ""


class Room(Protocol):
    async def say(self, text: str, place: Place | None = None) -> Place:
        """In the thread of `place`; None: a new one, where there are threads."""

    async def hear(self, place: Place, *words: str) -> str:
        """The first post since then that holds all the words. TimeoutError."""


@dataclass(frozen=True, slots=True)
class TelegramRoom:
    server: FakeTelegram
    chat: int

    async def say(self, text: str, place: Place | None = None) -> Place:
        del place
        return Place(f"{self.server.say(self.chat, text):012d}")

    async def hear(self, place: Place, *words: str) -> str:
        def found() -> str:
            mine = (each for each in self.server.posts if each.chat == self.chat and each.message > int(place.since))
            return next((each.text for each in mine if all(word in each.text for word in words)), "")

        await self.server.wait_for(found, PATIENCE_SECONDS)
        return found()


@dataclass(frozen=True, slots=True)
class SlackRoom:
    server: FakeSlack
    channel: str
    user: str

    async def say(self, text: str, place: Place | None = None) -> Place:
        thread = place.thread if place else ""
        ts = await self.server.say(self.channel, self.user, text, thread)
        return Place(ts, thread or ts)

    async def hear(self, place: Place, *words: str) -> str:
        def found() -> str:
            mine = (each for each in self.server.posts if each.channel == self.channel and each.ts > place.since)
            return next((each.markdown for each in mine if _fits(each.thread_ts, each.markdown, place, words)), "")

        await self.server.wait_for(found, PATIENCE_SECONDS)
        return found()


def _fits(thread: str, text: str, place: Place, words: Sequence[str]) -> bool:
    return thread == place.thread and all(word in text for word in words)


def forget(telegram: FakeTelegram, slack: FakeSlack) -> None:
    """What nobody waits for any more."""
    telegram.calls.clear()
    telegram.acknowledged.clear()
    del telegram.posts[:-KEPT]
    for key in list(telegram.messages)[: -KEPT * 2]:
        del telegram.messages[key]
    slack.calls.clear()
    slack.answers.clear()
    slack.acked.clear()
    slack.statuses.clear()
    del slack.messages[:-KEPT]
