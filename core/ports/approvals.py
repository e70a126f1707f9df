"""Questions about single acts, and what was allowed for good: what must outlive a restart of that."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from core.model.approvals import Approval, ApprovalId, Decision, StandingRule
from core.model.chat import ChatRef, Person, ThreadRef
from core.model.work import ProjectKey, RunId


class Approvals(Protocol):
    """The first decision stands; a grant is spent once, by its own run for its own act. Each is one transaction."""

    async def ask_approval(self, approval: Approval) -> Approval:
        """What stands: the newest of the same run, turn and digest that is not spent, else this, added.

        One that is open and was asked in another life counts as asked once more, the first time that this happens.
        """

    async def approval(self, approval: ApprovalId) -> Approval | None: ...

    async def open_approvals(self, place: ThreadRef | ChatRef | None = None) -> list[Approval]:
        """Not decided, oldest first: of a thread, of a chat, or all."""

    async def unexplained(self, thread: ThreadRef, now: datetime) -> list[Approval]:
        """Denied, and who did it may still say why."""

    async def decide_approval(self, approval: ApprovalId, decision: Decision, now: datetime) -> Approval | None:
        """What stands then. None: no such question. Where two must say yes, the first leaves it open.

        NotAllowed: this person may not be the second. A yes for ALWAYS is kept as a rule in the same transaction.
        """

    async def explain_denial(self, approval: ApprovalId, reason: str, now: datetime) -> Approval | None:
        """Why it was denied, said afterwards; None: too late. Nothing more is waited for then."""

    async def expire_approval(self, approval: ApprovalId, now: datetime) -> Approval | None:
        """What stands: EXPIRED if it was open, or granted and not spent."""

    async def spend_approval(self, approval: ApprovalId, run: RunId, digest: str, now: datetime) -> bool:
        """True once, for the run and the act that it was granted for, before it expires."""

    async def end_approvals(self, run: RunId, now: datetime) -> list[Approval]:
        """The run goes on without them: what was open is EXPIRED and returned; so is what was granted, silently."""

    async def is_covered(self, run: RunId, room: ChatRef, project: ProjectKey, likeness: str) -> Person | None:
        """Who said yes to what is alike, for this run or for good in this chat and project; None: nobody."""

    async def standing_rules(self, room: ChatRef) -> list[StandingRule]:
        """Oldest first."""

    async def drop_rule(self, room: ChatRef, rule: ApprovalId) -> bool:
        """False: there is none of that id in this chat."""
