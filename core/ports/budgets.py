"""What is asked before and after each call of a model, and what of it must outlive a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from core.model.spend import Account, Allowance, Budget, CallId, Hold, Spent, Standing


class Accounting(Protocol):
    """Stands before and behind every call of a model."""

    async def begin(self, account: Account, model: str, guess: Spent) -> Hold:
        """Once there is room for it in every budget. OverBudget; StoreError: nothing can be counted."""

    async def end(self, hold: Hold, spent: Spent) -> None:
        """What it took. Never raises: what cannot be counted now is counted at the next start, as it was guessed."""


class Spending(Protocol):
    """What calls took, in the database."""

    async def hold_call(self, hold: Hold, budgets: Sequence[Budget]) -> list[Standing]:
        """Held, unless one of the budgets is taken; check and hold are one act. How each stood before."""

    async def settle_call(self, call: CallId, spent: Spent) -> bool:
        """What it took, in the place of what was held for it. False: it was settled before."""

    async def settle_left_calls(self) -> int:
        """Calls that nobody will settle any more count as they were guessed; their number. Before the first call."""

    async def standings(self, budgets: Sequence[Budget]) -> list[Standing]:
        """Of each, in this order."""

    async def allow_spend(self, allowance: Allowance) -> bool:
        """False: that question was answered before."""

    async def spenders(self, column: str, first: date, last: date, limit: int) -> list[tuple[str, int, int]]:
        """Who spent most: `project`, `person` or `room`, each with micros and tokens; the greatest first."""
