"""What rude clients do to the door, each until it is told to stop: `python -m benchmarks.hostile.attacks NAME PORT`.

In a process of its own, so that only the bot's loop is busy with it. Bodies that must be read bear a right signature
of GitHub, whose secret comes in WEBHOOK_SECRET: a repository's people decide what stands in them.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

HOST = "127.0.0.1"
TOGETHER = 20
MIB = 1 << 20

LONGER_CHUNKS = (b"7b\r\n" + b"x" * 0x7B + b"\r\n") * 2_000 + b"0\r\n\r\n"
"""Just long enough to be let in."""

Attack = Callable[[int], Awaitable[None]]


def post(body: bytes, *headers: str, path: str = "/github/webhook", is_signed: bool = False) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    if is_signed:
        digest = hmac.new(os.environ["WEBHOOK_SECRET"].encode(), body, hashlib.sha256).hexdigest()
        lines += [f"X-Hub-Signature-256: sha256={digest}", "X-GitHub-Event: push"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _again_and_again(port: int, *sent: bytes, together: int = TOGETHER) -> None:
    """Each on a new connection, read to its end, until cancelled."""

    async def one(number: int) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(HOST, port)
                try:
                    writer.write(sent[number % len(sent)])
                    await writer.drain()
                    await reader.read(10_000)
                finally:
                    writer.close()
            number += 1

    await asyncio.gather(*map(one, range(together)))


async def gzip_bombs(port: int) -> None:
    bomb = gzip.compress(bytes(1_000 * MIB // 8))[: MIB - 1]
    await _again_and_again(port, post(bomb, "Content-Encoding: gzip"), together=10)


async def gzip_members(port: int) -> None:
    await _again_and_again(port, post(gzip.compress(b"") * 1_000, "Content-Encoding: gzip"))


async def huge_json(port: int) -> None:
    """One mebibyte each, of two shapes."""
    words = json.dumps({"action": "x", "list": [{"k": number, "v": "é"} for number in range(27_000)]}).encode()
    text = json.dumps({"action": "x", "text": "a" * (MIB - 100)}).encode()
    bodies = [post(each, is_signed=True) for each in (words, text)]
    await _again_and_again(port, *bodies, together=8)


async def deep_json(port: int) -> None:
    bodies = [b"[" * (MIB - 1), b'{"a":' * 200_000, b"[" * 900 + b"]" * 900]
    await _again_and_again(port, *(post(each, is_signed=True) for each in bodies), together=8)


async def forged(port: int) -> None:
    """A mebibyte under a wrong signature, on every webhook."""
    wrong = "X-Hub-Signature-256: sha256=" + "0" * 64
    paths = ("/github/webhook", "/slack/events", "/nowhere")
    await _again_and_again(port, *(post(b"x" * MIB, wrong, path=path) for path in paths))


async def pipelining(port: int) -> None:
    """Requests without end on one connection, and nobody reads the answers."""
    request = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000

    async def one(_number: int) -> None:
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port, limit=1)
                try:
                    while True:
                        writer.write(request)
                        await writer.drain()
                finally:
                    writer.close()

    await asyncio.gather(*map(one, range(TOGETHER)))


async def chunks(port: int) -> None:
    """Bodies of one byte a chunk, of chunks that are just long enough, and with a long extension."""
    head = b"POST /github/webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    await _again_and_again(
        port,
        head + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n",
        head + LONGER_CHUNKS,
        head + b"1;" + b"e" * 4_000 + b"\r\nx\r\n",
        together=8,
    )


async def headers(port: int) -> None:
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(10_000))
    long = b"X-A: " + b"a" * 200_000 + b"\r\n"
    start = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    await _again_and_again(port, start + many + b"\r\n", start + long + b"\r\n", b"\x16\x03\x01" * 3_000)


async def many_requests(port: int) -> None:
    await _again_and_again(port, b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


async def many_connections(port: int) -> None:
    """Opened and dropped."""

    async def one(_number: int) -> None:
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.transport.abort()
            await asyncio.sleep(0)

    await asyncio.gather(*map(one, range(TOGETHER)))


ATTACKS: Mapping[str, Attack] = {
    "gzip bombs": gzip_bombs,
    "1,000 empty gzip members": gzip_members,
    "huge JSON, signed": huge_json,
    "deep JSON, signed": deep_json,
    "1 MiB under a wrong signature": forged,
    "pipelining, answers unread": pipelining,
    "a byte a chunk": chunks,
    "10,000 headers": headers,
    "requests for nothing": many_requests,
    "connections opened and dropped": many_connections,
}


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(ATTACKS[sys.argv[1]](int(sys.argv[2])))  # type: ignore[arg-type]
