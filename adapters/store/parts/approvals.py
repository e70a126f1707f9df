"""Approvals: the first decision stands, a grant is spent once. Races are settled here, in one transaction each."""

from __future__ import annotations

import hmac
from datetime import datetime

from adapters.store.database import Transaction
from adapters.store.parts.part import Part, one
from adapters.store.tables.approvals import (
    ApprovalRow,
    StandingRuleRow,
    approval_columns,
    approval_of,
    packed,
    rule_of,
)
from core.model.approvals import Approval, ApprovalId, ApprovalState, Decision, Extent, StandingRule
from core.model.chat import ChatRef, Person, ThreadRef
from core.model.errors import NotAllowed
from core.model.work import ProjectKey, RunId

OPEN, GRANTED, DENIED = ApprovalState.OPEN.value, ApprovalState.GRANTED.value, ApprovalState.DENIED.value
EXPIRED, SPENT = ApprovalState.EXPIRED.value, ApprovalState.SPENT.value
MOST_ASKED = 2


class ApprovalPart(Part):
    async def ask_approval(self, approval: Approval) -> Approval:
        async def job(tx: Transaction) -> Approval:
            same = ApprovalRow.filter(run=approval.run, turn=approval.turn, digest=approval.digest)
            row = await one(tx, same.filter(state__not=SPENT).order_by("-seq"))
            if row is None:
                row = await ApprovalRow.create(using_db=tx.db, **approval_columns(approval))
                tx.note("approval.ask", row.approval, row.run)
            elif row.state == OPEN and row.life != approval.life and row.asked < MOST_ASKED:
                row.asked, row.life = row.asked + 1, approval.life
                await row.save(using_db=tx.db, update_fields=["asked", "life"])
            return approval_of(row)

        return await self._writer.write(job)

    async def approval(self, approval: ApprovalId) -> Approval | None:
        row = await self._first(ApprovalRow.filter(approval=approval))
        return approval_of(row) if row else None

    async def open_approvals(self, place: ThreadRef | ChatRef | None = None) -> list[Approval]:
        query = ApprovalRow.filter(state=OPEN).order_by("seq")
        if isinstance(place, ThreadRef):
            query = query.filter(room=str(place.room), thread=str(place))
        elif place is not None:
            query = query.filter(room=str(place))
        return [approval_of(row) for row in await self._rows(query)]

    async def unexplained(self, thread: ThreadRef, now: datetime) -> list[Approval]:
        denied = ApprovalRow.filter(state=DENIED, room=str(thread.room), thread=str(thread), reason_until__gt=now)
        return [approval_of(row) for row in await self._rows(denied.order_by("seq"))]

    async def decide_approval(self, approval: ApprovalId, decision: Decision, now: datetime) -> Approval | None:
        async def job(tx: Transaction) -> Approval | None:
            row = await one(tx, ApprovalRow.filter(approval=approval))
            if row is None:
                return None
            if row.state == OPEN:
                await _decide(tx, row, decision, now)
                tx.note("approval.decide", approval, row.state)
            return approval_of(row)

        return await self._writer.write(job)

    async def explain_denial(self, approval: ApprovalId, reason: str, now: datetime) -> Approval | None:
        async def job(tx: Transaction) -> Approval | None:
            row = await one(tx, ApprovalRow.filter(approval=approval, state=DENIED))
            if row is None or row.reason_until is None or now >= row.reason_until:
                return None
            row.reason, row.reason_until = reason, None
            await row.save(using_db=tx.db, update_fields=["reason", "reason_until"])
            return approval_of(row)

        return await self._writer.write(job)

    async def expire_approval(self, approval: ApprovalId, now: datetime) -> Approval | None:
        async def job(tx: Transaction) -> Approval | None:
            row = await one(tx, ApprovalRow.filter(approval=approval))
            if row is None:
                return None
            if row.state in {OPEN, GRANTED}:
                await _expire(tx, row, now)
            return approval_of(row)

        return await self._writer.write(job)

    async def spend_approval(self, approval: ApprovalId, run: RunId, digest: str, now: datetime) -> bool:
        async def job(tx: Transaction) -> bool:
            row = await one(tx, ApprovalRow.filter(approval=approval, run=run, state=GRANTED))
            if row is None or not hmac.compare_digest(row.digest, digest):
                return False
            if now >= row.until:
                await _expire(tx, row, now)
                return False
            row.state = SPENT
            await row.save(using_db=tx.db, update_fields=["state"])
            tx.note("approval.spend", approval, run)
            return True

        return await self._writer.write(job)

    async def end_approvals(self, run: RunId, now: datetime) -> list[Approval]:
        if not await self._rows(ApprovalRow.filter(run=run, state__in=[OPEN, GRANTED]).limit(1)):
            return []

        async def job(tx: Transaction) -> list[Approval]:
            rows = await ApprovalRow.filter(run=run, state__in=[OPEN, GRANTED]).order_by("seq").using_db(tx.db)
            was_open = [row for row in rows if row.state == OPEN]
            for row in rows:
                await _expire(tx, row, now)
            return [approval_of(row) for row in was_open]

        return await self._writer.write(job)

    async def is_covered(self, run: RunId, room: ChatRef, project: ProjectKey, likeness: str) -> Person | None:
        mine = ApprovalRow.filter(run=run, likeness=likeness, extent=Extent.RUN.value, state__in=[GRANTED, SPENT])
        row = await self._first(mine.order_by("seq"))
        if row is not None:
            return approval_of(row).by
        rule = await self._first(StandingRuleRow.filter(room=str(room), project=project, likeness=likeness))
        return rule_of(rule).by if rule else None

    async def standing_rules(self, room: ChatRef) -> list[StandingRule]:
        return [rule_of(row) for row in await self._rows(StandingRuleRow.filter(room=str(room)).order_by("seq"))]

    async def drop_rule(self, room: ChatRef, rule: ApprovalId) -> bool:
        async def job(tx: Transaction) -> bool:
            return bool(await StandingRuleRow.filter(room=str(room), rule=rule).using_db(tx.db).delete())

        return await self._writer.write(job)


async def _decide(tx: Transaction, row: ApprovalRow, decision: Decision, now: datetime) -> None:
    if now >= row.until:
        await _expire(tx, row, now)
        return
    if decision.granted and row.needs_second and not _is_second(row, decision.person):
        row.first_by = packed(decision.person)
        await row.save(using_db=tx.db, update_fields=["first_by"])
        return
    row.state = GRANTED if decision.granted else DENIED
    row.extent = Extent.ONCE.value if row.needs_second else decision.extent.value
    row.decided_by, row.decided_at = packed(decision.person), now
    row.reason, row.reason_until = decision.reason, decision.reason_until
    await row.save(
        using_db=tx.db, update_fields=["state", "extent", "decided_by", "decided_at", "reason", "reason_until"]
    )
    if decision.granted and row.extent == Extent.ALWAYS.value:
        await _keep_rule(tx, row, now)


def _is_second(row: ApprovalRow, person: Person) -> bool:
    """NotAllowed when the first was said, and this is not another person than who said it and who asked for the run."""
    approval = approval_of(row)
    if approval.first is None:
        return False
    if _same(person, approval.first):
        raise NotAllowed("You have said yes already; somebody else must say it too.")
    if _same(person, approval.requester):
        raise NotAllowed("You asked for this run, so the second yes must come from somebody else.")
    return True


def _same(one_person: Person, other: Person) -> bool:
    """A name is nothing."""
    return str(one_person) == str(other)


async def _expire(tx: Transaction, row: ApprovalRow, now: datetime) -> None:
    row.state, row.decided_at = EXPIRED, now
    await row.save(using_db=tx.db, update_fields=["state", "decided_at"])


async def _keep_rule(tx: Transaction, row: ApprovalRow, now: datetime) -> None:
    if await one(tx, StandingRuleRow.filter(room=row.room, project=row.project, likeness=row.likeness)):
        return
    await StandingRuleRow.create(
        using_db=tx.db,
        rule=row.approval,
        room=row.room,
        project=row.project,
        likeness=row.likeness,
        title=row.title,
        given_by=row.decided_by,
        at=now,
    )
