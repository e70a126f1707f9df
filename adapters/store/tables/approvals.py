"""The tables of approvals: what was asked about single acts, and what was allowed for good."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index

from adapters.store.tables.columns import Moment, Words, maybe_moment, pack, unpack
from adapters.store.tables.models import Row
from adapters.store.tables.values import room_of
from core.model.approvals import Approval, ApprovalId, ApprovalState, Extent, StandingRule
from core.model.chat import Person, ThreadRef
from core.model.codec import from_json, to_json
from core.model.work import ProjectKey, RunId


# `requester`, `first_by` and `decided_by` are JSON; the last two are empty where there is nobody.
class ApprovalRow(Row):
    seq = fields.BigIntField(primary_key=True)
    approval = Words(unique=True)
    run = Words()
    turn = fields.IntField()
    digest = Words()
    likeness = Words()
    title = Words()
    shown = Words()
    requester = Words()
    thread = Words()
    room = Words()
    project = Words()
    asked_at = Moment()
    until = Moment()
    needs_second = fields.BooleanField()
    life = Words()
    asked = fields.IntField()
    state = Words()
    extent = Words()
    first_by = Words()
    decided_by = Words()
    decided_at = maybe_moment()
    reason = Words()
    reason_until = maybe_moment()

    class Meta:
        table = "approvals"
        indexes = (
            Index(fields=("run",), name="approvals_run"),
            Index(fields=("room", "state"), name="approvals_room"),
            Index(fields=("state",), name="approvals_state"),
        )


class StandingRuleRow(Row):
    seq = fields.BigIntField(primary_key=True)
    rule = Words(unique=True)
    room = Words()
    project = Words()
    likeness = Words()
    title = Words()
    given_by = Words()
    at = Moment()

    class Meta:
        table = "standing_rules"
        unique_together = (("room", "project", "likeness"),)


def approval_of(row: ApprovalRow) -> Approval:
    return Approval(
        id=ApprovalId(row.approval),
        run=RunId(row.run),
        turn=row.turn,
        digest=row.digest,
        likeness=row.likeness,
        title=row.title,
        shown=row.shown,
        requester=from_json(Person, unpack(row.requester)),
        thread=ThreadRef.parse(row.thread),
        project=ProjectKey(row.project),
        asked_at=row.asked_at,
        until=row.until,
        needs_second=row.needs_second,
        life=row.life,
        asked=row.asked,
        state=ApprovalState(row.state),
        extent=Extent(row.extent),
        first=_person(row.first_by),
        by=_person(row.decided_by),
        decided_at=row.decided_at,
        reason=row.reason,
        reason_until=row.reason_until,
    )


def approval_columns(approval: Approval) -> dict[str, object]:
    return {
        "approval": approval.id,
        "run": approval.run,
        "turn": approval.turn,
        "digest": approval.digest,
        "likeness": approval.likeness,
        "title": approval.title,
        "shown": approval.shown,
        "requester": packed(approval.requester),
        "thread": str(approval.thread),
        "room": str(approval.thread.room),
        "project": approval.project,
        "asked_at": approval.asked_at,
        "until": approval.until,
        "needs_second": approval.needs_second,
        "life": approval.life,
        "asked": approval.asked,
        "state": approval.state.value,
        "extent": approval.extent.value,
        "first_by": packed(approval.first),
        "decided_by": packed(approval.by),
        "decided_at": approval.decided_at,
        "reason": approval.reason,
        "reason_until": approval.reason_until,
    }


def rule_of(row: StandingRuleRow) -> StandingRule:
    person = from_json(Person, unpack(row.given_by))
    room, project = room_of(row.room), ProjectKey(row.project)
    return StandingRule(ApprovalId(row.rule), room, project, row.likeness, row.title, person, row.at)


def packed(person: Person | None) -> str:
    return pack(to_json(person)) if person is not None else ""


def _person(text: str) -> Person | None:
    return from_json(Person, unpack(text)) if text else None
