"""Where the engine keeps its journal: a file of its own beside the Store's, or the Store's PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbos import DBOSConfig

FILE = "engine.db"
"""Not the Store's file. Measured with the Store committing every 5 ms beside eight busy flows: in one file a commit of
the Store took up to 430 ms (SQLite's busy handler sleeps in growing pauses), in two files never more than 7 ms."""

POSTGRES_POOL = 8


def settings(url: str | None, data: Path) -> DBOSConfig:
    """What DBOS is told about the database. `url` empty: SQLite in `data`."""
    if url:
        return {
            "system_database_url": url.replace("postgres://", "postgresql://", 1),
            "sys_db_pool_size": POSTGRES_POOL,
        }
    return {
        "system_database_url": f"sqlite:///{data / FILE}",
        # One connection: its threads then take turns by a lock instead of by SQLite's busy handler. Measured with eight
        # flows at once: the slowest took 100 ms instead of 600-1,000 ms.
        "db_engine_kwargs": {"pool_size": 1, "max_overflow": 0, "connect_args": {"factory": EngineConnection}},
    }


def make_private(data: Path) -> None:
    """The file is its owner's alone, and so is what SQLite makes beside it. Who opens it tells a missing folder."""
    with suppress(FileNotFoundError):
        os.close(os.open(data / FILE, os.O_RDWR | os.O_CREAT, 0o600))


class EngineConnection(sqlite3.Connection):
    """WAL, every commit on the disk, and clocks that count milliseconds."""

    def __init__(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - sqlite3's own signature
        super().__init__(*args, **more)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=FULL")
        with suppress(sqlite3.Error):  # as the Store does it: what an fsync that failed left in memory is written again
            self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        now = _Ascending()
        # DBOS stamps signals by unixepoch('subsec') (NULL before SQLite 3.42: it cannot launch) or, on Python 3.11, by
        # strftime('%s') (whole seconds: two signals in one second come in any order).
        self.create_function("unixepoch", 1, now.seconds)
        self.create_function("strftime", 2, now.strftime)


class _Ascending:
    """Unix time in seconds, never twice the same, such that a thousandfold is a whole number."""

    def __init__(self) -> None:
        self._last = 0

    def seconds(self, _modifier: str) -> float:
        self._last = max(self._last + 1, int(time.time() * 1000))
        while self._last / 1000 * 1000 != self._last:
            self._last += 1
        return self._last / 1000

    def strftime(self, form: str, when: str) -> float:
        if (form, when) != ("%s", "now"):
            raise ValueError(f"the engine's file knows strftime('%s', 'now') alone, not {form!r}, {when!r}")
        return self.seconds("subsec")
