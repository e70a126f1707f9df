"""What is DBOS's alone: one for each process, a database that is not there, what its file keeps of time."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.engine import DbosEngine, database
from adapters.engine.prune import AT_ONCE
from adapters.engine.quick import quicken
from core.model.codec import Json
from core.model.errors import StoreError
from core.ports import Flow, FlowState


async def nothing(flow: Flow, args: Json) -> Json:
    return None


async def waits(flow: Flow, args: Json) -> Json:
    return await flow.wait("t", 20)


def modes_in(folder: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}


async def test_a_database_that_cannot_be_opened_is_said_to_be(tmp_path: Path) -> None:
    engine = DbosEngine(None, tmp_path / "missing")
    with pytest.raises(StoreError, match="cannot be opened"):
        await engine.launch({"nothing.v1": nothing})

    await asyncio.to_thread((tmp_path / "missing").mkdir)
    await engine.launch({"nothing.v1": nothing})
    assert await engine.state("none") is None
    await engine.close(0)


async def test_a_second_engine_in_one_process_is_refused(tmp_path: Path) -> None:
    engine = DbosEngine(None, tmp_path)
    await engine.launch({"nothing.v1": nothing})
    with pytest.raises(RuntimeError, match="already"):
        await DbosEngine(None, tmp_path).launch({"nothing.v1": nothing})

    await engine.start("nothing.v1", "flow", None)
    while await engine.state("flow") is FlowState.OPEN:  # noqa: ASYNC110 - it is over in a moment
        await asyncio.sleep(0.01)
    modes = await asyncio.to_thread(modes_in, tmp_path)
    assert modes[database.FILE] == 0o600
    assert set(modes.values()) == {0o600}
    await engine.close(1)
    assert await asyncio.to_thread(str, 1) == "1", "the loop's own threads work again"
    await engine.close(1)


async def test_an_engine_may_be_closed_that_was_never_launched(tmp_path: Path) -> None:
    await DbosEngine(None, tmp_path).close(0)


async def test_threads_are_to_be_had_all_the_time_that_it_closes(tmp_path: Path) -> None:
    engine = DbosEngine(None, tmp_path)
    await engine.launch({"nothing.v1": nothing})
    await engine.start("nothing.v1", "flow", None)
    while await engine.state("flow") is FlowState.OPEN:  # noqa: ASYNC110 - it is over in a moment
        await asyncio.sleep(0.01)

    ending = asyncio.create_task(engine.close(1))
    while not ending.done():
        assert await asyncio.to_thread(str, 1) == "1", "what works beside it is not ended"
        await asyncio.sleep(0)
    await ending


async def test_nothing_is_left_of_flows_that_are_forgotten(tmp_path: Path) -> None:
    count = AT_ONCE + 20
    engine = DbosEngine(None, tmp_path)
    await engine.launch({"waits.v1": waits})
    for number in range(count):
        await engine.start("waits.v1", f"flow-{number}", None)
        await engine.signal(f"flow-{number}", "t", number, "k")
    for number in range(count):
        while await engine.state(f"flow-{number}") is FlowState.OPEN:  # noqa: ASYNC110 - it is over in a moment
            await asyncio.sleep(0.01)
    assert await asyncio.to_thread(rows_in, tmp_path) >= 3 * count

    assert await engine.prune(datetime.now(UTC) + timedelta(seconds=5)) == count

    assert await asyncio.to_thread(rows_in, tmp_path) == 0
    await engine.close(1)


def rows_in(folder: Path) -> int:
    """Of every table that names a flow."""
    with closing(sqlite3.connect(folder / database.FILE)) as connection:
        named = "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = ?"
        tables = [
            name for column in ("workflow_uuid", "destination_uuid") for (name,) in connection.execute(named, (column,))
        ]
        return sum(connection.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in tables)


def test_the_file_is_safe_and_counts_ascending_milliseconds(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / database.FILE, factory=database.EngineConnection)
    connection.execute("CREATE TABLE t (a INTEGER, b INTEGER DEFAULT (strftime('%s', 'now') * 1000))")
    for number in range(300):
        connection.execute("INSERT INTO t VALUES (?, unixepoch('subsec') * 1000)", (number,))
        connection.execute("INSERT INTO t (a) VALUES (?)", (number,))
    times = [row[0] for row in connection.execute("SELECT b FROM t ORDER BY rowid")]

    assert times == sorted(set(times))
    assert {type(each) for each in times} == {int}
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT strftime('%Y', 'now')").fetchall()
    connection.close()


@pytest.mark.parametrize("url", ["postgres://ann@db/bot", "postgresql://ann@db/bot"])
def test_both_names_of_postgresql_are_known(url: str, tmp_path: Path) -> None:
    assert database.settings(url, tmp_path)["system_database_url"] == "postgresql://ann@db/bot"


class SystemDatabase:
    """As far as it is looked at before it is left alone."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite


@pytest.mark.parametrize(("is_sqlite", "release"), [(False, "3.4.0"), (True, "3.5.0"), (True, "4.3.4.0")])
def test_only_the_tables_we_know_are_written_in_sql(is_sqlite: bool, release: str) -> None:  # noqa: FBT001
    database_ = SystemDatabase(is_sqlite=is_sqlite)

    assert not quicken(database_, release)
    assert vars(database_) == {"_is_sqlite": is_sqlite}


async def test_a_step_is_kept_as_dbos_itself_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {}
    for way in ("quick", "slow"):
        if way == "slow":
            monkeypatch.setattr("adapters.engine.durable.quicken", lambda _: False)
        folder = tmp_path / way
        await asyncio.to_thread(folder.mkdir)
        engine = DbosEngine(None, folder)
        await engine.launch({"two.v1": two_steps})
        await engine.start("two.v1", "flow", None)
        while await engine.state("flow") is FlowState.OPEN:  # noqa: ASYNC110 - it is over in a moment
            await asyncio.sleep(0.01)
        await engine.close(1)
        rows[way] = await asyncio.to_thread(kept_in, folder)

    assert len(rows["quick"]) == 2
    assert rows["quick"] == rows["slow"]


async def two_steps(flow: Flow, args: Json) -> Json:
    async def say(word: str) -> str:
        return word

    return [await flow.step(word, str, say, word) for word in ("ä", "b")]


def kept_in(folder: Path) -> list[dict[str, object]]:
    """Without times, but with whether there is one."""
    connection = sqlite3.connect(folder / database.FILE)
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute("SELECT * FROM operation_outputs ORDER BY function_id")]
    connection.close()
    times = ("started_at_epoch_ms", "completed_at_epoch_ms", "retention_timestamp")
    return [{**row, **{each: isinstance(row[each], int) for each in times}} for row in rows]
