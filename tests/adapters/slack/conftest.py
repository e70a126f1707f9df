"""A fake Slack, a platform connected to it, and an inbox that remembers what it took."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from aiohttp import web
from pydantic import SecretStr

from adapters.chat.slack.config import SlackConfig
from adapters.chat.slack.platform import Slack
from core.model.chat import ChatEvent, Delivery
from core.model.errors import StoreError
from core.ports import CommandWord
from tests.fakes.slack import FakeSlack

COMMANDS = (CommandWord("help", "/help", "What I can do"), CommandWord("execute", "/execute KEY-1", "Do a task"))


@dataclass
class Inbox:
    """Fulfils Take. `refuse`: how many takes fail first."""

    taken: list[Delivery] = field(default_factory=list)
    refuse: int = 0
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
        if self.refuse:
            self.refuse -= 1
            raise StoreError("the disk is full")
        self.taken += deliveries
        self.bell.set()

    async def wait(self, count: int = 1) -> list[Delivery]:
        async with asyncio.timeout(10):
            while len(self.taken) < count:
                self.bell.clear()
                await self.bell.wait()
        return self.taken

    def events(self, platform: Slack) -> list[ChatEvent]:
        """One for each cause, as the inbox hands them on."""
        read = [platform.read(each.raw) for each in self.taken]
        return list({each.cause: each for each in read if each is not None}.values())


def config_for(slack: FakeSlack, mode: Literal["socket", "http"] = "socket", **fields: Any) -> SlackConfig:
    given: dict[str, Any] = {
        "bot_token": SecretStr(slack.bot_token),
        "app_token": SecretStr(slack.app_token),
        "signing_secret": SecretStr(slack.signing_secret),
        "api_base": slack.base,
        "mode": mode,
    }
    return SlackConfig(**given | fields)


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake
        assert fake.violations == []


@pytest.fixture
async def platform(slack: FakeSlack) -> AsyncIterator[Slack]:
    """Connected, not listening."""
    made = Slack(config_for(slack), COMMANDS)
    await made.connect()
    yield made
    await made.close()


@asynccontextmanager
async def listening(platform: Slack, inbox: Inbox) -> AsyncIterator[None]:
    task = asyncio.create_task(platform.listen(inbox, None))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def serving(platform: Slack, port: int = 0) -> AsyncIterator[str]:
    """The platform behind a web server, as the program puts it there; its address."""
    app = web.Application()
    app.router.add_post(platform.webhook_path, _route(platform))
    runner = web.AppRunner(app, auto_decompress=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{platform.webhook_path}"
    finally:
        await runner.cleanup()


def _route(platform: Slack) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        answer = await platform.receive(request.headers, await request.read())
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    return handle
