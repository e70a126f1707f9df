"""What the jobs of a transaction have noted, put at the end of the chain before the commit."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from adapters.store.database import Transaction
from adapters.store.tables.audit import AuditRow, audit_columns, entry_of
from adapters.store.tables.columns import clean
from core.audit.chain import follow
from core.model.audit import Act, Actor
from core.ports import Redact

LONGEST = 300
"""Characters of a field."""

_ALONE = "SELECT pg_advisory_xact_lock(7305441)"
"""PostgreSQL: the end of the chain is one's own until the commit. On SQLite every transaction that writes is."""


async def keep_acts(tx: Transaction, at: datetime, redact: Redact) -> None:
    """Once, when all jobs are done."""
    if not tx.acts:
        return
    if tx.db.capabilities.dialect != "sqlite":
        await tx.run(_ALONE)
    rows = await AuditRow.all().using_db(tx.db).order_by("-seq").limit(1)
    last = entry_of(rows[0]) if rows else None
    for act in tx.acts:
        last = follow(last, at, _blackened(act, redact))
        await AuditRow.create(using_db=tx.db, **audit_columns(last))


def _blackened(act: Act, redact: Redact) -> Act:
    def fit(text: str) -> str:
        return clean(redact(text))[:LONGEST]

    actor = Actor(fit(act.actor.who), fit(act.actor.room), fit(act.actor.cause))
    return replace(act, actor=actor, what=fit(act.what), target=fit(act.target), result=fit(act.result))
