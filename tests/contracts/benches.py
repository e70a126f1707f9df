"""BENCHES: for each chat platform, and each way it can be reached, a counterpart and a person who speaks there.

A new platform is a function here and a line in the table at the end. Those of other people's services are built by
their entry in PLATFORMS, as the program builds them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast
from uuid import uuid4

from aiohttp import web

from adapters.chat import PLATFORMS, PlatformTools
from adapters.chat.console import inbound
from adapters.chat.console.config import ConsoleConfig
from adapters.chat.console.platform import Console
from adapters.chat.console.screen import PlainScreen
from core.model.chat import PostRef, ThreadRef
from core.ports import ChatPlatform, CommandWord, Webhooked
from tests.fakes import bot_api_schema
from tests.fakes.platform import FakePlatform
from tests.fakes.slack import FakeSlack, Message
from tests.fakes.telegram import FakeTelegram

COMMANDS = (CommandWord("help", "/help", "What I can do"), CommandWord("execute", "/execute KEY-1", "Have it done"))
CHANNEL, USER = "C0GENERAL", "U0ADA"
CHAT = 42


class Bench(Protocol):
    """`text_of` is what a person now reads in a post. `say` and `press` return once it is on its way.

    `files` are those that stand in the thread: what their name begins with, and the text.
    """

    @property
    def platform(self) -> ChatPlatform: ...

    @property
    def thread(self) -> ThreadRef: ...

    async def say(self, text: str) -> None: ...

    async def press(self, ref: PostRef, label: str) -> None: ...

    def text_of(self, ref: PostRef) -> str: ...

    def files(self) -> list[tuple[str, str]]: ...


class FakeBench:
    def __init__(self) -> None:
        self.platform = FakePlatform()
        self.thread = self.platform.thread

    async def say(self, text: str) -> None:
        await self.platform.say(text)

    async def press(self, ref: PostRef, label: str) -> None:
        await self.platform.press(label, thread=ref.thread)

    def text_of(self, ref: PostRef) -> str:
        return next(each.text for each in self.platform.posts if each.ref == ref)

    def files(self) -> list[tuple[str, str]]:
        return [(each.file.name, each.file.text) for each in self.platform.posts if each.file is not None]


class ConsoleBench:
    def __init__(self, folder: Path) -> None:
        screen = PlainScreen(write=lambda _: None, tell=lambda _: None)
        self.folder = folder
        self.platform = Console(ConsoleConfig(), [], folder, screen=screen)
        self.thread = inbound.thread("")

    async def say(self, text: str) -> None:
        await self.platform.say(text)

    async def press(self, ref: PostRef, label: str) -> None:
        await self.platform.say(f":press {label}")

    def text_of(self, ref: PostRef) -> str:
        return self.platform._journal.posts[ref.id].post.text

    def files(self) -> list[tuple[str, str]]:
        posts = self.platform._journal.shown_in("")
        paths = [Path(each.post.text.split("`")[-2]) for each in posts if "📎" in each.post.text]
        return [(path.name, path.read_bytes().decode()) for path in paths]


@dataclass
class TelegramBench:
    server: FakeTelegram
    platform: ChatPlatform

    @property
    def thread(self) -> ThreadRef:
        return ThreadRef("telegram", str(self.server.bot), str(CHAT))

    async def say(self, text: str) -> None:
        self.server.say(CHAT, text)
        await self._bring()

    async def press(self, ref: PostRef, label: str) -> None:
        self.server.press(CHAT, self.server.button(CHAT, label), message=int(ref.id))
        await self._bring()

    def text_of(self, ref: PostRef) -> str:
        return self.server.texts(CHAT)[int(ref.id)]

    def files(self) -> list[tuple[str, str]]:
        return [(each.name, each.text) for each in self.server.documents if each.chat == CHAT]

    async def _bring(self) -> None:
        """A poll fetches it; a webhook is called again until it takes it."""
        while self.server.webhook is not None and self.server.updates:
            await self.server.deliver()


@dataclass
class SlackBench:
    """In a thread of a direct chat, where everything said is meant for the bot and arrives once."""

    server: FakeSlack
    platform: ChatPlatform
    root: str

    @property
    def thread(self) -> ThreadRef:
        return ThreadRef("slack", self.server.team, f"D{CHANNEL}", self.root)

    async def say(self, text: str) -> None:
        await self.server.say(f"D{CHANNEL}", USER, text, self.root)

    async def press(self, ref: PostRef, label: str) -> None:
        await self.server.press(ref.id, label, USER)

    def text_of(self, ref: PostRef) -> str:
        return self.server.message(ref.id).markdown

    def files(self) -> list[tuple[str, str]]:
        return [(file.name, file.text) for each in self.server.thread(self.root) for file in each.files]


@dataclass
class Door:
    """An address that stands before what listens behind it does."""

    base: str
    leads_to: Webhooked | None = None

    async def handle(self, request: web.Request) -> web.Response:
        assert self.leads_to is not None
        answer = await self.leads_to.receive(request.headers, await request.read())
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)


@asynccontextmanager
async def opened_door() -> AsyncIterator[Door]:
    door = Door("")
    app = web.Application()
    app.router.add_post("/{path:.*}", door.handle)
    runner = web.AppRunner(app, auto_decompress=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield door
    finally:
        await runner.cleanup()


def build(name: str, folder: Path, given: Mapping[str, Any]) -> ChatPlatform:
    kind = PLATFORMS[name]
    return kind.build(kind.config.model_validate(given), PlatformTools(COMMANDS, folder))


@asynccontextmanager
async def fake(folder: Path) -> AsyncIterator[Bench]:
    yield FakeBench()


@asynccontextmanager
async def console(folder: Path) -> AsyncIterator[Bench]:
    yield ConsoleBench(folder)


@asynccontextmanager
async def telegram(folder: Path) -> AsyncIterator[Bench]:
    async with FakeTelegram() as server:
        yield TelegramBench(server, build("telegram", folder, {"token": server.token, "api_base": server.base}))
    bot_api_schema.check(server)


@asynccontextmanager
async def telegram_webhook(folder: Path) -> AsyncIterator[Bench]:
    async with FakeTelegram() as server, opened_door() as door:
        given = {"token": server.token, "api_base": server.base, "mode": "webhook"}
        given |= {"webhook_url": door.base, "webhook_secret": uuid4().hex}
        platform = build("telegram", folder, given)
        door.leads_to = cast("Webhooked", platform)
        yield TelegramBench(server, platform)
    bot_api_schema.check(server)


@asynccontextmanager
async def slack(folder: Path, mode: Literal["socket", "http"] = "socket") -> AsyncIterator[Bench]:
    async with FakeSlack() as server, opened_door() as door:
        given = {"bot_token": server.bot_token, "app_token": server.app_token, "api_base": server.base, "mode": mode}
        platform = build("slack", folder, given | {"signing_secret": server.signing_secret})
        door.leads_to = cast("Webhooked", platform)
        server.events_url = door.base + door.leads_to.webhook_path if mode == "http" else ""
        root = server.new_ts()
        server.messages.append(Message(f"D{CHANNEL}", root, USER, "Hello"))
        yield SlackBench(server, platform, root)
    assert server.violations == []


def slack_http(folder: Path) -> AbstractAsyncContextManager[Bench]:
    return slack(folder, "http")


BENCHES: dict[str, Callable[[Path], AbstractAsyncContextManager[Bench]]] = {
    "fake": fake,
    "console": console,
    "telegram": telegram,
    "telegram-webhook": telegram_webhook,
    "slack": slack,
    "slack-http": slack_http,
}
"""By the platform's name in PLATFORMS, then the way to reach it if that is not the usual one."""
