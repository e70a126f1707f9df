"""Secrets, sealed. One key is the current one; what is sealed with another is not taken.

So a key can be exchanged while the bot runs: whoever exchanges it changes all rows and the current key in one
transaction, and from then on nothing comes in that only the old key would open.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tortoise.queryset import QuerySet

from adapters.store.database import Transaction
from adapters.store.parts.part import Part, found, one, upsert
from adapters.store.sealing import put
from adapters.store.tables.columns import clean
from adapters.store.tables.secrets import SecretRow, sealed_of
from core.model.secrets import Sealed, SecretRef

_CURRENT = {"scope": "", "name": ""}


class SecretPart(Part):
    async def current_key(self) -> str:
        row = await self._first(SecretRow.filter(**_CURRENT))
        return row.key if row else ""

    async def first_key(self, key: str, at: datetime) -> str:
        async def job(tx: Transaction) -> str:
            standing = await _current(tx)
            if not standing:
                await SecretRow.create(using_db=tx.db, words="", key=key, made_at=at, **_CURRENT)
            return standing or key

        return await self._writer.write(job)

    async def sealed(self, ref: SecretRef) -> Sealed | None:
        row = await self._first(_row(ref))
        return sealed_of(row) if row else None

    async def all_sealed(self, scope: str | None = None) -> list[Sealed]:
        query = SecretRow.exclude(scope="") if scope is None else SecretRow.filter(scope=clean(scope))
        return [sealed_of(row) for row in await self._rows(query.order_by("scope", "name"))]

    async def put_sealed(self, sealed: Sealed) -> bool:
        async def job(tx: Transaction) -> bool:
            tx.note("secret.put", f"{sealed.ref.scope} {sealed.ref.name}")
            return await put(tx, sealed)

        return await self._writer.write(job)

    async def move_sealed(self, old: SecretRef, sealed: Sealed) -> bool:
        async def job(tx: Transaction) -> bool:
            if not await put(tx, sealed):
                return False
            await _row(old).using_db(tx.db).delete()
            tx.note("secret.put", f"{sealed.ref.scope} {sealed.ref.name}")
            return True

        return await self._writer.write(job)

    async def drop_sealed(self, ref: SecretRef) -> bool:
        async def job(tx: Transaction) -> bool:
            is_there = bool(await _row(ref).using_db(tx.db).delete())
            if is_there:
                tx.note("secret.drop", f"{ref.scope} {ref.name}")
            return is_there

        return await self._writer.write(job)

    async def use_sealed(self, ref: SecretRef, at: datetime) -> None:
        async def job(tx: Transaction) -> None:
            await _row(ref).using_db(tx.db).update(used_at=at)

        await self._writer.write(job)

    async def reseal(self, key: str, turn: Callable[[Sealed], str], at: datetime) -> int:
        async def job(tx: Transaction) -> int:
            # First: on PostgreSQL this waits for whoever is just putting one in, and holds up who comes next.
            await upsert(tx, SecretRow, {"words": "", "key": key, "made_at": at}, **_CURRENT)
            rows = await found(tx, SecretRow.exclude(scope=""))
            for row in rows:
                row.words, row.key = turn(sealed_of(row)), key
                await row.save(using_db=tx.db, update_fields=["words", "key"])
            tx.note("secret.rotate", key, f"{len(rows)} secrets")
            return len(rows)

        return await self._writer.write(job)

    async def drop_all_sealed(self) -> int:
        async def job(tx: Transaction) -> int:
            tx.note("secret.drop", "all")
            await SecretRow.filter(**_CURRENT).using_db(tx.db).delete()
            return int(await SecretRow.all().using_db(tx.db).delete())

        return await self._writer.write(job)


async def _current(tx: Transaction) -> str:
    row = await one(tx, SecretRow.filter(**_CURRENT))
    return row.key if row else ""


def _row(ref: SecretRef) -> QuerySet[SecretRow]:
    return SecretRow.filter(scope=clean(ref.scope), name=clean(ref.name))
