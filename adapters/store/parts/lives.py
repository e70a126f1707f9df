"""When the bot was last alive."""

from __future__ import annotations

from datetime import datetime

from adapters.store.parts.part import Part, upsert
from adapters.store.tables import models


class LifePart(Part):
    async def beat(self, at: datetime) -> None:
        await self._writer.write(lambda tx: upsert(tx, models.BeatRow, {"at": at}, node=self._node))

    async def last_beat(self) -> datetime | None:
        row = await self._first(models.BeatRow.filter(node=self._node))
        return row.at if row else None
