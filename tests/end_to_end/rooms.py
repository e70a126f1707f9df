"""A chat on a server that someone else wrote, as a person in it sees and uses it: the same few acts for all."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

from aiohttp import web
from lo_bot_api_emulator import LoBotApiEmulator  # type: ignore[import-untyped]

from tests.fakes.local_slack import ANA, BOT, CHANNEL, LocalSlack, free_port

WAIT_SECONDS = 40.0
LOOK_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands now in one post of the bot. `text` holds the addresses of its links too."""

    thread: str
    id: str
    text: str
    buttons: dict[str, Any] = field(default_factory=dict)
    """By label: what a press of it brings."""


class Room(ABC):
    """`section` is the platform's in the configuration, `owner` who speaks, `port` where the bot serves webhooks."""

    name: str
    owner: str
    section: dict[str, Any]

    def __init__(self) -> None:
        self.port = free_port()

    @abstractmethod
    async def say(self, text: str, thread: str = "") -> str:
        """Say it to the bot; the thread in which it answers."""

    @abstractmethod
    async def press(self, post: Shown, label: str) -> None: ...

    @abstractmethod
    async def shown(self) -> Sequence[Shown]:
        """Every post of the bot, oldest first."""

    async def hear(self, thread: str, *words: str, after: int = 0, seconds: float = WAIT_SECONDS) -> Shown:
        """The first post in the thread that holds all the words, once it is there; the first `after` do not count."""

        def found(posts: Sequence[Shown]) -> Shown | None:
            here = [each for each in posts if each.thread == thread][after:]
            return next((each for each in here if all(word in each.text for word in words)), None)

        return await self.until(found, seconds)

    async def until(self, claim: Callable[[Sequence[Shown]], Shown | None], seconds: float = WAIT_SECONDS) -> Shown:
        posts: Sequence[Shown] = ()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    posts = await self.shown()
                    if (post := claim(posts)) is not None:
                        return post
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            told = "\n".join(f"[{each.thread}] {each.text!r} {list(each.buttons)}" for each in posts)
            raise AssertionError(f"not there after {seconds} s; there is:\n{told}") from None

    async def count(self, thread: str = "") -> int:
        return len([each for each in await self.shown() if each.thread == thread])


class EmulatedTelegram(Room):
    """lo-bot-api-emulator in this process, watched through a middleware: it keeps no texts itself."""

    name = "telegram"
    owner = "telegram:11"

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode, self.token = mode, f"7:{uuid4().hex}"
        self._numbers = 1000
        self._posts: dict[int, Shown] = {}
        self.refused: list[str] = []

    async def __aenter__(self) -> Self:
        self._server = LoBotApiEmulator(enable_control=True, allow_insecure_loopback_webhooks=True)
        app = self._server.app()
        app.middlewares.append(self._watch)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.section = {"token": self.token, "api_base": base, "mode": self.mode}
        if self.mode == "webhook":
            self.section |= {"webhook_url": f"http://127.0.0.1:{self.port}", "webhook_secret": uuid4().hex}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _watch(self, request: web.Request, handler: Any) -> web.StreamResponse:
        method = request.path.rpartition("/")[2]
        asked = json.loads(await request.read() or b"{}") if method in {"sendMessage", "editMessageText"} else {}
        answer: web.Response = await handler(request)
        told = json.loads(answer.body) if isinstance(answer.body, bytes) else {}
        if not told.get("ok") and "not modified" not in str(told) and answer.status != 501:
            self.refused.append(f"{method}: {told.get('description')}")
        if asked and told.get("ok"):
            self._keep(asked, int(asked.get("message_id") or told["result"]["message_id"]))
        if method == "getMe":
            told["result"]["username"] = "patchbay_bot"  # the server leaves it out
            return web.json_response(told)
        return answer

    def _keep(self, asked: dict[str, Any], number: int) -> None:
        links = [each["url"] for each in asked.get("entities") or () if "url" in each]
        rows = (asked.get("reply_markup") or {}).get("inline_keyboard", [])
        buttons = {key["text"]: key.get("callback_data") for row in rows for key in row}
        self._posts[number] = Shown("", str(number), "\n".join([asked["text"], *links]), buttons)

    async def say(self, text: str, thread: str = "") -> str:
        self._numbers += 1
        who = {"id": 11, "is_bot": False, "first_name": "Ana"}
        message = {"message_id": self._numbers, "date": 1, "chat": {"id": 11, "type": "private"}, "from": who}
        await self._server.enqueue_update({"message": message | {"text": text}}, token=self.token)
        return thread

    async def press(self, post: Shown, label: str) -> None:
        who = {"id": 11, "is_bot": False, "first_name": "Ana"}
        message = {"message_id": int(post.id), "date": 1, "chat": {"id": 11, "type": "private"}}
        query = {"id": uuid4().hex, "from": who, "message": message, "chat_instance": "1", "data": post.buttons[label]}
        await self._server.enqueue_update({"callback_query": query}, token=self.token)

    async def shown(self) -> Sequence[Shown]:
        return [self._posts[number] for number in sorted(self._posts)]


class RealSlack(Room):
    """local-slack: a channel in which the bot is mentioned; each mention at the top opens a thread."""

    name = "slack"
    owner = f"slack:{ANA}"

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._slack = LocalSlack(self.port if mode == "http" else 0)
        self.section = {"mode": mode, "bot_token": self._slack.bot_token, "api_base": self._slack.base}
        self.section |= {"app_token": self._slack.app_token} if mode == "socket" else {}
        self.section |= {"signing_secret": self._slack.signing_secret} if mode == "http" else {}

    async def __aenter__(self) -> Self:
        await self._slack.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._slack.__aexit__()

    async def say(self, text: str, thread: str = "") -> str:
        """A command is a mention in the channel: `/execute` is said as `@bot execute`."""
        words = f"<@{BOT}> {text.removeprefix('/')}"
        inside = {"thread_ts": thread} if thread else {}
        told = await self._slack.control("message", channel=CHANNEL, user=ANA, text=words, **inside)
        return thread or str(told["message"]["ts"])

    async def slash(self, text: str) -> None:
        await self._slack.control("command", channel=CHANNEL, user=ANA, command="/patchbay", text=text)

    async def press(self, post: Shown, label: str) -> None:
        await self._slack.control("interact", channel=CHANNEL, messageTs=post.id, user=ANA, action=post.buttons[label])

    async def shown(self) -> Sequence[Shown]:
        return [_slack_post(each) for each in await self._slack.messages() if each["user"] == BOT]


def _slack_post(message: dict[str, Any]) -> Shown:
    blocks = message.get("blocks") or []
    markdown = [each["text"] for each in blocks if each["type"] == "markdown"]
    rows = [each["elements"] for each in blocks if each["type"] == "actions"]
    buttons = {each["text"]["text"]: each for row in rows for each in row}
    text = "\n".join([message["text"], *markdown])
    return Shown(str(message.get("thread_ts") or message["ts"]), str(message["ts"]), text, buttons)
