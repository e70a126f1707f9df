"""What every part of the Store stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from tortoise.models import Model
from tortoise.queryset import QuerySet

from adapters.store.database import Database, Transaction
from adapters.store.known import Known
from adapters.store.writer import Writer

M = TypeVar("M", bound=Model)


class Part:
    """`_rows` and `_first` read what is committed; inside a job, what `found` and `one` see is of its transaction."""

    _node: str
    _now: Callable[[], datetime]
    _database: Database
    _known: Known
    _writer: Writer

    async def _rows(self, query: QuerySet[M]) -> list[M]:
        return await self._database.rows(query)

    async def _first(self, query: QuerySet[M]) -> M | None:
        return next(iter(await self._rows(query.limit(1))), None)


async def found(tx: Transaction, query: QuerySet[M]) -> list[M]:
    return await query.using_db(tx.db)


async def one(tx: Transaction, query: QuerySet[M]) -> M | None:
    return next(iter(await found(tx, query.limit(1))), None)


async def upsert(tx: Transaction, model: type[Model], columns: Mapping[str, Any], **key: str) -> None:
    """Tortoise's `update_or_create` would begin a transaction of its own."""
    if not await model.filter(**key).using_db(tx.db).update(**columns):
        await model.create(using_db=tx.db, **{**columns, **key})
