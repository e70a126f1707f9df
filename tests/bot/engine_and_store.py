"""Run as a program: writes each number into the engine's file and then into the Store's, until it is killed.

With `store`, the other way round.
"""

from __future__ import annotations

import itertools
import sqlite3
import sys
from pathlib import Path

from adapters.engine.database import FILE, EngineConnection
from adapters.store.database import FILE_NAME


def main(data: Path, first: str) -> None:
    files = {
        "engine": sqlite3.connect(data / FILE, factory=EngineConnection, isolation_level=None),
        "store": sqlite3.connect(data / FILE_NAME, isolation_level=None),
    }
    files["store"].execute("PRAGMA journal_mode=WAL")
    for file in files.values():
        file.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    order = [files[first], *(file for name, file in files.items() if name != first)]
    for number in itertools.count():
        for file in order:
            file.execute("INSERT INTO numbers VALUES (?)", [number])
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
