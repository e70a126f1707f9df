"""Alerts reach the owners: each of them who can be written to, once, whatever fails on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from core.alerts import MOST_SUBJECTS, AlertKind, Alerts
from core.authority import Listed
from core.model.chat import Person, ThreadRef
from core.model.errors import ChatError, SendFailed, StoreError
from core.owners import AGAIN_SECONDS, MOST_KEPT, Owners
from core.ports import ChatPlatform
from tests.fakes.platform import FakePlatform
from tests.whole import WholeBot


class Reached(FakePlatform):
    """Writes to people first; `errors` come before that, in order, by person."""

    errors: dict[str, list[Exception]]

    def __init__(self) -> None:
        super().__init__()
        self.errors = {}

    async def direct(self, person: str) -> ThreadRef:
        if self.errors.get(person):
            raise self.errors[person].pop(0)
        return ThreadRef(self.name, self.tenant, f"direct-{person}")


class Silent:
    """A platform on which nobody can be written to first."""

    name = "mute"
    tenant = ""


OWNERS = [
    Listed("fake", "", "ann"),
    Listed("fake", "home", "bob"),
    Listed("fake", "elsewhere", "eve"),
    Listed("mute", "", "x"),
]


def owners_of(bot: WholeBot, platform: Reached, alerts: Alerts) -> Owners:
    platforms: Mapping[str, ChatPlatform] = {"fake": platform, "mute": Silent()}  # type: ignore[dict-item]
    return Owners(alerts, bot.posts, bot.store, platforms, [*OWNERS, Listed("gone", "", "x")], bot.clock)


@pytest.fixture
def alerts(bot: WholeBot) -> Alerts:
    return Alerts(bot.clock)


@pytest.fixture
def reached() -> Reached:
    return Reached()


async def told(bot: WholeBot) -> dict[str, list[str]]:
    """By chat."""
    await bot.quiet()
    shown: dict[str, list[str]] = {}
    for each in bot.platform.posts:
        shown.setdefault(each.ref.thread.chat, []).append(each.text)
    return shown


async def test_every_owner_is_told_once(bot: WholeBot, alerts: Alerts, reached: Reached) -> None:
    await bot.store.offer_pairing("fake", "code", bot.clock.now().replace(year=2027))
    await bot.store.pair("code", Person("fake", "home", "ann"), bot.clock.now())
    await bot.store.offer_pairing("fake", "code2", bot.clock.now().replace(year=2027))
    await bot.store.pair("code2", Person("fake", "home", "cid"), bot.clock.now())
    alerts.raise_(AlertKind.RUN_BROKEN, "**Run** broke.", "r1")
    waits = await owners_of(bot, reached, alerts).tell()

    assert not waits
    assert await told(bot) == {f"direct-{name}": ["🔔 **Run** broke."] for name in ("ann", "bob", "cid")}


async def test_another_life_within_the_hour_does_not_tell_it_again(
    bot: WholeBot, alerts: Alerts, reached: Reached
) -> None:
    for life in (alerts, Alerts(bot.clock)):
        life.raise_(AlertKind.STORE_DOWN, "no room")
        await owners_of(bot, reached, life).tell()

    assert await told(bot) == {"direct-ann": ["🔔 no room"], "direct-bob": ["🔔 no room"]}


async def test_how_often_it_came_is_told_and_what_shares_a_message(
    bot: WholeBot, alerts: Alerts, reached: Reached
) -> None:
    for _ in range(3):
        alerts.raise_(AlertKind.STORE_DOWN, "no room")
    for number in range(MOST_SUBJECTS + 4):
        alerts.raise_(AlertKind.RUN_BROKEN, f"run {number}", f"r{number}")
    await owners_of(bot, reached, alerts).tell()

    texts = (await told(bot))["direct-ann"]
    assert texts[0] == "🔔 no room\n\n(3 times since 09:00 UTC.)"
    assert texts[-1] == "🔔 run 8\n\n(4 like this since 09:00 UTC; the log has each.)"
    assert len(texts) == MOST_SUBJECTS + 2


async def test_who_cannot_be_reached_now_is_told_later_and_who_never_can_is_left(
    bot: WholeBot, alerts: Alerts, reached: Reached
) -> None:
    reached.errors = {"ann": [SendFailed("no connection"), ChatError("never")], "bob": [SendFailed("no connection")]}
    owners = owners_of(bot, reached, alerts)
    alerts.raise_(AlertKind.STORE_DOWN, "no room")
    waits = [await owners.tell(), await owners.tell()]

    assert waits == [True, False]
    assert await told(bot) == {"direct-bob": ["🔔 no room"]}


async def test_a_database_that_takes_nothing_is_waited_for(
    bot: WholeBot, alerts: Alerts, reached: Reached, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = owners_of(bot, reached, alerts)
    put, tries = bot.store.put_posts, []

    async def put_posts(posts: object) -> object:
        tries.append(posts)
        if len(tries) < 4:
            raise StoreError("no room")
        return await put(posts)  # type: ignore[arg-type]

    monkeypatch.setattr(bot.store, "put_posts", put_posts)
    alerts.raise_(AlertKind.STORE_DOWN, "no room")
    task = asyncio.create_task(owners.work())
    async with asyncio.timeout(20):
        while len(tries) < 5:
            await bot.clock.forward(AGAIN_SECONDS)
            await asyncio.sleep(0.01)
    shown = await told(bot)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert shown == {"direct-ann": ["🔔 no room"], "direct-bob": ["🔔 no room"]}


async def test_of_what_cannot_be_told_the_newest_is_kept(
    bot: WholeBot, alerts: Alerts, reached: Reached, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def owners_unknown() -> list[Person]:
        raise StoreError("no database")

    owners = owners_of(bot, reached, alerts)
    monkeypatch.setattr(bot.store, "owners", owners_unknown)
    for number in range(MOST_KEPT + 1):
        await bot.clock.forward(3600)
        alerts.raise_(AlertKind.STORE_DOWN, f"{number}")
        assert await owners.tell()
    monkeypatch.undo()
    await owners.tell()

    texts = (await told(bot))["direct-ann"]
    assert (len(texts), texts[0], texts[-1]) == (MOST_KEPT, "🔔 1", f"🔔 {MOST_KEPT}")


async def test_a_fault_of_ours_ends_nothing(bot: WholeBot, alerts: Alerts, reached: Reached) -> None:
    reached.errors = {"ann": [RuntimeError("a fault")]}
    owners = owners_of(bot, reached, alerts)
    alerts.raise_(AlertKind.STORE_DOWN, "no room")
    alerts.raise_(AlertKind.RUN_BROKEN, "broke", "r")
    await owners.tell()

    assert (await told(bot))["direct-ann"] == ["🔔 broke"]


async def test_without_an_owner_there_is_nobody_to_tell(bot: WholeBot, alerts: Alerts) -> None:
    owners = Owners(alerts, bot.posts, bot.store, {"fake": bot.platform}, [], bot.clock)
    alerts.raise_(AlertKind.STORE_DOWN, "no room")

    assert not await owners.tell()
    assert await told(bot) == {}
