"""One turn: what the agent is given beside its prompt, and what becomes of it when there is no result."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from core.model.approvals import Act, Verdict
from core.model.chat import PostKey
from core.model.errors import BotError
from core.model.work import Checkout, Run, Turn, TurnState, Work
from core.ports import Approve, Meter
from core.posts import Posts
from core.runs.answer import left_post
from core.runs.outcome import Outcome, OutcomeKind


async def nobody_there(act: Act) -> Verdict:  # noqa: ARG001 - the shape of Approve
    """Where nobody can be asked, nothing is allowed."""
    return Verdict(granted=False, reason="Nobody can be asked here, so it is not allowed.")


class Nobody:
    """In the place of the approval desk where there is none: agents may do nothing."""

    def approve_for(self, run: Run, turn: Turn, checkout: Checkout) -> Approve:  # noqa: ARG002 - the desk's words
        return nobody_there

    async def end(self, run: Run) -> None:
        """Nothing was asked."""


def is_asked_for(turn: Turn) -> bool:
    """What the run began with, or is at; what was said meanwhile is not taken up by a run that ends."""
    return turn.number == 1 or turn.state is TurnState.OPEN


def measure(meter: Meter, agent: str, outcome: Outcome, took: timedelta) -> None:
    meter.observe("turn_seconds", took.total_seconds(), agent=agent, outcome=outcome.kind.value)
    meter.count("tokens", outcome.usage.input_tokens, agent=agent, direction="in")
    meter.count("tokens", outcome.usage.output_tokens, agent=agent, direction="out")
    meter.count("cost_dollars", outcome.usage.cost or 0.0, agent=agent)


def failed(turn: Turn, error: BotError) -> Outcome:
    return Outcome(OutcomeKind.FAILED, turn.number, str(error))


def arguments(run: Run, turn: Turn, work: Work) -> tuple[str, ...]:
    """What was typed for a recipe: after the title of a task, or the whole of a plain message."""
    if turn.number > 1 or work.task is None or not run.title.startswith(f"{work.task} "):
        return tuple(turn.text.split())
    return tuple(turn.text.partition("\n\n")[2].split())


async def say_left(posts: Posts, run: Run, turns: Sequence[Turn]) -> None:
    """What was said to a run that ends now, and will not be taken up. The first turn is what the run was for."""
    left = [turn for turn in turns if turn.number > 1]
    if left:
        await posts.say(PostKey(f"left:{run.id}"), run.thread, left_post(left))
