"""A turn that is charged: it is let to its models for as long as it lasts, and parks when a budget is used up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from core.budgets.budgets import Budgets
from core.budgets.words import used_up
from core.model.spend import Account, Door
from core.ports import Gateway
from core.runs.outcome import Outcome, OutcomeKind

Turn = Callable[[Door | None], Awaitable[Outcome]]


class Charging(Protocol):
    async def take(self, account: Account, agent: str, turn: Turn) -> Outcome:
        """The turn's own outcome, or that a budget is used up."""


class Free:
    """For who is built alone: nothing is counted, and agents find their own way to their models."""

    async def take(self, account: Account, agent: str, turn: Turn) -> Outcome:
        del account, agent
        return await turn(None)


@dataclass(frozen=True, slots=True)
class Charged:
    gateway: Gateway
    budgets: Budgets

    async def take(self, account: Account, agent: str, turn: Turn) -> Outcome:
        self.budgets.forget(account.run)
        async with self.gateway.admit(account, agent) as door:
            outcome = await turn(door)
        return self._parked(account, outcome)

    def _parked(self, account: Account, outcome: Outcome) -> Outcome:
        """Where the last call of the turn was refused, whatever its agent made of that."""
        over = self.budgets.is_used_up(account.run)
        self.budgets.forget(account.run)
        if over is None or outcome.kind is OutcomeKind.STOPPED:
            return outcome
        offer = self.budgets.rules.offer(over)
        return replace(outcome, kind=OutcomeKind.OVER_BUDGET, answer=used_up(over), offer=offer)
