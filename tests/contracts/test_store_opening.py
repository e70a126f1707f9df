"""Opening a store: exclusive, brought up to date, and with everything that was acknowledged before a kill."""

from __future__ import annotations

import asyncio
import contextvars
import re
import signal
import stat
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.recorder import MigrationRecorder

from adapters.store import DatabaseStore, database_url, migrate, migrating, pending
from adapters.store.database import FILE_NAME, Database, apps
from adapters.store.sqlite import statements
from core.model.chat import Cause, ChatRef, Delivery, Person, PostKey, ThreadRef
from core.model.errors import ConfigError, StoreBusy, StoreError
from core.model.work import ChatSettings, Link, ProjectKey, Run, RunId, RunState, Turn, Work, WorkId
from core.ports import Arrival
from tests.databases import administer, postgres_database, sqlite_store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
THREAD = ThreadRef("slack", "T1", "C1", "1")
ANNA = Person("slack", "T1", "U1", "Anna")
STARTED_SECONDS = 30.0


@pytest.fixture
async def url(template: str | None) -> AsyncIterator[str]:
    """A migrated PostgreSQL database of the test's own, or nothing: SQLite in `tmp_path`."""
    if template is None:
        yield ""
        return
    async with postgres_database(template) as address:
        yield address


@pytest.fixture
async def bare_url(template: str | None) -> AsyncIterator[str]:
    """The same, but empty."""
    if template is None:
        yield ""
        return
    async with postgres_database() as address:
        yield address


@asynccontextmanager
async def opened(url: str, data: Path) -> AsyncIterator[DatabaseStore]:
    store = DatabaseStore(url, data)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def process(url: str, data: Path, what: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that has the store open; killed at the end if it has not been before."""
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.contracts.killed_store", url, str(data), what, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    try:
        assert await asyncio.wait_for(other.stdout.readline(), STARTED_SECONDS) == b"open\n"
        yield other
    finally:
        if other.returncode is None:
            other.send_signal(signal.SIGKILL)
        await other.communicate()


# ------------------------------------------------------------------------------------------ exclusive


async def test_a_second_store_on_the_same_database_is_refused(url: str, tmp_path: Path) -> None:
    async with opened(url, tmp_path):
        with pytest.raises(StoreBusy, match="Stop it first"):
            await DatabaseStore(url, tmp_path).open()
        with pytest.raises(StoreBusy):  # the refused one has not taken the lock with it
            await DatabaseStore(url, tmp_path).open()

    async with opened(url, tmp_path):
        pass


async def test_another_process_keeps_the_database_until_it_is_killed(url: str, tmp_path: Path) -> None:
    async with process(url, tmp_path, "idle") as other:
        with pytest.raises(StoreBusy) as busy:
            await DatabaseStore(url, tmp_path).open()
        if not url:
            assert str(other.pid) in str(busy.value)
        other.send_signal(signal.SIGKILL)
        await other.wait()

    async def retried() -> None:
        store = DatabaseStore(url, tmp_path)
        await store._database.lock.take(5)
        await store._database.lock.release()

    await retried()
    async with opened(url, tmp_path):
        pass


async def test_a_database_in_use_is_not_migrated(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "WAIT_SECONDS", 0.2)
    async with opened(url, tmp_path):
        with pytest.raises(StoreBusy):
            await migrate(url, tmp_path)


# --------------------------------------------------------------------------------------------- killed


async def test_nothing_that_was_acknowledged_is_missing_after_a_kill(url: str, tmp_path: Path) -> None:
    for moment in (5, 60):
        async with process(url, tmp_path, "work") as other:
            assert other.stdout is not None
            said = [await asyncio.wait_for(other.stdout.readline(), STARTED_SECONDS) for _ in range(moment)]
            other.send_signal(signal.SIGKILL)
            said += (await other.stdout.read()).splitlines(keepends=True)
            await other.wait()
        lines = [line.decode().split() for line in said if line.endswith(b"\n")]
        arrived = {key for kind, key in lines if kind == "arrival"}
        posted = {key for kind, key in lines if kind == "post"}

        store = DatabaseStore(url, tmp_path)
        await store._database.lock.take(5)  # PostgreSQL takes a moment to notice
        await store._database.lock.release()
        await store.open()
        try:
            assert arrived
            assert arrived <= {each.key for each in await store.unsettled()}
            assert posted <= {each.key for each in await store.unsent()}
            assert await store.cursor("console") is not None
        finally:
            await store.close()


async def test_everything_is_known_again_after_a_restart(url: str, tmp_path: Path) -> None:
    code = uuid.uuid4().hex
    run = Run(RunId("r-1"), WorkId("r-1"), THREAD, "claude", ANNA, "Tidy", NOW)
    async with opened(url, tmp_path) as store:
        await store.put_link(Link(THREAD, ProjectKey("DEMO")))
        await store.put_settings(ChatSettings(THREAD.room, language="de"))
        await store.offer_pairing("slack", code, NOW + timedelta(hours=1))
        await store.pair(code, ANNA, NOW)
        work = Work(run.work, ProjectKey("DEMO"), "task/DEMO-1", THREAD)
        await store.start_run(run, work, Turn(run.id, 1, Cause("c"), "tidy", ANNA))
        await store.take_lanes(run.id)
        moved = await store.move(run.id, RunState.RUNNING, NOW)
        await store.accept([Arrival("a", Delivery("slack", "a", b""))], "slack", "1")
        await store.settle("a")

    async with opened(url, tmp_path) as store:
        assert await store.link(THREAD) == Link(THREAD, ProjectKey("DEMO"))
        assert await store.settings(ChatRef("slack", "T1", "C1")) == ChatSettings(THREAD.room, language="de")
        assert await store.owners() == [ANNA]
        assert await store.open_runs() == [moved]
        assert await store.run_in(THREAD) == moved
        assert await store.unsettled() == []


async def test_runs_carry_the_node_that_owns_them(url: str, tmp_path: Path) -> None:
    store = DatabaseStore(url, tmp_path, node="north")
    await store.open()
    try:
        run = Run(RunId("r-1"), WorkId("r-1"), THREAD, "claude", ANNA, "Tidy", NOW)
        await store.start_run(
            run, Work(run.work, ProjectKey("DEMO"), "b", THREAD), Turn(run.id, 1, Cause("c"), "", ANNA)
        )
        rows = await store._database.client.execute_query_dict("SELECT owner FROM runs")
        assert [row["owner"] for row in rows] == ["north"]
    finally:
        await store.close()


async def test_a_store_that_is_closed_says_so_and_may_be_closed_again(url: str, tmp_path: Path) -> None:
    async with opened(url, tmp_path) as store:
        pass
    await store.close()

    with pytest.raises(StoreError, match="closed"):
        await store.accept([Arrival("a", Delivery("slack", "a", b""))], "slack", None)


async def test_what_was_queued_is_committed_by_closing(url: str, tmp_path: Path) -> None:
    async with opened(url, tmp_path) as store:
        await store.accept([Arrival("a", Delivery("slack", "a", b""))], "slack", None)
        await store.settle("a")

    async with opened(url, tmp_path) as store:
        assert await store.unsettled() == []


# ------------------------------------------------------------------------------------------ migrations


async def test_the_migrations_make_what_the_models_say(bare_url: str, tmp_path: Path) -> None:
    database = Database(bare_url, tmp_path)
    await database.make_room()
    await database.connect()
    try:
        with database.context:
            registered = database.context.apps
            assert registered is not None
            missing = await MigrationAutodetector(registered, apps()).changes()
        assert missing == []
    finally:
        await database.disconnect()


async def test_an_empty_database_is_migrated_up_and_down_and_up(bare_url: str, tmp_path: Path) -> None:
    shipped = migrating.names()
    assert await migrate(bare_url, tmp_path) == shipped
    assert await migrate(bare_url, tmp_path) == []

    database = Database(bare_url, tmp_path)
    await database.lock.take()
    await database.connect()
    try:
        assert await migrating.upgrade(database, "__first__") == shipped[::-1]
        assert await tables(database) == {"tortoise_migrations"}
    finally:
        await database.disconnect()
        await database.lock.release()

    assert await migrate(bare_url, tmp_path) == shipped
    async with opened(bare_url, tmp_path) as store:
        assert await store.accept([Arrival("a", Delivery("slack", "a", b""))], "slack", None) == {"a"}


async def test_an_empty_database_is_migrated_by_opening_it(bare_url: str, tmp_path: Path) -> None:
    async with opened(bare_url, tmp_path / "deep" / "data") as store:
        assert await store.accept([Arrival("a", Delivery("slack", "a", b""))], "slack", None) == {"a"}


async def test_a_migration_that_is_cut_leaves_nothing_behind(
    bare_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_: object) -> None:
        raise OSError("cut")

    with monkeypatch.context() as patch:
        patch.setattr(MigrationRecorder, "record_applied", cut)
        with pytest.raises(StoreError, match="cut"):
            await migrate(bare_url, tmp_path)

    assert await migrate(bare_url, tmp_path) == migrating.names()


def test_a_script_is_taken_apart_where_its_statements_end() -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END;"

    assert list(statements("CREATE TABLE a (x TEXT);")) == ["CREATE TABLE a (x TEXT);"]
    assert list(statements("SELECT 1")) == ["SELECT 1;"]
    assert list(statements(f"SELECT ';';{trigger}\n;;\n")) == ["SELECT ';';", trigger]


async def test_migrating_twice_at_once_is_migrating_once(bare_url: str, tmp_path: Path) -> None:
    if not bare_url:
        first, second = await migrate(None, tmp_path), await migrate(None, tmp_path)
    else:
        first, second = await asyncio.gather(in_a_process(bare_url), in_a_process(bare_url))

    assert sorted([first, second]) == [[], migrating.names()]


async def test_a_server_with_pending_migrations_is_left_to_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with postgres_database() as address:
        await migrate(address, tmp_path)
        with monkeypatch.context() as patch:
            shipped = [*migrating.names(), "9999_more"]
            patch.setattr(migrating, "names", lambda: shipped)
            with pytest.raises(ConfigError, match=r"9999_more.*patchbay migrate"):
                await DatabaseStore(address, tmp_path).open()
        async with opened(address, tmp_path):
            pass


async def test_what_is_pending_may_be_asked_at_any_time(bare_url: str, tmp_path: Path) -> None:
    assert await pending(bare_url, tmp_path) == migrating.names()
    async with opened(bare_url, tmp_path):
        assert await pending(bare_url, tmp_path) == []


async def test_a_database_of_a_newer_version_is_left_alone(url: str, tmp_path: Path) -> None:
    async with opened(url, tmp_path) as store:
        sql = "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('patchbay', '0999_later', '2027-01-01')"
        await store._database.client.execute_script(sql)

    with pytest.raises(ConfigError, match="0999_later"):
        await DatabaseStore(url, tmp_path).open()


async def tables(database: Database) -> set[str]:
    sql = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if database.is_sqlite
        else "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    )
    return {row["name"] for row in await database.client.execute_query_dict(sql)}


async def in_a_process(url: str) -> list[str]:
    program = "import asyncio, pathlib, sys; from adapters.store import migrate; "
    program += "print(*asyncio.run(migrate(sys.argv[1], pathlib.Path())))"
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(other.communicate(), STARTED_SECONDS)
    assert other.returncode == 0
    return out.decode().split()


# ------------------------------------------------------------------------------------------ where it is


def test_without_a_url_the_database_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    assert database_url(None, tmp_path) == f"sqlite:///{tmp_path}/patchbay.db"
    assert database_url("", tmp_path) == database_url(None, tmp_path)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_both_names_of_postgres_are_one(scheme: str, tmp_path: Path) -> None:
    assert database_url(f"{scheme}://u@h:5/d?sslmode=require", tmp_path) == "postgresql://u@h:5/d?sslmode=require"


@pytest.mark.parametrize("wrong", ["mysql://h/d", "patchbay.db", "sqlite:///x.db"])
def test_another_kind_of_database_is_refused_with_what_would_be_right(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="postgresql://"):
        DatabaseStore(wrong, tmp_path)


async def test_a_server_that_does_not_answer_is_a_clear_error(unused_tcp_port: int, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=re.escape("database.url")):
        await DatabaseStore(f"postgres://nobody@127.0.0.1:{unused_tcp_port}/none", tmp_path).open()


async def test_libpqs_sslmode_is_understood(tmp_path: Path) -> None:
    async with postgres_database() as address, opened(f"{address}?sslmode=disable", tmp_path) as store:
        assert await store.projects() == []


async def test_a_data_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match="Not a directory"):
        await DatabaseStore(None, tmp_path / "file" / "data").open()


async def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    async with opened("", tmp_path / "data"):
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "data").iterdir()}

    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert modes[FILE_NAME] == 0o600
    assert set(modes.values()) == {0o600}


async def test_sqlite_keeps_what_it_has_committed(tmp_path: Path) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    async with sqlite_store(tmp_path) as store:
        found = {}
        for name in wanted:
            (row,) = await store._database.client.execute_query_dict(f"PRAGMA {name}")
            (found[name],) = row.values()

    assert found == wanted


# --------------------------------------------------------------------------------------------- contexts


async def test_any_task_may_use_it_whatever_its_context(url: str, tmp_path: Path) -> None:
    async def whole(store: DatabaseStore) -> None:
        await store.accept([Arrival("a", Delivery("slack", "a", b""))], "slack", "1")
        await store.put_link(Link(THREAD, ProjectKey("DEMO")))
        assert await store.cursor("slack") == "1"
        assert await store.outgoing(PostKey("none")) is None
        assert await store.projects() == []

    async with opened(url, tmp_path) as store:
        await asyncio.create_task(whole(store), context=contextvars.Context())


async def test_two_stores_in_one_process_do_not_disturb_each_other(tmp_path: Path) -> None:
    first, second = DatabaseStore(None, tmp_path / "1"), DatabaseStore(None, tmp_path / "2")
    calls: list[Callable[[], Awaitable[None]]] = [first.open, second.open, first.close]
    for call in calls:
        await call()
    try:
        await second.put_link(Link(THREAD, ProjectKey("DEMO")))
        await second.accept([], "slack", "7")
        assert await second.cursor("slack") == "7"
    finally:
        await second.close()


async def test_the_other_kind_of_database_may_follow_in_one_process(tmp_path: Path) -> None:
    async with postgres_database() as address:
        for url in ("", address, ""):
            async with opened(url, tmp_path) as store:
                await store.put_settings(ChatSettings(THREAD.room, language="de"))
                await store.put_link(Link(THREAD, ProjectKey("DEMO")))
                assert await store.project(ProjectKey("DEMO")) is None
                assert await store.drop_link(THREAD)
    assert await administer("SELECT 1 AS one")
