"""The store of the contract tests: each test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.store import DatabaseStore
from tests.databases import postgres_store, postgres_template, sqlite_store


class Hands:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def turn(self, **by: float) -> datetime:
        self.time += timedelta(**by)
        return self.time


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture(params=["sqlite", "postgres"], scope="module")
def template(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The PostgreSQL database to copy from; None: SQLite."""
    if request.param == "sqlite":
        yield None
        return
    with postgres_template() as name:
        yield name


@pytest.fixture
async def store(template: str | None, tmp_path: Path, hands: Hands) -> AsyncIterator[DatabaseStore]:
    opened = sqlite_store(tmp_path, now=hands.now) if template is None else postgres_store(template, now=hands.now)
    async with opened as store:
        yield store
