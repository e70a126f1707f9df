"""How a turn ended, what was published of it, what wakes a run that waits, and how it asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.files import answer
from core.model.chat import Button, Post, PostKey, Style
from core.model.spend import Offer
from core.model.work import Change, PullRequest, Run, RunId, RunState, Usage
from core.runs.held import Held


class OutcomeKind(StrEnum):
    DONE = "done"
    ASKED = "asked"
    STOPPED = "stopped"
    CUT = "cut"
    """An attempt of this turn was cut, and the agent cannot simply take it again."""
    QUARANTINED = "quarantined"
    """So many attempts of this turn were cut that it is not taken again without being asked for."""
    CAPPED = "capped"
    """The provider's usage cap is reached: the turn is taken again when it resets."""
    OVER_BUDGET = "over budget"
    """A budget is used up: the turn is taken again if an admin allows more."""
    FAILED = "failed"
    IDLE = "idle"
    """There was nothing to do: what woke the run had been taken up already."""


CUT_KINDS = frozenset({OutcomeKind.CUT, OutcomeKind.QUARANTINED})
AGAIN_KINDS = CUT_KINDS | {OutcomeKind.CAPPED, OutcomeKind.OVER_BUDGET}
"""What is waited for decides whether the same turn is taken again."""
WAITING_KINDS = AGAIN_KINDS | {OutcomeKind.ASKED, OutcomeKind.IDLE}
"""After these the run waits."""


class WordKind(StrEnum):
    """What wakes a waiting run."""

    TURN = "turn"
    RESUME = "resume"
    DISCARD = "discard"
    STOP = "stop"
    VERDICT = "verdict"
    """About what the guard holds back."""
    NONE = "none"
    """Nobody said anything for as long as a person may take."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended. `answer` is the agent's, or what went wrong. `resets_at`: when CAPPED, the end of that.

    `cuts`: how many attempts of the turn were cut, where it was.
    """

    kind: OutcomeKind
    number: int = 0
    answer: str = ""
    question: str = ""
    options: tuple[str, ...] = ()
    subject: str = ""
    usage: Usage = field(default_factory=Usage)
    resets_at: datetime | None = None
    cuts: int = 0
    offer: Offer | None = None
    """When OVER_BUDGET, what may be allowed."""


@dataclass(frozen=True, slots=True)
class Published:
    """`problem`: what the repository or the forge refused, in words for the person; empty when it went well.

    `held`: the guard holds it back, and nothing was done. `left_out`: what stayed out of it, fit to be shown.
    """

    change: Change | None = None
    pull: PullRequest | None = None
    problem: str = ""
    held: Held | None = None
    left_out: tuple[str, ...] = ()

    @property
    def is_kept_back(self) -> bool:
        """Nothing could be published: what was done is in the checkout alone."""
        return bool(self.problem) and self.change is None

    @property
    def keeps(self) -> bool:
        """The checkout holds what is nowhere else."""
        return self.is_kept_back or bool(self.left_out)


BUDGET_ASK = "budget"
"""Begins the key of a post that asks whether more may be spent."""


def ask_key(run: RunId, kind: OutcomeKind, attempt: int) -> PostKey:
    """Of the post that asks what a run waits for."""
    word = "cut" if kind in CUT_KINDS else BUDGET_ASK if kind is OutcomeKind.OVER_BUDGET else "ask"
    return PostKey(f"{word}:{run}:{attempt}")


def end_state(outcome: Outcome, published: Published) -> RunState:
    if outcome.kind is OutcomeKind.STOPPED:
        return RunState.CANCELLED
    return RunState.FAILED if outcome.kind is OutcomeKind.FAILED or published.problem else RunState.COMPLETED


def words(outcome: Outcome, published: Published) -> str:
    return "\n\n".join(part for part in (outcome.answer, published.problem) if part)


def question_post(run: Run, outcome: Outcome) -> Post:
    question = f"❓ **{outcome.question}**"
    below = question if outcome.options else f"{question}\n\n*Answer here, and I go on.*"
    rows = tuple((Button(option[:40], f"/answer {run.id} {option}", Style.PRIMARY),) for option in outcome.options)
    return Post("", rows, file=answer(outcome.answer), below=below)
