"""Books in memory: every call is let through, and what it took is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date
from uuid import uuid4

from core.model.errors import OverBudget
from core.model.spend import Account, CallId, Hold, Spent


@dataclass
class Books:
    """Fulfils core.ports.Accounting. `is_empty`: there is no money."""

    is_empty: bool = False
    holds: list[Hold] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self, account: Account, model: str, guess: Spent) -> Hold:
        if self.is_empty:
            raise OverBudget("The budget of this run is used up: $1.00 of $1.00.")
        hold = Hold(CallId(uuid4().hex), account, date(2026, 1, 1), model, guess)
        self.holds.append(hold)
        return hold

    async def end(self, hold: Hold, spent: Spent) -> None:
        self.spent.append(spent)
        self.settled.set()
