"""When the bot was last alive is known after it has come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adapters.store import DatabaseStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def test_the_last_beat_is_the_one_that_is_known(store: DatabaseStore) -> None:
    assert await store.last_beat() is None

    await store.beat(NOW)
    await store.beat(NOW + timedelta(seconds=30))

    assert await store.last_beat() == NOW + timedelta(seconds=30)
