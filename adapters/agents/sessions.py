"""The folder of the built-in loop's sessions, as the daily tidying sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

SUFFIXES = (".json", ".new", ".broken")
"""A session, one that is being written, and one that could not be read (see `session.py`)."""


class SessionFolder:
    """Fulfils core.tidying.Sessions. The folder need not be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def used(self) -> Mapping[str, datetime]:
        return await asyncio.to_thread(self._used)

    async def forget(self, session: str) -> None:
        for suffix in SUFFIXES:
            await asyncio.to_thread((self._folder / f"{session}{suffix}").unlink, missing_ok=True)

    def _used(self) -> dict[str, datetime]:
        found: dict[str, float] = {}
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            if path.suffix in SUFFIXES:
                found[path.stem] = max(found.get(path.stem, 0.0), path.stat().st_mtime)
        return {session: datetime.fromtimestamp(at, UTC) for session, at in found.items()}
