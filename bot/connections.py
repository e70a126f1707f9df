"""One connection to the HTTP door, with the limits that aiohttp does not set: how many, and how long each may dawdle.

A connection has `head_seconds`, from its start or from its last answer, to bring the next whole head. Whoever comes
beyond the limits may only ask whether the bot lives, at once, and is answered by hand: a crowd must not make it look
dead to who watches over it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import cast

import structlog
from aiohttp import web

LINGER_SECONDS = 2.0
"""To read on after an answer that did not wait for the whole body, so that the answer is read."""

EXTRA = 32
"""Connections beyond the limits that may say whether they ask for health; the oldest gives way."""
EXTRA_SECONDS = 2.0
EXTRA_BYTES = 4_096

MOST_LINES, LINE_BYTES = 400, 64
"""Of what comes at once: no more lines than that, unless they are longer on average. A head has at most 128, and what
platforms send has none in its body. Chunks of a byte, heads without end and piles of requests cost far more than they
weigh."""

SECURITY: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer: nothing of it is a page, and nobody keeps it."""

HEALTH = b"GET /healthz HTTP/1."
_HEADERS = "".join(f"{name}: {value}\r\n" for name, value in SECURITY.items())
_ALIVE = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\nConnection: close\r\n"
    f"{_HEADERS}\r\nok\n"
).encode()

log = structlog.get_logger()


@dataclass
class Crowd:
    """Who is connected now, by address."""

    most: int
    most_per_peer: int
    head_seconds: float
    _peers: Counter[str] = field(default_factory=Counter)
    _count: int = 0
    _extras: deque[Connection] = field(default_factory=deque)
    _is_told: bool = False

    def enter(self, peer: str) -> bool:
        """False: there is no room. Each that entered leaves once."""
        if self._count >= self.most or self._peers[peer] >= self.most_per_peer:
            if not self._is_told:
                self._is_told = True
                log.warning("http.crowded", connections=self._count, of_this_peer=self._peers[peer], peer=peer)
            return False
        self._count += 1
        self._peers[peer] += 1
        return True

    def leave(self, peer: str) -> None:
        self._count -= 1
        self._peers[peer] -= 1
        if not self._peers[peer]:
            del self._peers[peer]
        if self._count <= self.most // 2:
            self._is_told = False

    def enter_beside(self, extra: Connection) -> None:
        if len(self._extras) >= EXTRA:
            self._extras.popleft().cut()
        self._extras.append(extra)

    def leave_beside(self, extra: Connection) -> None:
        if extra in self._extras:
            self._extras.remove(extra)


class Connection(web.RequestHandler):
    """aiohttp's own, with a clock. `crowd` decides whether there is room for it."""

    __slots__ = ("_clock", "_crowd", "_extra", "_peer", "_wire")

    def __init__(self, server: web.Server, crowd: Crowd) -> None:
        # Access logs would show what an address holds.
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # its own default where it is made by a runner
            auto_decompress=False,
            lingering_time=LINGER_SECONDS,
        )
        self._crowd = crowd
        self._wire: asyncio.Transport | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._peer = ""
        self._extra: bytes | None = None
        """What one beyond the limits has said until now; None: it is within."""

    def start_clock(self) -> None:
        self._start_clock(self._crowd.head_seconds)

    def stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def cut(self) -> None:
        if self._wire is not None:
            self._wire.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = cast("asyncio.Transport", transport)  # uvloop's is one, but does not say so
        self._wire, self._peer = wire, peer_of(wire)
        if self._crowd.enter(self._peer):
            super().connection_made(transport)
            self.start_clock()
        else:
            self._extra = b""
            self._crowd.enter_beside(self)
            self._start_clock(EXTRA_SECONDS)

    def connection_lost(self, error: BaseException | None) -> None:
        self.stop_clock()
        if self._wire is None:
            return
        self._wire = None
        if self._extra is None:
            self._crowd.leave(self._peer)
            super().connection_lost(error)
        else:
            self._crowd.leave_beside(self)

    def data_received(self, data: bytes) -> None:
        lines = data.count(b"\r\n")
        if lines > MOST_LINES and lines * LINE_BYTES > len(data):
            self.cut()
            return
        if self._extra is None:
            super().data_received(data)
            return
        self._extra += data
        asked = self._extra[: len(HEALTH)]
        if not HEALTH.startswith(asked) or len(self._extra) > EXTRA_BYTES:
            self.cut()
        elif b"\r\n\r\n" in self._extra and self._wire is not None:
            self._wire.write(_ALIVE)
            self._wire.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP: not logged as our fault, and told nothing of."""
        del message
        if status < 500:
            log.debug("http.malformed", peer=request.remote)
        else:
            log.error("http.failed", exc_info=exc)
        answer = Bare(status=status, text="this is not HTTP as we know it\n" if status < 500 else "our fault\n")
        answer.force_close()
        return answer

    def _start_clock(self, seconds: float) -> None:
        self.stop_clock()
        if self._wire is not None:
            self._clock = asyncio.get_running_loop().call_later(seconds, self.cut)


class Bare(web.Response):
    """An answer to what was never a request, so that no application has a hand in it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        secure(self)


def secure(answer: web.StreamResponse) -> None:
    answer.headers.update(SECURITY)
    answer.headers.pop("Server", None)


def peer_of(transport: asyncio.BaseTransport) -> str:
    """The address, of IPv6 the network: whoever has one address there has all 2^64."""
    name = transport.get_extra_info("peername")
    try:
        address = ip_address(str(name[0]).partition("%")[0])
    except (TypeError, IndexError, ValueError):
        return "?"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(IPv6Address(int(address) >> 64 << 64))
        address = address.ipv4_mapped
    return str(address)


def is_here(peer: str) -> bool:
    """On this machine."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
