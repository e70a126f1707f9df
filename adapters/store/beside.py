"""The secrets and the audit of a database that a bot may just be using. All else has one writer, and is left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from adapters.store import migrating
from adapters.store.database import TRIES, Database, Transaction, patiently
from adapters.store.faults import told
from adapters.store.noting import keep_acts
from adapters.store.parts.audit import AuditPart
from adapters.store.parts.secrets import SecretPart
from adapters.store.writer import Writer
from core.model.errors import ConfigError

T = TypeVar("T")


class _Unlocked:
    """Transactions alone keep these apart from who holds the lock."""

    async def take(self, _seconds: float = 0.0) -> None:
        return

    async def ensure(self) -> None:
        return

    async def release(self) -> None:
        return


class _Straight:
    """Each job is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, job: Callable[[Transaction], Awaitable[T]]) -> T:
        async def once() -> T:
            tx = await self._database.begin()
            try:
                result = await job(tx)
                await keep_acts(tx, datetime.now(UTC), str)
            except BaseException:
                await tx.rollback()
                raise
            await tx.commit()
            return result

        try:
            return await patiently(once, TRIES)
        except Exception as error:
            raise told(error) from error


class SecretsBeside(SecretPart, AuditPart):
    def __init__(self, database: Database) -> None:
        self._database = database
        self._now = lambda: datetime.now(UTC)
        self._writer = cast("Writer", cast("Any", _Straight(database)))


@asynccontextmanager
async def secrets_beside(url: str | None, data: Path) -> AsyncIterator[SecretsBeside]:
    """StoreError, or ConfigError: the database must be migrated first."""
    database = Database(url, data)
    database.lock = _Unlocked()
    if missing := await migrating.pending(url, data):
        if not database.is_sqlite:
            raise ConfigError(f"The database must be migrated first ({', '.join(missing)}): run patchbay migrate.")
        await migrating.migrate(url, data)
    await database.connect()
    try:
        yield SecretsBeside(database)
    finally:
        await database.disconnect()
