"""What a life of the bot wrote ahead and did not get to write through is written through by the next one, first."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from adapters.engine.database import EngineConnection
from adapters.store.database import FILE_NAME
from core.model.chat import Delivery
from core.ports import Arrival
from tests.databases import sqlite_store

ARRIVAL = Arrival("k", Delivery("fake", "d", b"raw"))


async def test_the_store_writes_through_what_was_written_ahead(tmp_path: Path) -> None:
    left = tmp_path / "left"
    async with sqlite_store(tmp_path / "data") as store:
        await store.accept([ARRIVAL], "fake", None)
        left.mkdir()
        for each in (FILE_NAME, f"{FILE_NAME}-wal"):
            shutil.copyfile(tmp_path / "data" / each, left / each)
    ahead = left / f"{FILE_NAME}-wal"
    before = ahead.stat().st_size
    async with sqlite_store(left) as store:
        after = ahead.stat().st_size
        unsettled = await store.unsettled()

    assert (before > 0, after) == (True, 0)
    assert [each.key for each in unsettled] == ["k"]


def test_the_engine_writes_through_what_was_written_ahead(tmp_path: Path) -> None:
    file, left = tmp_path / "engine.db", tmp_path / "left.db"
    first = sqlite3.connect(file, factory=EngineConnection)
    first.execute("CREATE TABLE t (x)")
    first.commit()
    for end in ("", "-wal"):
        shutil.copyfile(f"{file}{end}", f"{left}{end}")
    first.close()
    before = Path(f"{left}-wal").stat().st_size
    second = sqlite3.connect(left, factory=EngineConnection)
    after = Path(f"{left}-wal").stat().st_size
    rows = second.execute("SELECT * FROM t").fetchall()
    second.close()

    assert (before > 0, after, rows) == (True, 0, [])
