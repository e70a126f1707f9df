"""The watch: what it sees, and what it tells of it, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from core.alerts import AlertKind, Alerts
from core.circuits import OUTAGES, AllCircuits
from core.model.errors import StoreError
from core.ports import Arrival
from core.watch import LOOK_SECONDS, Watch
from tests.fakes.clock import FakeClock
from tests.whole import WholeBot

MB = 1_000_000


class Watched:
    """A database and a disk that can be broken."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.alerts = Alerts(self.clock)
        self.circuits = AllCircuits(self.clock)
        self.trouble: Exception | None = None
        self.is_silent = False
        self.free: int | None = 900 * MB
        self.writes = 0
        self.watch = Watch(self.alerts, self.circuits, self, self._room, self.clock, 500 * MB)  # type: ignore[arg-type]

    async def accept(self, arrivals: Sequence[Arrival], platform: str, cursor: str | None) -> set[str]:
        self.writes += 1
        if self.is_silent:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble
        return set()

    async def _room(self) -> int | None:
        return self.free

    async def told(self) -> list[tuple[AlertKind, str]]:
        await self.watch.look()
        return [(each.kind, each.words) for each in self.alerts.due()]


async def test_a_database_that_takes_nothing_is_told_and_that_it_is_back() -> None:
    seen = Watched()
    well = await seen.told()
    seen.trouble = StoreError("The disk is full.")
    await seen.clock.forward(10)
    down = await seen.told()
    await seen.clock.forward(60)
    still = await seen.told()
    seen.trouble = None
    await seen.clock.forward(60)
    back = await seen.told()

    assert (well, still) == ([], [])
    assert down == [
        (
            AlertKind.STORE_DOWN,
            "Since 09:00 UTC nothing can be kept, so nothing that is said is taken. The disk is full.",
        )
    ]
    words = "The database takes writes again. It took none from 09:00 to 09:02 UTC."
    assert back == [(AlertKind.STORE_BACK, words)]


async def test_a_database_that_is_silent_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.watch.ANSWER_SECONDS", 0.01)
    seen = Watched()
    seen.is_silent = True

    assert not await seen.watch.store_takes_writes()
    [alert] = seen.alerts.due()
    assert "no answer in 0.01 s" in alert.words


async def test_it_is_asked_once_a_second_however_many_want_to_know() -> None:
    seen = Watched()
    answers = await asyncio.gather(*(seen.watch.store_takes_writes() for _ in range(20)))
    asked_at_first = seen.writes
    await seen.clock.forward(1)
    await seen.watch.store_takes_writes()

    assert (answers, asked_at_first, seen.writes) == ([True] * 20, 1, 2)


async def test_little_room_is_told_once_until_there_was_enough() -> None:
    seen = Watched()
    kinds = []
    for free in (501, 499, 100, 501, 499, 560, 499, None):
        seen.free = None if free is None else free * MB
        await seen.clock.forward(3600)
        kinds.append([each for each, _ in await seen.told()])

    low = [AlertKind.DISK_LOW]
    assert kinds == [[], low, [], [], [], [], low, []]
    assert seen.watch.free_bytes is None


async def test_a_service_is_told_after_five_minutes_and_when_it_is_back() -> None:
    seen = Watched()
    hub = seen.circuits.circuit("github", "GitHub")
    for _ in range(OUTAGES):
        hub.failed("connection refused")
    first = await seen.told()
    await seen.clock.forward(300)
    down = await seen.told()
    await seen.clock.forward(300)
    hub.failed("connection refused")
    still = await seen.told()
    hub.answered()
    back = await seen.told()

    assert (first, still) == ([], [])
    said = "GitHub does not answer since 09:00 UTC; the next call tries again. The last try: connection refused."
    assert down == [(AlertKind.SERVICE_DOWN, said)]
    assert back == [(AlertKind.SERVICE_BACK, "GitHub answers again.")]


async def test_a_short_outage_of_a_service_is_not_told() -> None:
    seen = Watched()
    hub = seen.circuits.circuit("github", "GitHub")
    for _ in range(OUTAGES):
        hub.failed("refused")
    await seen.clock.forward(299)
    await seen.watch.look()
    hub.answered()

    assert await seen.told() == []


async def test_it_looks_again_and_again_whatever_goes_wrong() -> None:
    seen = Watched()
    task = asyncio.create_task(seen.watch.work())
    await seen.clock.forward(0)
    seen.trouble = RuntimeError("a fault of ours")
    await seen.clock.forward(LOOK_SECONDS)
    seen.trouble = None
    await seen.clock.forward(LOOK_SECONDS)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert seen.writes == 3


async def test_a_real_database_is_asked_for_a_write(bot: WholeBot) -> None:
    watch = Watch(Alerts(bot.clock), AllCircuits(bot.clock), bot.store, nothing, bot.clock, 0)

    assert await watch.store_takes_writes()
    assert await bot.store.cursor("watch") == bot.clock.now().isoformat()


async def nothing() -> None:
    return None
