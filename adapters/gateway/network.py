"""Connections to upstreams: only to addresses that were looked at, and exactly to those.

Names are resolved for each connection, every answer is judged, and the connection is made to what was answered: a name
that answers otherwise a moment later gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.gateway.addresses import AddressRefused, Verdict, judge
from adapters.gateway.upstreams import Upstream

CONNECT_SECONDS = 10.0
MOST_CONNECTIONS = 64
"""To one upstream."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a name and a port to addresses. OSError."""


async def system_resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def session_to(
    upstream: Upstream, resolve: Resolve, silence_seconds: float, judging: Callable[[str], Verdict] = judge
) -> aiohttp.ClientSession:
    def check(address: str) -> None:
        if judging(address) not in upstream.reach:
            raise AddressRefused(f"{upstream.name} may not be reached at {address}")

    def make_socket(info: tuple[Any, ...]) -> socket.socket:
        """The last door, and the only one for an address that is written as such."""
        family, kind, protocol, _, address = info
        check(str(address[0]))
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        limit=MOST_CONNECTIONS,
        use_dns_cache=False,
        resolver=_Checked(resolve, check),
        socket_factory=make_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds),
        read_bufsize=1 << 16,
    )


class _Checked(AbstractResolver):
    """One bad answer spoils them all."""

    def __init__(self, resolve: Resolve, check: Callable[[str], None]) -> None:
        self._resolve, self._check = resolve, check

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        addresses = await self._resolve(host, port)
        for address in addresses:
            self._check(address)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass
