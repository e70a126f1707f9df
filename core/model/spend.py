"""What models cost, whom it is charged to, what it is measured against, and the way by which a turn reaches them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NewType

from core.model.chat import Person, ThreadRef
from core.model.work import ProjectKey, RunId, Usage

CallId = NewType("CallId", str)
"""One request to a model."""

MICROS = 1_000_000
"""Money is counted in millionths of a US dollar, in whole numbers: sums are then exact."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a call is charged to: a run of a project, for who asked, in the chat of a thread."""

    run: RunId
    project: ProjectKey
    person: Person
    thread: ThreadRef


@dataclass(frozen=True, slots=True)
class Spent:
    """What one call took, or is expected to take. `micros` None: nobody knows the price of that model.

    `is_estimate`: its answer did not say, or was cut.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    micros: int | None = 0
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class Sums:
    """What calls took together. `estimated` and `unpriced`: how many of them are guessed, or of unknown price."""

    input_tokens: int = 0
    output_tokens: int = 0
    micros: int = 0
    calls: int = 0
    estimated: int = 0
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def usage(self) -> Usage:
        return Usage(
            self.input_tokens, self.output_tokens, self.micros / MICROS if self.calls > self.unpriced else None
        )


class BudgetKind(StrEnum):
    """Of what there is a budget, and for how long; also the keys of the section `budgets`."""

    RUN = "run"
    PERSON = "person_day"
    CHAT = "chat_day"
    PROJECT = "project_month"
    ALL = "month"


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent on `subject` from day to day, both included. None: as much as one likes.

    `subject`: a run's id, a person, a chat, a project's key; empty for all together.
    """

    kind: BudgetKind
    subject: str
    first: date
    last: date
    micros: int | None = None
    tokens: int | None = None

    @property
    def name(self) -> str:
        """Of this subject in this time."""
        return f"{self.kind}:{self.subject}:{self.first}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a budget stands. `held`: what calls that are under way may take. `more_…`: what was allowed beyond it."""

    budget: Budget
    spent: Sums = field(default_factory=Sums)
    held_micros: int = 0
    held_tokens: int = 0
    more_micros: int = 0
    more_tokens: int = 0

    @property
    def micros(self) -> int | None:
        """What may be spent in all."""
        return None if self.budget.micros is None else self.budget.micros + self.more_micros

    @property
    def tokens(self) -> int | None:
        return None if self.budget.tokens is None else self.budget.tokens + self.more_tokens

    @property
    def is_used_up(self) -> bool:
        return self._reaches(self.spent.micros, self.spent.tokens)

    @property
    def is_taken(self) -> bool:
        """Used up, if the calls that are under way take what they may."""
        return self._reaches(self.spent.micros + self.held_micros, self.spent.tokens + self.held_tokens)

    @property
    def share(self) -> float:
        """How much of it is spent, the greater of money and tokens; 1.0 is all."""
        of_money = self.spent.micros / self.micros if self.micros else 0.0
        of_tokens = self.spent.tokens / self.tokens if self.tokens else 0.0
        return max(of_money, of_tokens)

    def _reaches(self, micros: int, tokens: int) -> bool:
        return (self.micros is not None and micros >= self.micros) or (
            self.tokens is not None and tokens >= self.tokens
        )


@dataclass(frozen=True, slots=True)
class Hold:
    """A call that is under way: `guess` counts as spent until it is settled, and for good if it never is."""

    call: CallId
    account: Account
    day: date
    model: str
    guess: Spent


@dataclass(frozen=True, slots=True)
class Allowance:
    """What somebody allowed beyond a budget. `key`: the question that it answers, so that it counts once."""

    key: str
    budget: str
    micros: int
    tokens: int
    by: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What an admin may allow beyond a budget that is used up."""

    budget: str
    micros: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Door:
    """How one turn reaches its models: HTTP on a unix socket of its own, with a token that dies with it.

    `upstreams`: what can be reached through it; a path may begin with one's name, and goes to the first else.
    `variables`: what a program reads that knows only addresses, for where the socket is forwarded to it.
    """

    socket: str
    token: str = field(repr=False)
    upstreams: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
