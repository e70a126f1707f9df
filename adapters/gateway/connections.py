"""The connections of one turn: so many at a time, each with a limit on silence, and all of them cut at its end."""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import web

MOST_CONNECTIONS = 32
HEAD_SECONDS = 30.0
"""From its start, or from its last answer, in which a connection must bring the next whole request head."""


class Connections:
    """Makes the protocol of each new connection. `web.RequestHandler` is aiohttp's own, behind it."""

    def __init__(self, server: web.Server, *, most: int, head_seconds: float) -> None:
        self._server, self._most, self._head_seconds = server, most, head_seconds
        self._open: dict[object, Guard] = {}
        self._is_over = False

    def __call__(self) -> Guard:
        return Guard(self._server(), self, self._head_seconds)

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, guard: Guard) -> bool:
        """False: there are too many, or it was just being taken when all were cut."""
        if self._is_over or len(self._open) >= self._most:
            return False
        self._open[guard.handler] = guard
        return True

    def end(self, guard: Guard) -> None:
        self._open.pop(guard.handler, None)

    def of(self, handler: object) -> Guard | None:
        return self._open.get(handler)

    def cut(self) -> None:
        """All there are, and whoever comes after."""
        self._is_over = True
        for guard in list(self._open.values()):
            guard.cut()


class Guard(asyncio.Protocol):
    """Stands before aiohttp's own protocol, which has no deadline for heads."""

    def __init__(self, handler: web.RequestHandler, owner: Connections, head_seconds: float) -> None:
        self.handler = handler
        self._owner, self._head_seconds = owner, head_seconds
        self._transport: asyncio.Transport | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._is_let_in = False

    def start_clock(self) -> None:
        self.stop_clock()
        self._clock = asyncio.get_running_loop().call_later(self._head_seconds, self.cut)

    def stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._owner.begin(self):
            self._transport.abort()
            return
        self._is_let_in = True
        self.handler.connection_made(transport)
        self.start_clock()

    def connection_lost(self, error: Exception | None) -> None:
        self.stop_clock()
        if self._is_let_in:
            self._owner.end(self)
            self.handler.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self._is_let_in:
            self.handler.data_received(data)

    def eof_received(self) -> bool | None:
        if self._is_let_in:
            self.handler.eof_received()
        return None

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()
