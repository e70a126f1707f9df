"""Connections that are slow on purpose, and when the other side has enough of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

HOST = "127.0.0.1"
DRIP_SECONDS = 1.0
LONGEST_SECONDS = 90.0

HEAD = b"POST /github/webhook HTTP/1.1\r\nHost: x\r\n"
KINDS: Sequence[tuple[str, bytes, bytes]] = (
    ("silent", b"", b""),
    ("half a head", HEAD, b""),
    ("a head that drips", HEAD, b"X-A: 1\r\n"),
    ("half a body", HEAD + b"Content-Length: 1000\r\n\r\nabc", b""),
    ("a body that drips", HEAD + b"Content-Length: 1000\r\n\r\n", b"x"),
    ("chunks that drip", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ("idle after an answer", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    ("a head late, then a body that drips", b"", b"late"),
)
"""Name, what is said at once, and what each second."""

LATE_SECONDS = 12.0


async def hold(port: int, count: int) -> dict[str, list[float]]:
    """Opens that many, evenly of each kind; how many seconds each was let be. Infinite: it still is."""
    found: dict[str, list[float]] = {name: [] for name, _, _ in KINDS}

    async def one(number: int) -> None:
        name, start, drip = KINDS[number % len(KINDS)]
        reader, writer = await asyncio.open_connection(HOST, port)
        began = time.monotonic()
        dripping = asyncio.create_task(_drip(writer, start, drip))
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                with suppress(OSError):
                    while await reader.read(1_000):
                        pass
            found[name].append(time.monotonic() - began)
        except TimeoutError:
            found[name].append(float("inf"))
        finally:
            dripping.cancel()
            writer.close()

    await asyncio.gather(*map(one, range(count)))
    return found


async def _drip(writer: asyncio.StreamWriter, start: bytes, drip: bytes) -> None:
    with suppress(OSError):
        if drip == b"late":
            await asyncio.sleep(LATE_SECONDS)
            start, drip = HEAD + b"Content-Length: 1000\r\n\r\n", b"x"
        writer.write(start)
        while drip:
            await asyncio.sleep(DRIP_SECONDS)
            writer.write(drip)
            await writer.drain()
