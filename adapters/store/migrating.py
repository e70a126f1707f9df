"""Bring the tables to the form that the models have now, in one transaction."""

from __future__ import annotations

import asyncio
import pkgutil
from pathlib import Path

from adapters.store import migrations
from adapters.store.database import APP, FILE_NAME, Database, Transaction, apps
from adapters.store.faults import told
from core.model.errors import ConfigError

WAIT_SECONDS = 15.0
"""How long a second `patchbay migrate` waits for the first."""


async def migrate(url: str | None, data: Path) -> list[str]:
    """The names of what was applied. StoreBusy while a bot uses the database."""
    database = Database(url, data)
    await database.make_room()
    await database.lock.take(WAIT_SECONDS)
    try:
        await database.connect()
        try:
            return await upgrade(database)
        finally:
            await database.disconnect()
    finally:
        await database.lock.release()


async def pending(url: str | None, data: Path) -> list[str]:
    """The names of what `migrate` would apply, in order. It may be asked while a bot runs; nothing is changed."""
    database = Database(url, data)
    shipped = await asyncio.to_thread(names)
    if database.is_sqlite and not await asyncio.to_thread((data / FILE_NAME).exists):
        return shipped
    await database.connect()
    try:
        applied = await _applied(database)
    finally:
        await database.disconnect()
    return [name for name in shipped if name not in applied]


async def upgrade(database: Database, target: str = "__latest__") -> list[str]:
    """Apply what is missing, or go back to `target`; what was applied or taken back, in order."""
    from tortoise.migrations.executor import MigrationExecutor  # noqa: PLC0415 - seldom needed

    try:
        with database.context:
            # Made beforehand: asking an absent table for what was applied would spoil the transaction.
            plain = MigrationExecutor(database.client, apps())
            await plain.recorder.ensure_schema(plain._schema_editor(atomic=False))  # noqa: SLF001 - as its CLI does
            tx = await database.begin()
            try:
                done = await _execute(database, tx, target)
            except BaseException:
                await tx.rollback()
                raise
            await tx.commit()
    except Exception as error:
        raise told(error) from error
    return done


async def _execute(database: Database, tx: Transaction, target: str) -> list[str]:
    """Tortoise notes a migration after its own transaction; inside ours a crash leaves both or neither."""
    from tortoise.migrations.executor import MigrationExecutor, MigrationTarget  # noqa: PLC0415 - seldom needed

    done: list[str] = []

    def note(event: str, _app: str, name: str) -> None:
        if event in {"apply_done", "rollback_done"}:
            done.append(name)

    token = database.context.connections.set("default", tx.db)
    try:
        await MigrationExecutor(tx.db, apps()).migrate([MigrationTarget(APP, target)], progress=note)
    finally:
        database.context.connections.reset(token)
    return done


async def ensure(database: Database) -> None:
    """The tables are as the models say. The embedded database and an empty one are migrated here.

    ConfigError: a person must do it.
    """
    known = await asyncio.to_thread(names)
    applied = await _applied(database)
    if newer := sorted(applied - set(known)):
        raise ConfigError(
            f"A newer Patchbay has used this database ({newer[-1]}): install that version, or a newer one."
        )
    missing = [name for name in known if name not in applied]
    if not missing:
        return
    if applied and not database.is_sqlite:
        raise ConfigError(f"The database must be migrated first ({', '.join(missing)}): run patchbay migrate.")
    await upgrade(database)


def names() -> list[str]:
    """Those that this version ships, in order."""
    return sorted(each.name for each in pkgutil.iter_modules(migrations.__path__))


async def _applied(database: Database) -> set[str]:
    catalogue = (
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'tortoise_migrations'"
        if database.is_sqlite
        else "SELECT 1 WHERE to_regclass('tortoise_migrations') IS NOT NULL"
    )
    try:
        if not await database.client.execute_query_dict(catalogue):
            return set()
        sql = f"SELECT name FROM tortoise_migrations WHERE app = '{APP}'"  # noqa: S608 - a constant
        return {row["name"] for row in await database.client.execute_query_dict(sql)}
    except Exception as error:
        raise told(error) from error
