"""HTTP/1.1 on loopback with next to nothing in it, so that what is measured is the other side."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import deque
from collections.abc import Callable
from typing import Any

HOST = "127.0.0.1"
CALL_SECONDS = 120.0

Answer = Callable[[bytes], None]
"""Takes the JSON to answer with; may be called later."""

Handle = Callable[[str, bytes, Answer], None]
"""Path with its query, body, answer."""


class Server(asyncio.Protocol):
    """One kept-alive connection; requests one after another, bodies with a length."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            length = _length(head)
            if not found or len(rest) < length:
                return
            self._buffer = rest[length:]
            self._handle(head.split(b" ", 2)[1].decode(), rest[:length], self._answer)

    def _answer(self, body: bytes) -> None:
        kind = b"text/event-stream" if body.startswith(b"data:") else b"application/json; charset=utf-8"
        if self._transport is not None:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
            self._transport.write(head + body)


class Client(asyncio.Protocol):
    """One kept-alive connection to a server; `on_answer` is called with each body, in order."""

    def __init__(self, on_answer: Callable[[Client, bytes], None]) -> None:
        self._on_answer = on_answer
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        while self._waiting:
            transport.write(self._waiting.popleft())

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self._transport = None

    def send(self, path: str, body: bytes, headers: str = "") -> None:
        head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n{headers}"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        if self._transport is None:
            self._waiting.append(request)
        else:
            self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            length = _length(head)
            if not found or len(rest) < length:
                return
            self._buffer = rest[length:]
            self._on_answer(self, rest[:length])


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def ask(address: str, path: str, **fields: Any) -> Any:
    """One blocking call to a server of ours."""
    request = urllib.request.Request(address + path, data=json.dumps(fields).encode())
    with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
        return json.loads(answer.read())
