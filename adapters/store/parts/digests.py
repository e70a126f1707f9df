"""When each chat gets its digest."""

from __future__ import annotations

from datetime import datetime

from adapters.store.database import Transaction
from adapters.store.parts.part import Part, one, upsert
from adapters.store.tables import models
from adapters.store.tables.values import digest_of
from core.model.chat import ChatRef
from core.model.work import DigestPlan


class DigestPart(Part):
    async def digest(self, room: ChatRef) -> DigestPlan | None:
        row = await self._first(models.DigestRow.filter(room=str(room)))
        return digest_of(row) if row else None

    async def put_digest(self, plan: DigestPlan) -> None:
        async def job(tx: Transaction) -> None:
            row = {"thread": str(plan.thread), "cron": plan.cron, "zone": plan.zone, "next_at": plan.next_at}
            await upsert(tx, models.DigestRow, row, room=str(plan.thread.room))
            tx.note("digest.put", str(plan.thread.room), plan.cron)

        await self._writer.write(job)

    async def drop_digest(self, room: ChatRef) -> bool:
        async def job(tx: Transaction) -> bool:
            tx.note("digest.drop", str(room))
            return bool(await models.DigestRow.filter(room=str(room)).using_db(tx.db).delete())

        return await self._writer.write(job)

    async def due_digests(self, now: datetime) -> list[DigestPlan]:
        """The longest due first."""
        rows = await self._rows(models.DigestRow.filter(next_at__lte=now).order_by("next_at", "room"))
        return [digest_of(row) for row in rows]

    async def advance_digest(self, plan: DigestPlan, next_at: datetime) -> bool:
        async def job(tx: Transaction) -> bool:
            row = await one(tx, models.DigestRow.filter(room=str(plan.thread.room)))
            if row is None or digest_of(row) != plan:
                return False
            row.next_at = next_at
            await row.save(using_db=tx.db, update_fields=["next_at"])
            return True

        return await self._writer.write(job)
