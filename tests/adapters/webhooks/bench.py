"""The three webhooks behind the real door, with a real inbox on a real database; what is heard is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from pydantic import SecretStr

from adapters.chat.slack.config import SlackConfig
from adapters.chat.slack.platform import Slack
from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from adapters.forges.github_webhook import GithubWebhook
from adapters.system import SystemClock
from bot.config import HttpConfig
from bot.http import serve
from core.inbox import Inbox
from core.model.chat import ChatEvent
from core.model.forge import PullNews
from core.ports import Store
from tests.adapters.webhooks.senders import GithubSender, Request, Sender, SlackSender, TelegramSender
from tests.databases import sqlite_store
from tests.fakes.slack import FakeSlack

SECONDS = 60.0
DAWDLE_SECONDS = 0.5
"""For heads and bodies that never become whole."""


@dataclass
class Keys:
    """What outlives a restart: who sends, and with which secrets."""

    slack: FakeSlack
    token: str = field(default_factory=lambda: f"7:{uuid4().hex}")

    def __post_init__(self) -> None:
        self.telegram_sender = TelegramSender()
        self.slack_sender = SlackSender(self.slack.signing_secret, self.slack.team)
        self.github_sender = GithubSender()

    def senders(self) -> list[Sender]:
        return [self.telegram_sender, self.slack_sender, self.github_sender]

    def sender(self, name: str) -> Sender:
        return next(each for each in self.senders() if each.name == name)


@dataclass
class Bench:
    """One life of the bot."""

    keys: Keys
    port: int
    inbox: Inbox
    heard: list[ChatEvent | PullNews]

    async def bring(self, request: Request) -> int:
        """The status of the first answer; 0: closed without."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(SECONDS):
                answer = b""
                with suppress(ConnectionError):
                    writer.write(request.wire())
                    await writer.drain()
                with suppress(ConnectionError):
                    answer = await reader.read(1_000)
                    while await reader.read(10_000):
                        pass
        finally:
            writer.close()
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0

    async def bring_all(self, requests: Iterable[Request], together: int = 8) -> list[int]:
        room = asyncio.Semaphore(together)

        async def one(request: Request) -> int:
            async with room:
                return await self.bring(request)

        found = list(await asyncio.gather(*map(one, requests)))
        await self.inbox.until_quiet()
        return found


@asynccontextmanager
async def keys() -> AsyncIterator[Keys]:
    async with FakeSlack() as slack:
        yield Keys(slack)


@asynccontextmanager
async def life(keys: Keys, folder: Path) -> AsyncIterator[Bench]:
    """A second one in the same folder is the bot after a restart."""
    async with sqlite_store(folder) as store, life_over(keys, store) as bench:
        yield bench


@asynccontextmanager
async def life_over(keys: Keys, store: Store) -> AsyncIterator[Bench]:
    heard: list[ChatEvent | PullNews] = []

    async def hear(event: ChatEvent | PullNews) -> None:
        heard.append(event)

    async def set_aside(_event: ChatEvent, _key: str) -> None:
        raise AssertionError("it is always handled")

    inbox = Inbox(store, SystemClock(), hear, set_aside)
    inbox.when_news(hear)
    telegram, slack = _telegram(keys), _slack(keys)
    github = GithubWebhook(keys.github_sender.secret)
    github.open(inbox.take_for(github))
    async with AsyncExitStack() as stack:
        await slack.connect()
        stack.push_async_callback(slack.close)
        stack.push_async_callback(telegram.close)
        works = [inbox.work(), *(each.listen(inbox.take_for(each), None) for each in (telegram, slack))]
        tasks = [asyncio.create_task(each) for each in works]
        stack.push_async_callback(_end, tasks)
        doors = [telegram, slack, github]
        door = await stack.enter_async_context(
            serve(HttpConfig(port=0), doors, head_seconds=DAWDLE_SECONDS, body_seconds=DAWDLE_SECONDS)
        )
        bench = Bench(keys, door.port, inbox, heard)
        await _until_open(bench)
        yield bench


async def _until_open(bench: Bench) -> None:
    """Its own first deliveries are taken; they count for nobody."""
    async with asyncio.timeout(SECONDS):
        for sender in bench.keys.senders():
            request = Request(sender.path, [*sender.prove(b"{}"), *sender.others()], b"{}")
            while True:
                if await bench.bring(request) != 503:
                    break


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _telegram(keys: Keys) -> Telegram:
    config = TelegramConfig(
        token=SecretStr(keys.token),
        api_base="http://127.0.0.1:9",
        mode="webhook",
        webhook_url="https://bot.example.com",
        webhook_secret=SecretStr(keys.telegram_sender.secret),
    )
    return Telegram(config, ())


def _slack(keys: Keys) -> Slack:
    config = SlackConfig(
        bot_token=SecretStr(keys.slack.bot_token),
        signing_secret=SecretStr(keys.slack_sender.secret),
        api_base=keys.slack.base,
        mode="http",
    )
    return Slack(config, ())
