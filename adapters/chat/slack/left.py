"""Streams that may stand in Slack, in a file of the data folder: those that a kill has left are found again.

A stream is written down before Slack is asked for it, and again when Slack has named its ts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "slack-streams.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream is. `name` is ours and stands in it; `ts` is empty until Slack has told it."""

    name: str
    channel: str
    root: str
    ts: str = ""


class Left:
    """`folder` None: nothing outlives this process. A file that cannot be read or written is no error."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / FILE if folder else None
        self._places: dict[str, Place] | None = None
        self._lock = asyncio.Lock()

    async def all(self) -> list[Place]:
        """In the order they came."""
        async with self._lock:
            return list((await self._known()).values())

    async def put(self, place: Place) -> None:
        async with self._lock:
            (await self._known())[place.name] = place
            await self._write()

    async def drop(self, name: str) -> None:
        async with self._lock:
            if (await self._known()).pop(name, None) is not None:
                await self._write()

    async def _known(self) -> dict[str, Place]:
        if self._places is None:
            found = await asyncio.to_thread(_read, self._file) if self._file else []
            self._places = {each.name: each for each in found}
        return self._places

    async def _write(self) -> None:
        if self._file is not None and self._places is not None:
            await asyncio.to_thread(_replace, self._file, [asdict(each) for each in self._places.values()])


def _read(file: Path) -> list[Place]:
    try:
        rows = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    return [place for row in rows if (place := _place(row))] if isinstance(rows, list) else []


def _place(row: Any) -> Place | None:  # noqa: ANN401 - JSON
    is_whole = isinstance(row, Mapping) and all(isinstance(row.get(name), str) for name in Place.__slots__)
    return Place(**{name: row[name] for name in Place.__slots__}) if is_whole else None


def _replace(file: Path, rows: list[dict[str, str]]) -> None:
    new = file.with_suffix(".new")
    with suppress(OSError):
        new.write_text(json.dumps(rows))
        new.replace(file)
