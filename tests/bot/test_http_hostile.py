"""A crowd of slow connections is shown out while the bot's health is told; a plain server keeps them all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from aiohttp import web

from bot.config import HttpConfig
from bot.http import serve
from core.ports import HttpAnswer

CROWD = int(os.environ.get("SLOW_CONNECTIONS", "120"))
"""500 are the figure; `python -m benchmarks.hostile` has them against the program, with its own deadlines."""

SECONDS = 60.0
DRIP_SECONDS = 0.05
HEAD = b"POST /hooks/test HTTP/1.1\r\nHost: x\r\n"
LENGTH, CHUNKED = b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"

KINDS = {
    "silent": (b"", b""),
    "half a head": (HEAD, b""),
    "a head that drips": (HEAD, b"X-A: 1\r\n"),
    "half a body": (HEAD + LENGTH + b"abc", b""),
    "a body that drips": (HEAD + LENGTH, b"x"),
    "chunks that drip": (HEAD + CHUNKED, b"1\r\nx\r\n"),
    "idle after an answer": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    "a second head that drips": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD, b"X-A: 1\r\n"),
}
"""What is said at once, and what again and again."""

MOST_DRIPS = 100
"""A head may have 128 lines, a body here 1,000 bytes: then it would be whole."""


class Hook:
    webhook_path = "/hooks/test"

    async def receive(self, _headers: object, _body: bytes) -> HttpAnswer:
        return HttpAnswer(200)


@asynccontextmanager
async def plain_server() -> AsyncIterator[int]:
    """aiohttp as it comes; its port."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    async def health(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_post(Hook.webhook_path, take)
    app.router.add_get("/healthz", health)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def crowd(stack: AsyncExitStack, port: int) -> list[asyncio.Task[None]]:
    """Evenly of each kind; a task ends when the other side closes its connection."""
    tasks = []
    for number in range(CROWD):
        start, drip = list(KINDS.values())[number % len(KINDS)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(writer.close)
        dripping = asyncio.create_task(_drip(writer, start, drip))
        closed = asyncio.create_task(_until_closed(reader))
        stack.push_async_callback(_end, dripping, closed)
        tasks.append(closed)
    return tasks


async def _drip(writer: asyncio.StreamWriter, start: bytes, drip: bytes) -> None:
    with suppress(OSError):
        writer.write(start)
        for _ in range(MOST_DRIPS if drip else 0):
            await asyncio.sleep(DRIP_SECONDS)
            writer.write(drip)


async def _until_closed(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(1_000):
            pass


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def health(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return await reader.read()
    finally:
        writer.close()


async def test_a_slow_crowd_is_shown_out_and_a_plain_server_keeps_it() -> None:
    async with (
        plain_server() as plain,
        serve(HttpConfig(port=0), [Hook()], head_seconds=1.0, body_seconds=1.0) as door,
        AsyncExitStack() as stack,
    ):
        kept = await crowd(stack, plain)
        slow = await crowd(stack, door.port)

        told = await health(door.port)
        closed, _ = await asyncio.wait(slow, timeout=SECONDS)
        still = [each for each in kept if not each.done()]

    print(f"{len(closed)} of {len(slow)} slow connections closed, by a plain server {len(kept) - len(still)}")  # noqa: T201
    assert told.endswith(b"ok\n")
    assert len(closed) == CROWD
    assert len(still) == CROWD


async def test_a_crowd_beyond_the_limit_is_shown_out_too() -> None:
    config = HttpConfig(port=0, connections=CROWD // 2)
    async with serve(config, [Hook()], head_seconds=1.0, body_seconds=1.0) as door, AsyncExitStack() as stack:
        slow = await crowd(stack, door.port)

        told = await health(door.port)
        closed, _ = await asyncio.wait(slow, timeout=SECONDS)

    assert told.endswith(b"ok\n")
    assert len(closed) == CROWD
