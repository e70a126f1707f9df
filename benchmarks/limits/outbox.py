"""The outbox as the bot has it, on a real SQLite file and a real adapter, before a server that makes trouble."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from adapters.chat.slack.config import SlackConfig
from adapters.chat.slack.platform import Slack
from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from adapters.system import SystemClock
from benchmarks.limits.servers import LimitedSlack, LimitedTelegram, Rules
from core.model.chat import ThreadRef
from core.posts import Posts
from tests.databases import sqlite_store

LOOK_SECONDS = 0.02
LONGEST_SECONDS = 300.0

TOPICS = ("1", "2", "3")


@dataclass
class Outbox:
    platform: str
    rules: Rules
    posts: Posts
    tenant: str

    def threads(self, number: int) -> list[ThreadRef]:
        """Of one chat: a Slack channel with three threads; a Telegram group with three topics, or a private chat."""
        if self.platform == "slack":
            return [ThreadRef("slack", self.tenant, f"C{number}", f"1700000000.{number:05d}{each}") for each in TOPICS]
        if number % 2:
            return [ThreadRef("telegram", self.tenant, str(1000 + number))]
        return [ThreadRef("telegram", self.tenant, str(-1000 - number), each) for each in TOPICS]

    async def until_sent(self) -> None:
        """No post waits any more; edits may."""
        async with asyncio.timeout(LONGEST_SECONDS):
            while self.posts.oldest() is not None:  # noqa: ASYNC110 - the outbox rings no bell for a single post
                await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def outbox(platform: str, folder: Path, seed: str) -> AsyncIterator[Outbox]:
    rules = Rules(random.Random(seed))
    around = _slack(rules) if platform == "slack" else _telegram(rules)
    async with around as adapter, sqlite_store(folder) as store:
        posts = Posts(store, {platform: adapter}, SystemClock())
        working = asyncio.create_task(posts.work())
        await asyncio.sleep(0)
        try:
            yield Outbox(platform, rules, posts, adapter.tenant)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


@asynccontextmanager
async def _slack(rules: Rules) -> AsyncIterator[Slack | Telegram]:
    async with LimitedSlack(rules) as server:
        token, secret = SecretStr(server.bot_token), SecretStr(server.signing_secret)
        adapter = Slack(SlackConfig(bot_token=token, signing_secret=secret, api_base=server.base, mode="http"), ())
        await adapter.connect()
        try:
            yield adapter
        finally:
            await adapter.close()


@asynccontextmanager
async def _telegram(rules: Rules) -> AsyncIterator[Slack | Telegram]:
    async with LimitedTelegram(rules) as server:
        adapter = Telegram(TelegramConfig(token=SecretStr(server.token), api_base=server.base), ())
        try:
            yield adapter
        finally:
            await adapter.close()
