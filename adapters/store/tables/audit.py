"""The table of the audit: only ever added to, which triggers of the migration hold."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index

from adapters.store.tables.columns import Moment, Words
from adapters.store.tables.models import Row
from core.model.audit import Act, Actor, Entry


# `seq` counts without gaps. `hash` is over all the rest and `prev`, the hash of the row before.
class AuditRow(Row):
    seq = fields.BigIntField(primary_key=True, generated=False)
    at = Moment()
    who = Words()
    room = Words()
    cause = Words()
    what = Words()
    target = Words()
    result = Words()
    prev = Words()
    hash = Words()

    class Meta:
        table = "audit"
        indexes = (Index(fields=("room", "seq"), name="audit_room"),)


def entry_of(row: AuditRow) -> Entry:
    act = Act(Actor(row.who, row.room, row.cause), row.what, row.target, row.result)
    return Entry(row.seq, row.at, act, row.prev, row.hash)


def audit_columns(entry: Entry) -> dict[str, object]:
    act = entry.act
    return {
        "seq": entry.seq,
        "at": entry.at,
        "who": act.actor.who,
        "room": act.actor.room,
        "cause": act.actor.cause,
        "what": act.what,
        "target": act.target,
        "result": act.result,
        "prev": entry.prev,
        "hash": entry.hash,
    }
