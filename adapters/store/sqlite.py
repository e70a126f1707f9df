"""Transactions of SQLite: one that a script does not end, and one that is over in a single visit to its thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, cast

import aiosqlite
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionWrapper

from adapters.store.database import Transaction


class WholeTransaction(SqliteTransactionWrapper):
    """Python's `executescript` commits whatever is open; this one does not use it."""

    async def execute_script(self, query: str) -> None:
        for statement in statements(query):
            await self.execute_query(statement)


def statements(script: str) -> Iterator[str]:
    """SQLite itself says where one ends, so that a semicolon in a text or a trigger is none."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if statement.strip(" \n\t;") and sqlite3.complete_statement(statement):
            yield statement
            statement = ""


class DirectTransaction(Transaction):
    """Inside SQLite's own thread, where nothing of it suspends."""

    def __init__(self, client: SqliteClient, connection: sqlite3.Connection) -> None:
        wrapper = WholeTransaction(client)
        wrapper._connection = cast("aiosqlite.Connection", _Direct(connection))  # noqa: SLF001 - its one way to SQLite
        super().__init__(wrapper, _nothing)
        self._connection = connection

    async def run(self, sql: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in self._connection.execute(sql, values).fetchall()]

    async def run_many(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        if rows:
            self._connection.executemany(sql, rows)


def visit(client: SqliteClient, work: Callable[[Transaction], Awaitable[None]]) -> Transaction:
    """Begin, and do all of `work`, which ends the transaction. A change of threads for each statement would cost more
    than the statements.
    """
    connection = client._connection._conn  # type: ignore[union-attr] # noqa: SLF001 - this is its thread
    connection.execute("BEGIN IMMEDIATE")
    tx = DirectTransaction(client, connection)
    _finish(work(tx))
    return tx


class _Direct:
    """What Tortoise asks of aiosqlite, done at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def total_changes(self) -> int:
        return self._connection.total_changes

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        self._connection.execute(sql, values)

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(sql, rows)

    async def execute_insert(self, sql: str, values: Sequence[Any] | None = None) -> tuple[int | None]:
        return (self._connection.execute(sql, values or ()).lastrowid,)

    async def execute_fetchall(self, sql: str, values: Sequence[Any] | None = None) -> list[Any]:
        return self._connection.execute(sql, values or ()).fetchall()

    async def commit(self) -> None:
        self._connection.commit()

    async def rollback(self) -> None:
        self._connection.rollback()


async def _nothing() -> None:
    """There is no lock to give back."""


def _finish(work: Awaitable[None]) -> None:
    assert isinstance(work, Coroutine)
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()
    raise RuntimeError("a job awaits nothing but its transaction")
