"""The section `budgets`: what models may cost, in dollars, in tokens, or both."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from core.budgets.rules import Amount, Rules
from core.model.spend import MICROS, BudgetKind


class AmountSection(BaseModel):
    """0: as much as one likes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dollars: float = Field(default=0, ge=0)
    tokens: int = Field(default=0, ge=0)


class BudgetsSection(BaseModel):
    """Days and months are those of `time_zone`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: AmountSection = AmountSection()
    person_day: AmountSection = AmountSection()
    chat_day: AmountSection = AmountSection()
    project_month: AmountSection = AmountSection()
    month: AmountSection = AmountSection()
    warn_at: float = Field(default=0.8, gt=0, le=1)
    """The share of a budget at which it is said, once, that it runs out."""
    more: float = Field(default=0.5, gt=0)
    """The share of a budget that is offered beyond it when it is used up."""

    def rules(self) -> Rules:
        given: dict[BudgetKind, AmountSection] = {kind: getattr(self, kind.value) for kind in BudgetKind}
        amounts = {
            kind: Amount(round(each.dollars * MICROS) or None, each.tokens or None)
            for kind, each in given.items()
            if each.dollars or each.tokens
        }
        return Rules(amounts, self.warn_at, self.more)
