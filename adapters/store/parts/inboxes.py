"""The inbox: what arrived, under the key by which it is one, until it is handled."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.store.database import Transaction
from adapters.store.parts.part import Part
from adapters.store.tables import models
from adapters.store.tables.columns import clean, to_micros
from core.model.chat import Delivery
from core.model.errors import NotFound
from core.ports import Arrival, Aside

_FAIL = "UPDATE inbox SET tries = tries + 1, error = ? WHERE key = ? RETURNING tries"
_ASIDE = "UPDATE inbox SET is_aside = ?, error = ? WHERE key = ?"
_IS_ASIDE = "key = ? AND is_aside = ? AND settled_at IS NULL RETURNING key"
_REPLAY = f"UPDATE inbox SET is_aside = ?, tries = 0, error = '' WHERE {_IS_ASIDE}"  # noqa: S608 - a constant
_DROP = f"UPDATE inbox SET settled_at = ?, payload = ? WHERE {_IS_ASIDE}"  # noqa: S608 - a constant


class InboxPart(Part):
    async def accept(self, arrivals: Sequence[Arrival], platform: str, cursor: str | None) -> set[str]:
        """Returns after the commit, which it shares with whatever came while the one before was running."""
        return await self._writer.accept(arrivals, None if cursor is None else (platform, clean(cursor)))

    async def settle(self, key: str) -> None:
        """Queued, and returns at once: one that is lost in a crash is handled again, which is doing it once."""
        self._writer.settle((to_micros(self._now()), clean(key)))

    async def fail(self, key: str, error: str) -> int:
        async def job(tx: Transaction) -> int:
            rows = await tx.run(_FAIL, clean(self._writer.redact(error)), clean(key))
            if not rows:
                raise NotFound(f"Nothing arrived under {key}.")
            return int(rows[0]["tries"])

        return await self._writer.write(job)

    async def set_aside(self, key: str, error: str) -> None:
        async def job(tx: Transaction) -> None:
            await tx.run(_ASIDE, True, clean(self._writer.redact(error)), clean(key))
            tx.note("delivery.aside", key)

        await self._writer.write(job)

    async def asides(self) -> list[Aside]:
        await self._writer.flush()
        query = models.InboxRow.filter(settled_at__isnull=True, is_aside=True).order_by("seq")
        return [Aside(_arrival(row), row.came_at, row.tries, row.error) for row in await self._rows(query)]

    async def replay(self, key: str) -> bool:
        async def job(tx: Transaction) -> bool:
            tx.note("delivery.replay", key)
            return bool(await tx.run(_REPLAY, False, clean(key), True))

        return await self._writer.write(job)

    async def drop(self, key: str) -> bool:
        async def job(tx: Transaction) -> bool:
            tx.note("delivery.drop", key)
            return bool(await tx.run(_DROP, to_micros(self._now()), b"", clean(key), True))

        return await self._writer.write(job)

    async def unsettled(self) -> list[Arrival]:
        await self._writer.flush()
        query = models.InboxRow.filter(settled_at__isnull=True, is_aside=False).order_by("seq")
        return [_arrival(row) for row in await self._rows(query)]

    async def cursor(self, platform: str) -> str | None:
        row = await self._first(models.CursorRow.filter(platform=platform))
        return row.cursor if row else None


def _arrival(row: models.InboxRow) -> Arrival:
    return Arrival(row.key, Delivery(row.platform, row.delivery, bytes(row.payload)))
