"""A gateway without models: every turn is let in, and it is known whom it is charged to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.model.spend import Account, Door


class FakeGateway:
    """Fulfils core.ports.Gateway. `accounts`: of each turn, in order."""

    def __init__(self) -> None:
        self.accounts: list[Account] = []

    @property
    def account(self) -> Account:
        return self.accounts[-1]

    @asynccontextmanager
    async def admit(self, account: Account, agent: str) -> AsyncIterator[Door | None]:
        self.accounts.append(account)
        yield Door("/nowhere", "token", (agent,))

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass
