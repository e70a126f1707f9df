"""How a run that waits says why: it was cut, cut again and again, or the provider's usage cap is reached."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

from core.budgets.words import over_post
from core.model.chat import Button, Post, PostKey, Style
from core.model.spend import Offer
from core.model.work import Run, RunId
from core.runs.outcome import Outcome, OutcomeKind, question_post
from core.runs.progress import elapsed, stop_button
from core.zones import local_time

COMING_SECONDS = 20.0
"""The most that a press waits for its run: the engine takes up at a start what was cut."""

SAFE = "What was changed is safe in the bot's workspace."


class CutCards:
    """Cards that speak for several runs that a restart cut; such a run needs none of its own. For one life.

    A card is there before its runs have come so far as to wait for what it asks: `waits` bridges that.
    """

    def __init__(self) -> None:
        self._cards: dict[RunId, PostKey] = {}
        self._coming: dict[RunId, asyncio.Event] = {}

    def put(self, run: RunId, card: PostKey) -> None:
        self._cards[run], self._coming[run] = card, asyncio.Event()

    def take(self, run: RunId) -> PostKey | None:
        """Once: whatever cuts it later is news."""
        return self._cards.pop(run, None)

    def parked(self, run: RunId) -> None:
        """It waits, or never will for what the card asks."""
        if coming := self._coming.pop(run, None):
            coming.set()

    async def waits(self, run: RunId) -> None:
        """Returns when the run waits, at once if no card speaks for it; after COMING_SECONDS in any case."""
        if coming := self._coming.get(run):
            with suppress(TimeoutError):
                async with asyncio.timeout(COMING_SECONDS):
                    await coming.wait()


def asking(run: Run, outcome: Outcome, now: datetime, zone: str) -> tuple[Post, str]:
    """What a run that waits says in its thread, and in its anchor."""
    match outcome.kind:
        case OutcomeKind.CAPPED:
            until = local_time(outcome.resets_at or now, now, zone)
            return capped_post(run, outcome, now, zone), f"⏸ Usage cap reached: goes on by itself at {until}"
        case OutcomeKind.QUARANTINED:
            return quarantined_post(run, outcome.cuts), f"🚧 Cut by {outcome.cuts} restarts: waits for your decision"
        case OutcomeKind.OVER_BUDGET:
            return budget_post(run, outcome), "💰 Budget used up: waits for an admin"
        case OutcomeKind.CUT:
            return cut_post(run), "I restarted in the middle of this run"
    return question_post(run, outcome), "Waiting for your answer"


def cut_post(run: Run) -> Post:
    text = (
        f"♻️ **I restarted, and `{run.title}` was cut.** {run.agent} cannot simply go on where it was; what it had "
        "done to the files is still there. Shall it start this turn again on top of that?"
    )
    return Post(text, (decision_buttons(run),))


def quarantined_post(run: Run, cuts: int) -> Post:
    text = (
        f"🚧 **`{run.title}` was cut by {cuts} restarts, so I don't take it up again by myself.** It may be what took "
        f"me down; the owner is told. {SAFE} Resume tries once more."
    )
    return Post(text, (decision_buttons(run),))


def quarantined_words(run: Run, cuts: int) -> str:
    """For the owner."""
    return (
        f"“{run.title}” (run `{run.id[:8]}`, agent {run.agent}) was cut by {cuts} restarts at the same step and is not "
        "taken up again by itself: it may be what takes the bot down. What it did is safe; the log says what it was at."
    )


def capped_post(run: Run, outcome: Outcome, now: datetime, zone: str) -> Post:
    """`outcome.resets_at` is set."""
    reset = outcome.resets_at or now
    wait = elapsed((reset - now).total_seconds())
    text = (
        f"⏸ **{run.title}** · {run.agent}\n\n{outcome.answer}\n\n"
        f"The cap resets at **{local_time(reset, now, zone)}**, in {wait}; then I go on by myself where it stopped. "
        f"{SAFE} What you say meanwhile comes after that."
    )
    resume = Button("Resume now", f"/resume {run.id}", Style.PRIMARY)
    return Post(text, ((resume, stop_button(run)),))


def budget_post(run: Run, outcome: Outcome) -> Post:
    """`run.asks` names the question."""
    offer = outcome.offer or Offer("", 0, 0)
    number = run.asks.rpartition(":")[2]
    allow = f"/allow_more {run.id} {number} {offer.micros} {offer.tokens} {offer.budget}"
    return over_post(run.title, run.agent, outcome.answer, offer, allow, stop_button(run))


def decision_buttons(run: Run) -> tuple[Button, ...]:
    """For a turn that was cut."""
    return (
        Button("Resume", f"/resume {run.id}", Style.PRIMARY),
        Button("Discard", f"/discard {run.id}", Style.DANGER),
        Button("Show diff", f"/diff {run.id}"),
    )
