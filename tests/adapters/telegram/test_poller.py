"""Nothing is acknowledged before it is committed, and no outage ends the listening."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from adapters.chat.telegram.poller import delivery
from core.model.chat import Delivery
from core.model.errors import StoreError
from tests.adapters.telegram.conftest import Naps
from tests.fakes.telegram import FakeTelegram, Fault, Kind

WAIT_SECONDS = 10.0


class Inbox:
    """Takes deliveries; each entry of `errors` is raised once, before anything is taken."""

    def __init__(self) -> None:
        self.taken: list[Delivery] = []
        self.batches: list[int] = []
        self.cursor: str | None = None
        self.errors: list[Exception] = []
        self.offered = 0
        self._more = asyncio.Event()

    async def __call__(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
        self.offered += 1
        self._more.set()
        if self.errors:
            raise self.errors.pop(0)
        self.taken += deliveries
        self.batches.append(len(deliveries))
        self.cursor = cursor

    async def until(self, claim: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not claim():
                self._more.clear()
                await self._more.wait()

    @property
    def texts(self) -> list[str]:
        return [json.loads(each.raw)["message"]["text"] for each in self.taken]


@asynccontextmanager
async def listening(platform: Telegram, inbox: Inbox, cursor: str | None = None) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(platform.listen(inbox, cursor))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_batch_is_taken_whole_and_only_the_next_poll_acknowledges_it(
    telegram: Telegram, server: FakeTelegram
) -> None:
    inbox = Inbox()
    for number in range(3):
        server.say(1, f"m{number}")
    async with listening(telegram, inbox):
        await inbox.until(lambda: len(inbox.taken) == 3)
        await server.wait_for(lambda: server.acknowledged)

    assert inbox.batches == [3]
    assert inbox.texts == ["m0", "m1", "m2"]
    assert [each.id for each in inbox.taken] == ["1000", "1001", "1002"]
    assert inbox.cursor == "1003"
    assert server.acknowledged == [1000, 1001, 1002]
    first = server.called("getUpdates")[0]
    assert (first["timeout"], first["limit"], "offset" in first) == (50, 100, False)
    assert first["allowed_updates"] == ["message", "edited_message", "callback_query", "my_chat_member"]


async def test_what_the_store_could_not_take_is_asked_for_again_from_the_old_offset(
    telegram: Telegram, server: FakeTelegram, naps: Naps
) -> None:
    inbox = Inbox()
    inbox.errors = [StoreError("disk full"), RuntimeError("a bug")]
    server.say(1, "hello")
    async with listening(telegram, inbox, "1000"):
        await inbox.until(lambda: bool(inbox.taken))

    assert inbox.texts == ["hello"]
    assert inbox.offered == 3
    assert [each["offset"] for each in server.called("getUpdates")][:3] == [1000, 1000, 1000]
    assert len(naps.seconds) == 2


async def test_the_offset_follows_ids_that_begin_anew_lower(telegram: Telegram, server: FakeTelegram) -> None:
    inbox = Inbox()
    async with listening(telegram, inbox, "9000000"):
        await server.wait_for(lambda: server.called("getUpdates"))
        server.push({"message": {"text": "after a quiet week"}}, 77)
        await inbox.until(lambda: bool(inbox.taken))
        await server.wait_for(lambda: len(server.called("getUpdates")) > 1)

    assert inbox.cursor == "78"
    assert server.called("getUpdates")[1]["offset"] == 78


TROUBLES = [
    Fault.refuse(409, "Conflict: terminated by other getUpdates request"),
    Fault.refuse(429, "Too Many Requests: retry after 7", retry_after=7),
    Fault.refuse(500, "Internal Server Error"),
    Fault(Kind.REFUSE, 502),
    Fault(Kind.RESET_BEFORE),
    Fault(Kind.RESET_AFTER),
    Fault(Kind.GARBLE),
    Fault.refuse(401, "Unauthorized"),
]


@pytest.mark.parametrize("fault", TROUBLES, ids=lambda fault: f"{fault.kind}-{fault.status}")
async def test_an_outage_is_waited_out(telegram: Telegram, server: FakeTelegram, naps: Naps, fault: Fault) -> None:
    inbox = Inbox()
    server.fail("getUpdates", fault, fault)
    server.say(1, "hello")
    async with listening(telegram, inbox):
        await inbox.until(lambda: bool(inbox.taken))

    assert inbox.texts == ["hello"]
    assert len(naps.seconds) == 2
    if fault.status == 429:
        assert all(7 <= each < 8 for each in naps.seconds)
    else:
        assert all(0.1 <= each <= 0.5 for each in naps.seconds)


async def test_pauses_grow_up_to_a_limit(telegram: Telegram, server: FakeTelegram, naps: Naps) -> None:
    inbox = Inbox()
    server.fail("getUpdates", *[Fault.refuse(500, "Internal Server Error")] * 20)
    server.say(1, "hello")
    async with listening(telegram, inbox):
        await inbox.until(lambda: bool(inbox.taken))

    assert len(naps.seconds) == 20
    assert naps.seconds[-1] >= 15
    assert max(naps.seconds) <= 30


async def test_a_server_that_was_away_is_found_again() -> None:
    inbox = Inbox()
    server = FakeTelegram()
    await server.start()
    platform = Telegram(TelegramConfig(token=SecretStr(server.token), api_base=server.base + "/"), ())
    port = server.port
    async with listening(platform, inbox):
        await server.wait_for(lambda: server.called("getUpdates"))
        await server.stop()
        await server.start(port)
        server.say(1, "hello")
        await inbox.until(lambda: bool(inbox.taken))
    await platform.close()
    await server.stop()

    assert inbox.texts == ["hello"]


async def test_an_update_that_is_none_does_not_stop_the_others(telegram: Telegram, server: FakeTelegram) -> None:
    inbox = Inbox()
    server.say(1, "before")
    server.updates.append({"message": {"text": "no id"}, "update_id": 1001})
    server.say(1, "after")
    answer = Fault(Kind.REFUSE, 200, {"ok": True, "result": [5, {"update_id": "x"}, {}, *server.updates]})
    server.fail("getUpdates", answer)
    async with listening(telegram, inbox):
        await inbox.until(lambda: len(inbox.taken) >= 3)

    assert [each.id for each in inbox.taken] == ["1000", "1001", "1001"]
    assert telegram.read(inbox.taken[1].raw) is None


def test_an_update_too_deep_to_be_kept_is_none() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert delivery({"update_id": 1, "message": {"text": "x"}}) is not None
    assert delivery({"update_id": 1, "message": deep}) is None
    while deep:  # taken apart by hand: freeing it at once is deep too
        deep = deep[0]


async def test_an_answer_without_any_update_is_waited_out(telegram: Telegram, server: FakeTelegram, naps: Naps) -> None:
    inbox = Inbox()
    answers: list[Any] = [[{}], {"a": 1}, 5, "x"]
    for nonsense in answers:
        server.fail("getUpdates", Fault(Kind.REFUSE, 200, {"ok": True, "result": nonsense}))
    server.say(1, "hello")
    async with listening(telegram, inbox):
        await inbox.until(lambda: bool(inbox.taken))

    assert len(naps.seconds) == 4
    assert inbox.texts == ["hello"]


async def test_a_server_that_does_not_wait_is_not_pestered(
    telegram: Telegram, server: FakeTelegram, naps: Naps
) -> None:
    server.fail("getUpdates", *[Fault(Kind.REFUSE, 200, {"ok": True, "result": []})] * 3)
    async with listening(telegram, Inbox()):
        await server.wait_for(lambda: len(server.called("getUpdates")) == 4)

    assert naps.seconds == [0.1] * 3


async def test_cancelling_ends_it(telegram: Telegram, server: FakeTelegram) -> None:
    async with listening(telegram, Inbox()) as task:
        await server.wait_for(lambda: server.called("getUpdates"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
