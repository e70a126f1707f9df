"""Which budgets there are, and which of them a call is measured against."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from core.model.spend import Account, Budget, BudgetKind, Offer, Standing


@dataclass(frozen=True, slots=True)
class Amount:
    """Of money in millionths of a dollar, and of tokens in and out. None: as much as one likes."""

    micros: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """`warn_at`: the share of a budget at which it is said that it runs out. `more`: the share offered beyond it."""

    amounts: Mapping[BudgetKind, Amount] = field(default_factory=dict)
    warn_at: float = 0.8
    more: float = 0.5

    def budgets(self, account: Account, today: date) -> list[Budget]:
        """Those that a call of this account is measured against, the narrowest first."""
        return [self.budget(kind, subject, today) for kind, subject in subjects(account) if kind in self.amounts]

    def budget(self, kind: BudgetKind, subject: str, today: date) -> Budget:
        amount = self.amounts.get(kind, Amount())
        return Budget(kind, subject, *period(kind, today), amount.micros, amount.tokens)

    def offer(self, standing: Standing) -> Offer:
        """Enough that the standing is used up no more, and then `more`."""
        budget = standing.budget
        return Offer(
            budget.name,
            _step(budget.micros, self.more, standing.spent.micros, standing.micros),
            _step(budget.tokens, self.more, standing.spent.tokens, standing.tokens),
        )


def subjects(account: Account) -> list[tuple[BudgetKind, str]]:
    return [
        (BudgetKind.RUN, account.run),
        (BudgetKind.PERSON, str(account.person)),
        (BudgetKind.CHAT, str(account.thread.room)),
        (BudgetKind.PROJECT, account.project),
        (BudgetKind.ALL, ""),
    ]


def period(kind: BudgetKind, today: date) -> tuple[date, date]:
    """From day to day, both included: of a run all there are, else the day or the month."""
    match kind:
        case BudgetKind.RUN:
            return date.min, date.max
        case BudgetKind.PERSON | BudgetKind.CHAT:
            return today, today
    return today.replace(day=1), today.replace(day=monthrange(today.year, today.month)[1])


def _step(budget: int | None, share: float, spent: int, allowed: int | None) -> int:
    """0 where there is no limit, or where it is not that which is used up."""
    if budget is None or allowed is None or spent < allowed:
        return 0
    return max(1, round(budget * share)) + spent - allowed
