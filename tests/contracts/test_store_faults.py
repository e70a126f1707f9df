"""When the database cannot: nothing is acknowledged, nothing is lost, and it goes on by itself."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from tortoise.exceptions import OperationalError

from adapters.store import DatabaseStore, writer
from adapters.store.database import FILE_NAME, Transaction
from adapters.store.exclusive import AdvisoryLock
from adapters.store.faults import InDoubtError, is_outage, is_passing, told
from core.model.chat import Button, Cause, Delivery, Post, PostKey, Priority, ThreadRef
from core.model.errors import NotFound, StoreBusy, StoreError
from core.model.work import Link, ProjectKey, RunId, RunState, WorkId
from core.ports import Arrival, Outgoing, SendState
from tests.contracts.conftest import Hands
from tests.databases import postgres_store, sqlite_store

THREAD = ThreadRef("slack", "T1", "C1", "1")
KEY = PostKey("reply:1")
LINK = Link(THREAD, ProjectKey("DEMO"))


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[DatabaseStore]:
    async with sqlite_store(tmp_path) as store:
        yield store


@pytest.fixture
async def on_postgres() -> AsyncIterator[DatabaseStore]:
    async with postgres_store() as store:
        yield store


def arrival(key: str, raw: bytes = b"{}") -> Arrival:
    return Arrival(key, Delivery("slack", key, raw))


def outgoing(key: str = KEY) -> Outgoing:
    return Outgoing(PostKey(key), THREAD, Post("hello"), Priority.ANSWER)


async def pragma(store: DatabaseStore, words: str) -> int:
    (row,) = await store._database.client.execute_query_dict(f"PRAGMA {words}")
    return int(next(iter(row.values())))


# --------------------------------------------------------------------------------------- no more room


async def test_a_full_disk_is_said_and_survived(on_sqlite: DatabaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PAUSE_SECONDS", 0.01)
    store = on_sqlite
    await store.accept([arrival("before")], "slack", "1")
    await store.put_posts([outgoing()])
    await pragma(store, f"max_page_count = {await pragma(store, 'page_count') + 2}")

    with pytest.raises(StoreError, match="Make room"):
        await store.accept([arrival("big", b"x" * 100_000)], "slack", "2")
    assert [each.key for each in await store.unsettled()] == ["before"]
    assert await store.cursor("slack") == "1"

    await pragma(store, "max_page_count = 100000")
    assert await store.accept([arrival("big", b"x" * 100_000)], "slack", "2") == {"big"}


async def test_marks_that_found_no_room_are_written_when_there_is_some(
    on_sqlite: DatabaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PAUSE_SECONDS", 0.01)
    store = on_sqlite
    await store.accept([arrival("a")], "slack", None)
    await store.put_posts([outgoing()])
    full = await pragma(store, "page_count")
    await pragma(store, f"max_page_count = {full}")
    with pytest.raises(StoreError, match="Make room"):
        await asyncio.gather(
            store.accept([arrival("big", b"x" * 100_000)], "slack", None),
            store.mark(KEY, SendState.SENT, shown=1),
            store.settle("a"),
        )

    await pragma(store, "max_page_count = 100000")
    assert await eventually(lambda: is_sent(store))
    assert await store.unsettled() == []


async def is_sent(store: DatabaseStore) -> bool:
    """As it stands in the file, without asking the writer."""
    (row,) = await store._database.client.execute_query_dict("SELECT state FROM posts")
    return bool(row["state"] == "sent")


async def eventually(claim: Callable[[], Awaitable[bool]]) -> bool:
    for _ in range(500):
        if await claim():
            return True
        await asyncio.sleep(0.01)
    return False


async def test_an_oversized_ask_does_not_spoil_those_beside_it(on_sqlite: DatabaseStore) -> None:
    store = on_sqlite
    huge = arrival("huge", b"x" * 3_000_000)
    limit = await limited(store, 2_000_000)
    try:
        told = await asyncio.gather(
            store.accept([arrival("a")], "slack", None),
            store.accept([huge], "slack", None),
            store.put_posts([outgoing()]),
            store.move(RunId("none"), RunState.RUNNING, store._now()),
            return_exceptions=True,
        )
    finally:
        await limited(store, limit)

    assert told[0] == {"a"}
    assert isinstance(told[1], StoreError)
    assert isinstance(told[2], list)
    assert [each.key for each in told[2]] == [KEY]
    assert isinstance(told[3], NotFound)
    assert [each.key for each in await store.unsettled()] == ["a"]


async def limited(store: DatabaseStore, size: int) -> int:
    """SQLite refuses a row above this size, as a database may refuse any one thing."""
    connection: Any = store._database.client
    before = await connection._connection._execute(
        connection._connection._conn.setlimit, sqlite3.SQLITE_LIMIT_LENGTH, size
    )
    return int(before)


async def test_a_mistake_of_ours_is_raised_as_it_is(on_sqlite: DatabaseStore) -> None:
    async def wrong(_tx: Transaction) -> None:
        raise TypeError("a mistake")

    with pytest.raises(TypeError, match="a mistake"):
        await on_sqlite._writer.write(wrong)
    assert await on_sqlite.accept([arrival("a")], "slack", None) == {"a"}


async def test_what_a_failed_job_wrote_is_not_there(store: DatabaseStore) -> None:
    async def wrong(tx: Transaction) -> None:
        await tx.run("INSERT INTO lanes (name, run) VALUES (?, ?)", "x", "y")
        raise NotFound("no")

    with pytest.raises(NotFound):
        await store._writer.write(wrong)
    assert await store._database.client.execute_query_dict("SELECT * FROM lanes") == []


# --------------------------------------------------------------------------------- the engine beside us


async def test_a_file_that_the_engine_writes_to_at_the_same_time(on_sqlite: DatabaseStore, tmp_path: Path) -> None:
    store, stop, written = on_sqlite, threading.Event(), list[int]()
    neighbour = asyncio.create_task(asyncio.to_thread(write_beside, tmp_path / FILE_NAME, stop, written))
    numbers = itertools.count()
    try:
        while len(written) < 20 and not neighbour.done():
            key = f"k{next(numbers)}"
            assert await store.accept([arrival(key)], "slack", key) == {key}
            await store.put_link(LINK)
            assert not await store.has_turn(Cause(key))
    finally:
        stop.set()
        await neighbour

    assert len(await store.unsettled()) == next(numbers) > 0


def write_beside(path: Path, stop: threading.Event, written: list[int]) -> None:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    try:
        connection.execute("CREATE TABLE beside (n INTEGER)")
        while not stop.wait(0.002):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO beside VALUES (1)")
            connection.execute("COMMIT")
            written.append(1)
    finally:
        connection.close()


async def test_a_job_has_the_file_to_itself_from_its_first_read(on_sqlite: DatabaseStore, tmp_path: Path) -> None:
    async def job(tx: Transaction) -> None:
        await tx.run("SELECT * FROM runs")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            begin_beside(tmp_path / FILE_NAME)  # a job is carried out in SQLite's thread, not in the loop's

    await on_sqlite._writer.write(job)


def begin_beside(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    finally:
        connection.close()


async def test_a_lock_that_lasts_is_waited_out(on_sqlite: DatabaseStore, tmp_path: Path) -> None:
    await on_sqlite._database.client.execute_query_dict("PRAGMA busy_timeout = 10")
    async with locked(tmp_path):
        asked = asyncio.create_task(on_sqlite.accept([arrival("a")], "slack", None))
        await asyncio.sleep(0.1)
        assert not asked.done()

    assert await asked == {"a"}


async def test_a_lock_that_does_not_end_is_said(
    on_sqlite: DatabaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TRIES", 1)
    await on_sqlite._database.client.execute_query_dict("PRAGMA busy_timeout = 10")
    async with locked(tmp_path):
        with pytest.raises(StoreError, match="Another program"):
            await on_sqlite.accept([arrival("a")], "slack", None)

    assert await on_sqlite.accept([arrival("a")], "slack", None) == {"a"}


@asynccontextmanager
async def locked(data: Path) -> AsyncIterator[None]:
    other = await asyncio.to_thread(sqlite3.connect, data / FILE_NAME, isolation_level=None, check_same_thread=False)
    try:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        yield
    finally:
        await asyncio.to_thread(other.close)


# ------------------------------------------------------------------------------------- commits in doubt


@pytest.mark.parametrize("stands", [True, False])
async def test_what_a_doubtful_commit_took_in_is_new_once_more(
    store: DatabaseStore, monkeypatch: pytest.MonkeyPatch, *, stands: bool
) -> None:
    pressable = replace(outgoing(), post=Post("hello", ((Button("Go", "/help"),),)))
    await store.accept([arrival("old")], "slack", None)
    with monkeypatch.context() as patch:
        doubt(patch, stands=stands)
        with pytest.raises(StoreError):
            await store.accept([arrival("old"), arrival("a")], "slack", None)
        with pytest.raises(StoreError):
            await store.put_posts([pressable])
        with pytest.raises(StoreError):
            await store.put_link(LINK)
        assert await store.link(THREAD) is None

    told = await asyncio.gather(*(store.accept([arrival("old"), arrival("a")], "slack", None) for _ in range(3)))
    assert told == [{"a"}, set(), set()]
    (put,) = await store.put_posts([pressable])
    assert put == await store.outgoing(KEY)
    assert await store.button(put.post.buttons[0][0].token) is not None
    assert await store.put_posts([pressable]) == []
    assert await store.link(THREAD) == (LINK if stands else None)
    assert len(await store.unsent()) == 1


def doubt(patch: pytest.MonkeyPatch, *, stands: bool) -> None:
    """Commits lose their answer, as when the connection breaks meanwhile."""
    commit = Transaction.commit

    async def lost(tx: Transaction) -> None:
        await (commit(tx) if stands else tx.rollback())
        raise InDoubtError(ConnectionResetError("lost"))

    patch.setattr(Transaction, "commit", lost)


# --------------------------------------------------------------------------------------- lost connections


async def test_connections_that_the_server_ends_are_made_again(on_postgres: DatabaseStore) -> None:
    store = on_postgres
    await store.put_link(LINK)
    for _ in range(3):
        await end_connections(store)
        assert await store.cursor("slack") is None
        await end_connections(store)
        await store.accept([arrival("a")], "slack", None)
        await store.mark(KEY, SendState.SENDING)

    assert [each.key for each in await store.unsettled()] == ["a"]


async def test_a_lock_that_was_lost_to_another_stops_all_writing(
    on_postgres: DatabaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TRIES", 1)
    store = on_postgres
    thief = AdvisoryLock(store._database.url)
    await end_connections(store)
    await thief.take(2)
    try:
        with pytest.raises(StoreBusy, match="Another Patchbay"):
            await store.accept([arrival("a")], "slack", None)
    finally:
        await thief.release()
    assert await eventually(lambda: accepted(store))


async def accepted(store: DatabaseStore) -> bool:
    try:
        return await store.accept([arrival("a")], "slack", None) == {"a"}
    except (StoreBusy, StoreError):
        return False


async def end_connections(store: DatabaseStore) -> None:
    """All of this database, as a restart of the server does."""
    other = await asyncpg.connect(store._database.url)
    try:
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        await other.fetch(f"{sql} AND pid <> pg_backend_pid()")
    finally:
        await other.close()


# ---------------------------------------------------------------------------------------------- grouping


async def test_what_comes_while_a_commit_runs_shares_the_next(
    store: DatabaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[Any] = []
    commit = Transaction.commit

    async def counted(tx: Transaction) -> None:
        commits.append(tx)
        await commit(tx)

    monkeypatch.setattr(Transaction, "commit", counted)
    await asyncio.gather(*(store.accept([arrival(f"k{n}")], "slack", None) for n in range(100)))

    assert len(commits) <= 3
    assert len(await store.unsettled()) == 100


async def test_a_caller_that_gives_up_does_not_disturb_the_others(store: DatabaseStore, hands: Hands) -> None:
    given_up = asyncio.create_task(store.accept([arrival("a")], "slack", None))
    others = asyncio.gather(*(store.accept([arrival(f"k{n}")], "slack", None) for n in range(5)))
    await asyncio.sleep(0)
    given_up.cancel()

    assert await others == [{f"k{n}"} for n in range(5)]
    with pytest.raises(asyncio.CancelledError):
        await given_up


# ------------------------------------------------------------------------------------- what a person reads


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("said by SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "advice", "passes", "stops_all"),
    [
        (of_sqlite(sqlite3.SQLITE_BUSY), "Another program", True, True),
        (of_sqlite(sqlite3.SQLITE_BUSY | 2 << 8), "Another program", True, True),
        (of_sqlite(sqlite3.SQLITE_FULL), "Make room", False, True),
        (of_sqlite(sqlite3.SQLITE_READONLY), "writable", False, True),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN), "writable", False, True),
        (of_sqlite(sqlite3.SQLITE_IOERR), "last backup", False, True),
        (of_sqlite(sqlite3.SQLITE_CORRUPT), "last backup", False, True),
        (of_sqlite(sqlite3.SQLITE_TOOBIG), "The log", False, False),
        (ConnectionResetError(), "server is up", True, True),
        (TimeoutError("no answer"), "server is up", True, True),
        (asyncpg.ConnectionDoesNotExistError("gone"), "server is up", True, True),
        (asyncpg.AdminShutdownError("restart"), "server is up", True, True),
        (asyncpg.CannotConnectNowError("starting"), "server is up", True, True),
        (asyncpg.DiskFullError("full"), "Make room", False, True),
        (asyncpg.DataError("strange"), "The log", False, False),
        (OperationalError(of_sqlite(sqlite3.SQLITE_FULL)), "Make room", False, True),
        (InDoubtError(ConnectionResetError("reset")), "server is up", False, True),
        (OperationalError("by Tortoise itself"), "The log", False, False),
    ],
    ids=repr,
)
def test_each_error_says_what_to_do_and_whether_to_try_again(
    error: Exception, advice: str, *, passes: bool, stops_all: bool
) -> None:
    said = told(error)

    assert isinstance(said, StoreError)
    assert advice in str(said)
    assert (is_passing(error), is_outage(error)) == (passes, stops_all)
    assert told(said) is said


def test_what_is_no_database_error_is_left_as_it_is() -> None:
    mistake = TypeError("ours")

    assert told(mistake) is mistake
    assert not is_outage(mistake)


async def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not a database " * 100)

    with pytest.raises(StoreError, match="last backup"):
        await DatabaseStore(None, tmp_path).open()
    (tmp_path / FILE_NAME).unlink()
    async with sqlite_store(tmp_path):  # the lock was given back
        pass


async def test_a_damaged_row_stops_the_start_with_a_clear_error(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store:
        await store._database.client.execute_script("DROP TABLE links")

    with pytest.raises(StoreError, match="links"):
        await DatabaseStore(None, tmp_path).open()


async def test_reading_fails_in_our_words(on_sqlite: DatabaseStore) -> None:
    await on_sqlite._database.client.execute_script("DROP TABLE works")

    with pytest.raises(StoreError, match="works"):
        await on_sqlite.work(WorkId("w"))


async def test_marks_that_wait_for_room_are_let_go_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "TRIES", 1)
    async with sqlite_store(tmp_path) as store:
        await store.put_posts([outgoing()])
        await store._database.client.execute_query_dict("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await store.mark(KEY, SendState.SENT, shown=1)
        await asyncio.wait_for(store.close(), 5)
        other.close()

    async with sqlite_store(tmp_path) as store:
        assert [each.state for each in await store.unsent()] == [SendState.NEW]
