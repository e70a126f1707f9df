"""The audit as it is read."""

from __future__ import annotations

from adapters.store.parts.part import Part
from adapters.store.tables.audit import AuditRow, entry_of
from core.model.audit import Entry
from core.model.chat import ChatRef


class AuditPart(Part):
    async def audit_head(self) -> Entry | None:
        row = await self._first(AuditRow.all().order_by("-seq"))
        return entry_of(row) if row else None

    async def audit_after(self, seq: int, limit: int) -> list[Entry]:
        rows = await self._rows(AuditRow.filter(seq__gt=seq).order_by("seq").limit(limit))
        return [entry_of(row) for row in rows]

    async def audit_of(self, room: ChatRef, limit: int) -> list[Entry]:
        rows = await self._rows(AuditRow.filter(room=str(room)).order_by("-seq").limit(limit))
        return [entry_of(row) for row in rows]
