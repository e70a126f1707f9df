"""The one way to language models: it alone has their keys."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from core.model.spend import Account, Door


class Gateway(Protocol):
    """Where models are reached."""

    def admit(self, account: Account, agent: str) -> AbstractAsyncContextManager[Door | None]:
        """For one turn; on leaving, its token is dead and its connections are cut. None: that agent has no models."""

    async def open(self) -> None:
        """Before the first turn: take away what an earlier life left."""

    async def close(self) -> None: ...
