"""Who does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from core.model.approvals import Act, Verdict
from core.model.events import AgentEvent, Readiness, TurnAsk, TurnResult

Note = Callable[[AgentEvent], None]
"""Called by an agent for each event of its turn, in order; returns at once."""


class Approve(Protocol):
    """Awaited by an agent before each act; it then does exactly this act, or not at all. It may take hours."""

    async def __call__(self, act: Act) -> Verdict: ...


class Agent(Protocol):
    """What does the work of a turn, in a checkout, in the sandbox."""

    @property
    def name(self) -> str: ...

    @property
    def can_repeat(self) -> bool:
        """A turn that was cut may be taken again: the session resumes, or the recipe is marked `repeatable`."""

    async def ready(self) -> Readiness:
        """Whether it can be used now; asks the network at most a few seconds. Never raises."""

    async def take_turn(self, turn: TurnAsk, note: Note, approve: Approve) -> TurnResult:
        """Returning is the one way to finish. AgentError and its kin; when cancelled, every child is dead on return."""
