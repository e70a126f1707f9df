"""The same platform against a Bot API server that others wrote: polling, offsets, the webhook's secret, fields."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from core.model.chat import Button, ButtonToken, Delivery, File, Post, PostKey, Pressed, Said, SignKind, ThreadRef
from core.model.errors import StoreError
from tests.adapters.telegram.conftest import COMMANDS

pytest.importorskip("lo_bot_api_emulator")
START_SECONDS = 15.0
WAIT_SECONDS = 15.0
BOT = 7
"""Whom the emulator's getMe names; it tells no username."""


class Emulator:
    def __init__(self, base: str, token: str) -> None:
        self.base = base
        self.token = token

    async def say(self, text: str, number: int) -> int:
        person = {"id": 11, "is_bot": False, "first_name": "Ada"}
        chat = {"id": 11, "type": "private"}
        return await self.push(
            {"message": {"message_id": number, "date": 1, "chat": chat, "from": person, "text": text}}
        )

    async def push(self, update: dict[str, Any]) -> int:
        return int((await self._control("updates", {"update": update}))["update_id"])

    async def deliver(self) -> int:
        return int((await self._control("deliver", {}))["delivered"])

    async def call(self, method: str, **fields: Any) -> dict[str, Any]:
        return await self._post(f"/bot{self.token}/{method}", fields)

    async def _control(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._post(f"/__fixture/{path}", {"token": self.token, **body})
        assert answer["ok"], answer
        result: dict[str, Any] = answer["result"]
        return result

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.post(self.base + path, json=body) as answer:
            result: dict[str, Any] = await answer.json()
            return result


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Emulator]:
    port = _free_port()
    argv = ["--port", str(port), "--enable-control", "--allow-insecure-loopback-webhooks"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from lo_bot_api_emulator import main; main()",
        *argv,
        cwd=tmp_path,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await _until_open(port)
        yield Emulator(f"http://127.0.0.1:{port}", f"{BOT}:{uuid4().hex}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


class Taken:
    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.cursor: str | None = None
        self.failures = 0
        self._heard = asyncio.Event()

    async def __call__(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
        self._heard.set()
        if self.failures:
            self.failures -= 1
            raise StoreError("disk full")
        self.deliveries += deliveries
        self.cursor = cursor

    async def until(self, count: int) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.deliveries) < count:
                self._heard.clear()
                await self._heard.wait()


@asynccontextmanager
async def listening(platform: Telegram, taken: Taken, cursor: str | None = None) -> AsyncIterator[None]:
    task = asyncio.create_task(platform.listen(taken, cursor))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def connected(platform: Telegram) -> AsyncIterator[Telegram]:
    """Closed whatever happens: a session that is left open turns a later test red."""
    try:
        await platform.connect()
        yield platform
    finally:
        await platform.close()


def polling(emulator: Emulator) -> Telegram:
    return Telegram(TelegramConfig(token=SecretStr(emulator.token), api_base=emulator.base), COMMANDS)


async def test_polling_loses_nothing_over_a_failed_commit_and_a_restart(emulator: Emulator) -> None:
    taken = Taken()
    taken.failures = 1
    await emulator.say("/status", 1)
    async with connected(polling(emulator)) as first, listening(first, taken):
        await taken.until(1)
    await emulator.say("while away", 2)
    async with connected(polling(emulator)) as second, listening(second, taken, taken.cursor):
        await taken.until(2)
        await emulator.say("back again", 3)
        await taken.until(3)
    said = [second.read(each.raw) for each in taken.deliveries]

    assert [each.text for each in said if isinstance(each, Said)] == ["/status", "while away", "back again"]
    assert [each.cause for each in said if each] == ["telegram:7:11:1", "telegram:7:11:2", "telegram:7:11:3"]


async def test_what_was_committed_is_acknowledged_by_the_next_poll(emulator: Emulator) -> None:
    taken = Taken()
    await emulator.say("one", 1)
    async with connected(polling(emulator)) as platform, listening(platform, taken):
        await taken.until(1)
        await emulator.say("two", 2)
        await taken.until(2)
    await asyncio.sleep(0.3)  # the emulator notices an ended poll within a tenth of a second
    waiting = await emulator.call("getUpdates", timeout=0)

    assert "one" not in [each["message"]["text"] for each in waiting["result"]]


async def test_posts_edits_presses_and_signs(emulator: Emulator) -> None:
    taken = Taken()
    await emulator.say("/status", 1)
    async with connected(polling(emulator)) as platform, listening(platform, taken):
        await taken.until(1)
        said = platform.read(taken.deliveries[0].raw)
        assert isinstance(said, Said)
        stop = Button("Stop", token=ButtonToken("tok"))
        link = Button("Open", url="https://example.com/1")
        for kind in SignKind:
            await platform.sign(said.thread, said.message, kind)
        ref = await platform.post(said.thread, Post("**Runs**: none", ((stop, link),), silent=True), PostKey("k"))
        await platform.edit(ref, Post("`done`"))
        person = {"id": 11, "is_bot": False, "first_name": "Ada"}
        message = {"message_id": int(ref.id), "date": 1, "chat": {"id": 11, "type": "private"}}
        await emulator.push({"callback_query": {"id": "q1", "from": person, "message": message, "data": "tok"}})
        await taken.until(2)
        pressed = platform.read(taken.deliveries[1].raw)
        assert isinstance(pressed, Pressed)
        await platform.answer_press(pressed.handle, "Stopping")

    assert (pressed.token, pressed.post) == ("tok", ref)


async def test_a_file_is_taken_with_what_stands_beside_it(emulator: Emulator) -> None:
    async with connected(polling(emulator)) as platform:
        thread = ThreadRef("telegram", platform.tenant, "11")
        whole = Post("*again* @durov", silent=True, file=File("DEMO-1.diff", "+ Grüße 😀\n" * 9000))
        first = await platform.post(thread, whole, PostKey("k#file"))
        second = await platform.post(thread, Post("", file=whole.file), PostKey("l#file"))

    assert first.id.isdecimal()
    assert first.id != second.id


async def test_the_webhook_is_called_with_its_secret_and_what_waited_comes_at_once(emulator: Emulator) -> None:
    secret, port, taken = uuid4().hex, _free_port(), Taken()
    config = TelegramConfig(
        token=SecretStr(emulator.token),
        api_base=emulator.base,
        mode="webhook",
        webhook_url=f"http://127.0.0.1:{port}",
        webhook_secret=SecretStr(secret),
    )
    platform = Telegram(config, COMMANDS)
    await emulator.say("while away", 1)
    async with serving(platform, port), connected(platform), listening(platform, taken):
        await taken.until(1)
        taken.failures = 1
        await emulator.say("not taken at first", 2)
        await emulator.deliver()
        await taken.until(2)
        forged = await forge(f"http://127.0.0.1:{port}{platform.webhook_path}")
    said = [platform.read(each.raw) for each in taken.deliveries]

    assert [each.text for each in said if isinstance(each, Said)] == ["while away", "not taken at first"]
    assert forged == 401


@asynccontextmanager
async def serving(platform: Telegram, port: int) -> AsyncIterator[None]:
    async def receive(request: web.Request) -> web.Response:
        answer = await platform.receive(request.headers, await request.read())
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    app = web.Application()
    app.router.add_post(platform.webhook_path, receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def forge(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, json={"update_id": 9, "message": {}}) as answer:
        return answer.status


async def _until_open(port: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
