"""The folder of sessions, as the tidying sees it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from adapters.agents.session import open_session
from adapters.agents.sessions import SessionFolder


async def test_sessions_are_told_by_their_last_use_and_forgotten_whole(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "sessions")
    assert await folder.used() == {}
    for name in ("one", "two"):
        await (await open_session(tmp_path / "sessions", name, "")).save()
    for name, at in (("one.json", 1_000), ("one.broken", 2_000), ("two.json", 3_000), ("notes.txt", 4_000)):
        path = tmp_path / "sessions" / name
        path.touch()
        os.utime(path, (at, at))

    assert await folder.used() == {
        "one": datetime.fromtimestamp(2_000, UTC),
        "two": datetime.fromtimestamp(3_000, UTC),
    }
    await folder.forget("one")
    await folder.forget("one")

    assert sorted(each.name for each in (tmp_path / "sessions").iterdir()) == ["notes.txt", "two.json"]
    assert (await open_session(tmp_path / "sessions", "run", "one")).is_lost
