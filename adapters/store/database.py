"""One open database, SQLite or PostgreSQL: where it is, how it is opened, a transaction, a read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import stamina
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import TortoiseContext, get_current_context, set_global_context
from tortoise.exceptions import OperationalError
from tortoise.models import Model
from tortoise.queryset import QuerySet

from adapters.store.exclusive import AdvisoryLock, Exclusive, FileLock
from adapters.store.faults import InDoubtError, as_store_error, is_passing, told
from core.audit.acting import NOBODY
from core.model.audit import Act
from core.model.errors import ConfigError

FILE_NAME = "patchbay.db"
APP = "patchbay"
TABLES = ("models", "people", "secrets", "spend", "approvals", "audit")
"""The modules of `adapters.store.tables` that hold models."""
BUSY_MS = 10_000
"""How long SQLite waits for a lock of the engine, which writes in the same file."""
STATEMENT_SECONDS = 30.0
CONNECT_SECONDS = 10.0
POOL_SIZE = 5
WAL_BYTES = 64 * 1024 * 1024
"""A write-ahead file up to this size is kept and used again, rather than truncated at each checkpoint."""
TRIES = 4
TRY_SECONDS = 20.0

M = TypeVar("M", bound=Model)
T = TypeVar("T")


def database_url(url: str | None, data: Path) -> str:
    """The address as SQLAlchemy and asyncpg write it: `postgresql://…` as it was given, else `sqlite:///<file>`."""
    if not url:
        return f"sqlite:///{data.absolute() / FILE_NAME}"
    scheme, found, rest = url.partition("://")
    if found and scheme in {"postgres", "postgresql"}:
        return f"postgresql://{rest}"
    raise ConfigError(
        "database.url must begin with postgresql:// (or be left out: then it is a SQLite file in the data folder)."
    )


def apps() -> dict[str, dict[str, Any]]:
    return {
        APP: {
            "models": [f"adapters.store.tables.{each}" for each in TABLES],
            "migrations": "adapters.store.migrations",
            "default_connection": "default",
        }
    }


class Transaction:
    """`db` is the connection to give to `using_db`; `after` is done once it is committed.

    `actor`: for whom the job is that runs just now; what it notes is in the audit once it is committed.
    """

    def __init__(self, db: BaseDBAsyncClient, end: Callable[[], Awaitable[None]]) -> None:
        self.db = db
        self.after: list[Callable[[], object]] = []
        self.actor = NOBODY
        self.acts: list[Act] = []
        self._end = end

    def note(self, what: str, target: str, result: str = "") -> None:
        """An act: see `core.audit`. Ids and states, never what people said."""
        self.acts.append(Act(self.actor, what, target, result))

    async def run(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """SQL with `?`; the rows that SELECT or RETURNING give."""
        return await self.db.execute_query_dict(numbered(sql, self.db.capabilities.dialect), list(values))

    async def run_many(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        if rows:
            statement = numbered(sql, self.db.capabilities.dialect)
            await self.db.execute_many(statement, cast("list[list[Any]]", rows))

    async def commit(self) -> None:
        """InDoubtError when nobody knows whether it was committed."""
        try:
            await cast("Any", self.db).commit()
        except Exception as error:
            await self.rollback()
            raise InDoubtError(error) from error
        await self._end()

    async def rollback(self) -> None:
        try:
            await cast("Any", self.db).rollback()
        except Exception:  # noqa: BLE001, S110 - a broken connection has rolled back; what broke it is on its way up
            pass
        finally:
            await self._end()


class Database:
    """The connections of one process. `lock` keeps every other process out.

    Every query names its connection. Tortoise still asks for a context when it builds one, in whatever task or flow
    that is; so one open database is its fallback for the whole process.
    Transactions are begun here and not by Tortoise: its own leave their lock taken when BEGIN fails.
    """

    def __init__(self, url: str | None, data: Path) -> None:
        self.url = database_url(url, data)
        self.is_sqlite = self.url.startswith("sqlite:")
        self.lock: Exclusive = FileLock(data) if self.is_sqlite else AdvisoryLock(self.url)
        self.context = TortoiseContext()
        self._data = data

    @property
    def client(self) -> BaseDBAsyncClient:
        return self.context.connections.get("default")

    async def make_room(self) -> None:
        """The file is there, and the folder, for their owner alone: SQLite would make them for all to read."""
        if self.is_sqlite:
            try:
                await asyncio.to_thread(_make, self._data, FILE_NAME)
            except OSError as error:
                raise as_store_error(error) from error

    async def connect(self) -> None:
        EXECUTOR_CACHE.clear()  # it would serve the SQL of a database of another kind that was open before
        config = {"connections": {"default": self._connection()}, "apps": apps()}
        self.context = TortoiseContext()
        try:
            with self.context:
                await self.context.init(config)
            await cast("Any", self.client).create_connection(with_db=True)
            await self._write_through()
        except Exception as error:
            await self.disconnect()
            raise as_store_error(error) from error
        _OPEN.append(self.context)
        _share()

    async def _write_through(self) -> None:
        """What an earlier life wrote ahead is written again, and synced. After an fsync that failed it may be in memory
        alone, and a later one that succeeds proves nothing about it.
        """
        if self.is_sqlite:
            with suppress(OperationalError):  # a disk that is full: it is written with a later checkpoint
                await self.client.execute_query("PRAGMA wal_checkpoint(TRUNCATE)")

    async def disconnect(self) -> None:
        if self.context in _OPEN:
            _OPEN.remove(self.context)
        await self.context.close_connections()
        _share()

    async def begin(self) -> Transaction:
        await self.lock.ensure()
        return await (self._begin_sqlite() if self.is_sqlite else self._begin_postgres())

    async def at_once(self, work: Callable[[Transaction], Awaitable[None]]) -> Transaction:
        """SQLite alone: `work`, which awaits nothing but its transaction and ends it, in one visit to the database's
        thread.
        """
        from adapters.store.sqlite import visit  # noqa: PLC0415 - imported when used

        await self.lock.ensure()
        client = cast("Any", self.client)
        async with client._lock:  # noqa: SLF001 - the lock that Tortoise's own reads wait for
            return cast("Transaction", await client._connection._execute(copy_context().run, visit, client, work))  # noqa: SLF001

    async def rows(self, query: QuerySet[M]) -> list[M]:
        """Read, once more if the connection broke. StoreError."""
        return await self.read(lambda: query.using_db(self.client))

    async def read(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await patiently(ask, TRIES)
        except Exception as error:
            raise told(error) from error

    async def _begin_sqlite(self) -> Transaction:
        """BEGIN IMMEDIATE: a deferred one that reads first cannot wait for the engine's lock, it fails at once."""
        client = cast("Any", self.client)

        async def end() -> None:
            client._lock.release()  # noqa: SLF001 - the lock that Tortoise's own reads wait for

        await client._lock.acquire()  # noqa: SLF001
        try:
            await client._connection.execute_fetchall("BEGIN IMMEDIATE")  # noqa: SLF001
        except BaseException:
            await end()
            raise
        from adapters.store.sqlite import WholeTransaction  # noqa: PLC0415 - imported when used

        return Transaction(WholeTransaction(client), end)

    async def _begin_postgres(self) -> Transaction:
        from tortoise.backends.asyncpg.client import TransactionWrapper  # noqa: PLC0415 - imported when used

        client = cast("Any", self.client)
        wrapper = cast("Any", TransactionWrapper(client))
        wrapper._connection = await client._pool.acquire(timeout=CONNECT_SECONDS)  # noqa: SLF001

        async def end() -> None:
            await client._pool.release(wrapper._connection, timeout=CONNECT_SECONDS)  # noqa: SLF001

        try:
            await wrapper.begin()
        except BaseException:
            await end()
            raise
        return Transaction(wrapper, end)

    def _connection(self) -> dict[str, Any]:
        return self._sqlite() if self.is_sqlite else self._postgres()

    def _sqlite(self) -> dict[str, Any]:
        path = self._data.absolute() / FILE_NAME
        pragmas = {
            "busy_timeout": BUSY_MS,
            "journal_mode": "WAL",
            "synchronous": "FULL",
            "foreign_keys": "ON",
            "journal_size_limit": WAL_BYTES,
        }
        return {"engine": "tortoise.backends.sqlite", "credentials": {"file_path": str(path), **pragmas}}

    def _postgres(self) -> dict[str, Any]:
        found = expand_db_url("asyncpg://" + self.url.removeprefix("postgresql://"))
        credentials = found["credentials"]
        if "sslmode" in credentials:
            credentials["ssl"] = credentials.pop("sslmode")  # libpq's word, and asyncpg's
        credentials |= {"maxsize": POOL_SIZE, "timeout": CONNECT_SECONDS, "command_timeout": STATEMENT_SECONDS}
        return found


_OPEN: list[TortoiseContext] = []
"""Tortoise has one fallback context in a process; this remembers whose turn it is when that one closes."""


async def patiently(ask: Callable[[], Awaitable[T]], tries: int) -> T:
    """Once, and again only where that may help: what goes well at once does without stamina, which costs 0.1 ms."""
    try:
        return await ask()
    except Exception as error:
        if tries < 2 or not is_passing(error):
            raise
    async for attempt in stamina.retry_context(on=is_passing, attempts=tries - 1, timeout=TRY_SECONDS):
        with attempt:
            return await ask()
    raise AssertionError("stamina ends by a result or an error")


def _make(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600))


def _share() -> None:
    if _OPEN and get_current_context() is None:
        set_global_context(_OPEN[-1])


@lru_cache(maxsize=256)
def numbered(sql: str, dialect: str) -> str:
    """PostgreSQL counts its parameters."""
    if dialect != "postgres":
        return sql
    first, *rest = sql.split("?")
    return first + "".join(f"${number}{each}" for number, each in enumerate(rest, start=1))
