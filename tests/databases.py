"""Databases for tests: a migrated store in a moment, on SQLite or on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]
import pytest

from adapters.store import DatabaseStore, migrate
from adapters.store.database import FILE_NAME

DEFAULT_SERVER = "postgres://root@127.0.0.1:5432/postgres"
CONNECT_SECONDS = 5.0


@asynccontextmanager
async def sqlite_store(data: Path, **options: Any) -> AsyncIterator[DatabaseStore]:
    """Open in `data`, which keeps what is in it; a new one is copied from a migrated file, which takes no time."""
    await asyncio.to_thread(_furnish, data, await _template())
    store = DatabaseStore(None, data, **options)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def postgres_store(template: str | None = None, **options: Any) -> AsyncIterator[DatabaseStore]:
    """On a database of its own, dropped at the end. Skips where there is no server."""
    async with postgres_database(template) as url:
        store = DatabaseStore(url, Path(), **options)
        await store.open()
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def postgres_database(template: str | None = None) -> AsyncIterator[str]:
    """The URL of a new database: empty, or a copy of `template`."""
    name = f"patchbay_{uuid4().hex}"
    await administer(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    try:
        yield url_of(name)
    finally:
        await administer(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def postgres_template() -> Iterator[str]:
    """The name of a migrated database to copy from."""
    database = postgres_database()
    with asyncio.Runner() as runner:
        url = runner.run(database.__aenter__())
        try:
            runner.run(migrate(url, Path()))
            yield urlsplit(url).path.removeprefix("/")
        finally:
            runner.run(database.__aexit__(None, None, None))


def url_of(name: str) -> str:
    return urlunsplit(urlsplit(_server())._replace(path=f"/{name}"))


async def administer(sql: str, *values: object) -> list[Any]:
    """Run SQL on the server. None that lets us in: skip, but fail where CI says that there must be one."""
    try:
        connection = await asyncpg.connect(_server(), timeout=CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError) as error:
        reason = f"no PostgreSQL at {_server()} ({error}); DATABASE_URL names another"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        return list(await connection.fetch(sql, *values))
    finally:
        await connection.close()


def _server() -> str:
    return os.environ.get("DATABASE_URL") or DEFAULT_SERVER


async def _template() -> Path:
    folder = Path(_template_folder().name)
    if not await asyncio.to_thread((folder / FILE_NAME).exists):
        await asyncio.to_thread(lambda: asyncio.run(migrate(None, folder)))
    return folder / FILE_NAME


@cache
def _template_folder() -> tempfile.TemporaryDirectory[str]:
    """One for the process, gone with it."""
    return tempfile.TemporaryDirectory(prefix="patchbay-template-", ignore_cleanup_errors=True)


def _furnish(data: Path, template: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    if not (data / FILE_NAME).exists():
        shutil.copyfile(template, data / FILE_NAME)
