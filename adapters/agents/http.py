"""What the clients of the providers have in common: cold imports off the loop, no certificates where none are asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from core.model.spend import Door


class _Closing(Protocol):
    async def close(self) -> None: ...


C = TypeVar("C", bound=_Closing)


@asynccontextmanager
async def client(make: Callable[[], C]) -> AsyncIterator[C]:
    """`make` imports the provider's package (up to 1.5 s the first time), so it is called in a thread."""
    made = await asyncio.to_thread(make)
    try:
        yield made
    finally:
        await made.close()


def verify(url: str) -> ssl.SSLContext | bool:
    """For httpx. Reading the certificates takes 20 ms, so a plain address gets a context that trusts nobody."""
    if urlsplit(url).scheme == "https":
        return True
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


GATEWAY = "http://gateway"
"""The address of what is behind a door: its socket leads there, whatever the name."""


def base_url(door: Door | None, configured: str, version: str = "") -> str:
    """`version`: the part of the path that the package does not add by itself."""
    return configured if door is None else f"{GATEWAY}{version}"


BREATH_SECONDS = 0.002


class Breath:
    """For a stream whose pieces may all be there already: reading them one by one would never let the loop go on."""

    def __init__(self) -> None:
        self._until = perf_counter() + BREATH_SECONDS

    async def take(self) -> None:
        """After each piece; every few milliseconds others get their turn."""
        if perf_counter() > self._until:
            await asyncio.sleep(0)
            self._until = perf_counter() + BREATH_SECONDS
