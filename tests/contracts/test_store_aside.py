"""What was set aside: listed, handled again as if it were new, or dropped for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adapters.store import DatabaseStore
from core.model.chat import Delivery
from core.ports import Arrival, Aside
from tests.contracts.conftest import Hands


def arrival(key: str, raw: bytes = b'{"text": "said"}') -> Arrival:
    return Arrival(key, Delivery("slack", f"event-{key}", raw))


async def poison(store: DatabaseStore, *keys: str) -> None:
    for key in keys:
        await store.accept([arrival(key)], "slack", None)
        for _ in range(3):
            await store.fail(key, "KeyError('x')")
        await store.set_aside(key, "KeyError('x')")


async def test_what_is_set_aside_is_listed_in_the_order_it_came(store: DatabaseStore, hands: Hands) -> None:
    await poison(store, "b")
    hands.turn(minutes=1)
    await poison(store, "a")
    await store.accept([arrival("fine")], "slack", None)

    began = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert await store.asides() == [
        Aside(arrival("b"), began, 3, "KeyError('x')"),
        Aside(arrival("a"), began + timedelta(minutes=1), 3, "KeyError('x')"),
    ]


async def test_what_is_replayed_is_unsettled_and_as_if_it_had_never_been_tried(store: DatabaseStore) -> None:
    await poison(store, "a", "b")

    assert await store.replay("a")

    assert await store.unsettled() == [arrival("a")]
    assert [each.arrival.key for each in await store.asides()] == ["b"]
    assert await store.fail("a", "boom") == 1
    assert await store.accept([arrival("a")], "slack", None) == set()


async def test_what_is_dropped_stays_known_without_its_content(store: DatabaseStore, hands: Hands) -> None:
    await poison(store, "a")

    assert await store.drop("a")

    assert await store.asides() == []
    assert await store.unsettled() == []
    assert not await store.replay("a")
    assert await store.accept([arrival("a")], "slack", None) == set()
    rows = await store._database.client.execute_query_dict("SELECT payload FROM inbox")
    assert [bytes(each["payload"]) for each in rows] == [b""]
    hands.turn(days=9)
    assert await store.prune(hands.now()) == 1


async def test_only_what_is_set_aside_can_be_replayed_or_dropped(store: DatabaseStore) -> None:
    await store.accept([arrival("waits"), arrival("done")], "slack", None)
    await store.settle("done")

    for key in ("waits", "done", "nowhere", "\x00\ud800"):
        assert not await store.replay(key)
        assert not await store.drop(key)
    assert await store.unsettled() == [arrival("waits")]
