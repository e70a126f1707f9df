"""The inbox: committed before it is acknowledged, in order in a thread, each cause once, poison set aside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from adapters.store import DatabaseStore
from core.alerts import AlertKind, Alerts
from core.inbox import LONGEST_NAME, Inbox
from core.model.chat import ChatEvent, Delivery, Said, ThreadRef
from core.model.errors import StoreError
from tests.databases import sqlite_store
from tests.fakes.clock import FakeClock
from tests.fakes.platform import FakePlatform


@dataclass
class Desk:
    """An inbox with a listener, and what it heard."""

    store: DatabaseStore
    clock: FakeClock
    platform: FakePlatform
    heard: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    faults: dict[str, list[Exception]] = field(default_factory=dict)
    untold: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def hear(self, event: ChatEvent) -> None:
        assert isinstance(event, Said)
        if event.text in self.gates:
            await self.gates[event.text].wait()
        if self.faults.get(event.text):
            raise self.faults[event.text].pop(0)
        self.heard.append(event.text)

    async def set_aside(self, event: ChatEvent, key: str) -> None:
        self.aside.append(key)
        if self.untold:
            raise RuntimeError("and the chat is gone too")

    async def start(self) -> None:
        self.alerts = Alerts(self.clock)
        self.inbox = Inbox(self.store, self.clock, self.hear, self.set_aside, alerts=self.alerts)
        self.tasks = [asyncio.create_task(self.inbox.work())]
        await asyncio.sleep(0)
        await self.inbox.take_up(self.platform)
        take = self.inbox.take_for(self.platform)
        self.tasks.append(asyncio.create_task(self.platform.listen(take, await self.inbox.cursor("fake"))))

    async def crash(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def inside(self, root: str) -> ThreadRef:
        return replace(self.platform.thread, root=root)

    async def until(self, claim: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not claim():
                await asyncio.sleep(0.005)
                await self.clock.forward(1)


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Desk]:
    async with sqlite_store(tmp_path) as store:
        desk = Desk(store, FakeClock(), FakePlatform())
        await desk.start()
        try:
            yield desk
        finally:
            await desk.crash()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(tmp_path) as each:
        yield each


async def test_what_was_said_in_a_thread_is_heard_in_order(desk: Desk) -> None:
    desk.gates["0"] = asyncio.Event()
    for number in range(5):
        await desk.platform.say(str(number))
    assert desk.heard == []
    assert desk.inbox.depth() == 5
    desk.gates["0"].set()
    await desk.inbox.until_quiet()

    assert desk.heard == ["0", "1", "2", "3", "4"]
    assert desk.inbox.depth() == 0


async def test_one_slow_thread_never_holds_another(desk: Desk) -> None:
    desk.gates["slow"] = asyncio.Event()
    await desk.platform.say("slow", thread=desk.inside("a"))
    await desk.platform.say("after slow", thread=desk.inside("a"))
    await desk.platform.say("quick", thread=desk.inside("b"))
    await desk.until(lambda: bool(desk.heard))

    assert desk.heard == ["quick"]
    desk.gates["slow"].set()
    await desk.inbox.until_quiet()
    assert desk.heard == ["quick", "slow", "after slow"]


async def test_a_name_that_no_database_takes_is_not_kept_and_holds_up_nothing(desk: Desk) -> None:
    await desk.platform.say("endless", thread=desk.inside("x" * LONGEST_NAME))
    await desk.platform.say("half a character", thread=desk.inside("\ud800"))
    await desk.platform.say("short")
    await desk.inbox.until_quiet()

    assert sorted(desk.heard) == ["half a character", "short"]


async def test_the_same_cause_twice_is_heard_once(desk: Desk) -> None:
    said = await desk.platform.say("once")
    await desk.platform.deliver(said, "another delivery")
    await desk.inbox.until_quiet()
    await desk.platform.deliver(said)
    await desk.inbox.until_quiet()

    assert desk.heard == ["once"]
    assert await desk.store.unsettled() == []


async def test_the_same_cause_twice_in_one_batch(desk: Desk) -> None:
    said = await desk.platform.say("first")
    raw = (await _raw(desk, said)).replace(b"first", b"second").replace(b":m1", b":m9")
    await desk.inbox.take_for(desk.platform)([Delivery("fake", each, raw) for each in ("d1", "d2")], "7")
    await desk.inbox.until_quiet()

    assert desk.heard == ["first", "second"]
    assert await desk.inbox.cursor("fake") == "7"


async def _raw(desk: Desk, said: Said) -> bytes:
    taken: list[bytes] = []

    async def take(deliveries: object, cursor: str | None = None) -> None:
        taken.extend(each.raw for each in deliveries)  # type: ignore[attr-defined]

    keep, desk.platform._take = desk.platform._take, take
    await desk.platform.deliver(said)
    desk.platform._take = keep
    return taken[0]


async def test_what_is_nothing_for_us_is_not_kept(desk: Desk) -> None:
    await desk.platform.deliver_raw(b"not json")

    assert await desk.store.unsettled() == []
    assert await desk.inbox.cursor("fake") is not None


async def test_what_was_taken_and_not_heard_is_heard_after_a_restart_in_order(desk: Desk) -> None:
    desk.gates["0"] = asyncio.Event()
    for number in range(3):
        await desk.platform.say(str(number))
    await desk.crash()
    desk.gates.clear()

    await desk.start()
    await desk.inbox.take_up(desk.platform)
    await desk.inbox.until_quiet()

    assert desk.heard == ["0", "1", "2"]
    await desk.crash()
    await desk.start()
    await desk.inbox.until_quiet()
    assert desk.heard == ["0", "1", "2"]


async def test_what_is_taken_up_before_the_work_begins_is_heard_then(desk: Desk) -> None:
    desk.gates["0"] = asyncio.Event()
    await desk.platform.say("0")
    await desk.crash()
    desk.gates.clear()
    inbox = Inbox(desk.store, desk.clock, desk.hear, desk.set_aside)
    await inbox.take_up(desk.platform)
    await inbox.take_up(desk.platform)
    await inbox.take_up(FakePlatform("other"))
    assert inbox.depth() == 1

    desk.tasks = [asyncio.create_task(inbox.work())]
    await inbox.until_quiet()

    assert desk.heard == ["0"]


async def test_what_can_no_longer_be_read_stays_where_it_is(desk: Desk) -> None:
    desk.gates["0"] = asyncio.Event()
    await desk.platform.say("0")
    await desk.crash()
    desk.platform.read = lambda raw: None  # type: ignore[method-assign]

    await desk.start()
    await desk.inbox.until_quiet()

    assert desk.heard == []
    assert len(await desk.store.unsettled()) == 1


async def test_a_fault_that_passes_is_tried_again(desk: Desk) -> None:
    desk.faults["shaky"] = [ZeroDivisionError(), ZeroDivisionError()]
    await desk.platform.say("shaky")
    await desk.platform.say("next")
    await desk.until(lambda: len(desk.heard) == 2)

    assert desk.heard == ["shaky", "next"]
    assert desk.aside == []


@pytest.mark.parametrize("untold", [False, True])
async def test_poison_is_set_aside_after_three_tries_and_its_thread_goes_on(desk: Desk, untold: bool) -> None:  # noqa: FBT001
    desk.untold = untold
    desk.faults["poison"] = [ZeroDivisionError() for _ in range(9)]
    said = await desk.platform.say("poison")
    await desk.platform.say("next")
    await desk.until(lambda: "next" in desk.heard)

    assert len(desk.faults["poison"]) == 6
    assert desk.aside == [said.cause]
    assert await desk.store.unsettled() == []
    [alert] = desk.alerts.due()
    assert (alert.kind, alert.subject) == (AlertKind.SET_ASIDE, said.cause)
    assert f"(ZeroDivisionError) and is set aside as `{said.cause}`" in alert.words
    assert f"`patchbay inbox replay {said.cause}`" in alert.words
    await desk.crash()
    await desk.start()
    await desk.inbox.remind()
    [reminder] = desk.alerts.due()
    assert reminder.words.startswith(f"Still set aside: 1, the last one `{said.cause}`. ")
    await desk.inbox.until_quiet()
    assert desk.heard == ["next"]


async def test_where_nothing_is_set_aside_nobody_is_reminded(desk: Desk) -> None:
    await desk.inbox.remind()

    assert desk.alerts.due() == []


async def test_a_store_that_cannot_write_is_waited_for_and_is_no_poison(desk: Desk) -> None:
    desk.faults["said"] = [StoreError("disk full") for _ in range(5)]
    await desk.platform.say("said")
    await desk.until(lambda: desk.heard == ["said"])

    assert desk.aside == []


async def test_a_store_that_cannot_even_note_the_fault_is_waited_for(desk: Desk) -> None:
    desk.faults["poison"] = [ZeroDivisionError() for _ in range(9)]
    fail, refused = desk.store.fail, [StoreError("disk full"), StoreError("disk full")]

    async def busy(key: str, error: str) -> int:
        if refused:
            raise refused.pop()
        return await fail(key, error)

    desk.store.fail = busy  # type: ignore[method-assign]
    await desk.platform.say("poison")
    await desk.until(lambda: bool(desk.aside))

    assert await desk.store.unsettled() == []


async def test_what_cannot_be_kept_is_not_acknowledged(desk: Desk) -> None:
    async def full(*_: object) -> set[str]:
        raise StoreError("disk full")

    desk.store.accept = full  # type: ignore[assignment, method-assign]

    with pytest.raises(StoreError):
        await desk.platform.say("lost?")
    assert desk.heard == []
