"""The console as a platform: lines become deliveries, numbers become presses, nothing typed is lost."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from adapters.chat.console import inbound
from adapters.chat.console import platform as platform_module
from adapters.chat.console.config import ConsoleConfig
from adapters.chat.console.platform import JOURNAL, Console
from adapters.chat.console.screen import JsonScreen, PlainScreen
from core.model.chat import Button, ButtonToken, Delivery, Post, PostKey, Pressed, Said
from core.model.errors import ChatError, SendFailed, StoreError

MAIN = inbound.thread("")
STOP = Button("Stop", token=ButtonToken("t-stop"))


class Seat:
    """A console in a folder, with a screen that remembers, and an inbox that can be down."""

    def __init__(self, folder: Path, *, as_json: bool = False) -> None:
        self.written: list[str] = []
        self.told: list[str] = []
        self.taken: list[Delivery] = []
        self.cursor: str | None = None
        self.refusals = 0
        screen = (JsonScreen if as_json else PlainScreen)(self.written.append, self.told.append)
        self.console = Console(ConsoleConfig(), [], folder, screen=screen)

    async def take(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreError("The database is full.")
        self.taken.extend(deliveries)
        self.cursor = cursor

    @property
    def events(self) -> list[object]:
        return [self.console.read(each.raw) for each in self.taken]

    @asynccontextmanager
    async def open(self, cursor: str | None = None) -> AsyncIterator[Seat]:
        await self.console.connect()
        task = asyncio.create_task(self.console.listen(self.take, cursor))
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.console.close()


async def test_a_number_presses_the_button_of_the_newest_post(tmp_path: Path) -> None:
    async with Seat(tmp_path).open() as seat:
        ref = await seat.console.post(MAIN, Post("Running", ((STOP,),)), PostKey("anchor:1"))
        await seat.console.say("1")

    (pressed,) = seat.events
    assert isinstance(pressed, Pressed)
    assert (pressed.token, pressed.post) == (STOP.token, ref)
    assert seat.written == ["[main] Running\n  [1] Stop"]


async def test_a_number_without_a_button_is_said(tmp_path: Path) -> None:
    async with Seat(tmp_path).open() as seat:
        await seat.console.say("1")

    (said,) = seat.events
    assert isinstance(said, Said)
    assert said.text == "1"


async def test_a_button_that_an_edit_took_away_is_not_pressed(tmp_path: Path) -> None:
    async with Seat(tmp_path).open() as seat:
        ref = await seat.console.post(MAIN, Post("Running", ((STOP,),)), PostKey("anchor:1"))
        await seat.console.edit(ref, Post("Done"))
        await seat.console.say(":press Stop")

    assert seat.events == []
    assert seat.told == ["There is no button `Stop` here. Buttons now: none."]


async def test_buttons_belong_to_their_thread(tmp_path: Path) -> None:
    async with Seat(tmp_path).open() as seat:
        await seat.console.post(inbound.thread("login"), Post("Running", ((STOP,),)), PostKey("anchor:1"))
        await seat.console.say(":press Stop")
        await seat.console.say(":thread login")
        await seat.console.say(":press Stop")
        await seat.console.say("hello")
        await seat.console.say(":threads")

    pressed, said = seat.events
    assert isinstance(pressed, Pressed)
    assert isinstance(said, Said)
    assert said.thread == inbound.thread("login")
    assert seat.told[-1] == "Threads: main, login"


async def test_what_was_typed_but_not_taken_is_taken_after_the_restart(tmp_path: Path) -> None:
    first = Seat(tmp_path)
    async with first.open():
        await first.console.say("one")
        first.refusals = 1_000_000
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await first.console.say("two")

    async with Seat(tmp_path).open(first.cursor) as again:
        await again.console.say("three")

    texts = [event.text for event in again.events if isinstance(event, Said)]
    assert texts == ["two", "three"]
    assert len({each.id for each in [*first.taken, *again.taken]}) == 3


async def test_a_store_that_is_down_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_module, "RETRY_SECONDS", 0.01)
    async with Seat(tmp_path).open() as seat:
        seat.refusals = 2
        await seat.console.say("hello")

    assert len(seat.taken) == 1
    assert seat.told == ["The database is full. Your line is kept and offered again."] * 2


async def test_another_journal_does_not_use_the_cursor_of_the_old_one(tmp_path: Path) -> None:
    async with Seat(tmp_path).open() as first:
        await first.console.say("one")
    (tmp_path / JOURNAL).unlink()

    async with Seat(tmp_path).open(first.cursor) as fresh:
        await fresh.console.say("two")

    assert len({first.taken[0].id, fresh.taken[0].id}) == 2


async def test_batch_mode_for_programs_prints_an_object_for_each_post_and_edit(tmp_path: Path) -> None:
    async with Seat(tmp_path, as_json=True).open() as seat:
        ref = await seat.console.post(MAIN, Post("Läuft ▸", ((STOP,),)), PostKey("anchor:1"))
        await seat.console.edit(ref, Post("Done"))
        await seat.console.edit(ref, Post("Done"))
        await seat.console.post(inbound.thread("login"), Post("Hi"), PostKey("reply:1"))

    assert [json.loads(each) for each in seat.written] == [
        {"thread": "main", "kind": "new", "text": "Läuft ▸", "buttons": ["Stop"]},
        {"thread": "main", "kind": "edit", "text": "Done", "buttons": []},
        {"thread": "login", "kind": "new", "text": "Hi", "buttons": []},
    ]


async def test_a_key_is_shown_once_even_after_a_restart(tmp_path: Path) -> None:
    async with Seat(tmp_path).open() as first:
        ref = await first.console.post(MAIN, Post("Hi"), PostKey("reply:1"))

    async with Seat(tmp_path).open() as again:
        found = await again.console.find(MAIN, PostKey("reply:1"))
        same = await again.console.post(MAIN, Post("Hi"), PostKey("reply:1"))

    assert found == same == ref
    assert again.written == []


async def test_history_shows_what_was_said_and_answered(tmp_path: Path) -> None:
    async with Seat(tmp_path).open() as first:
        await first.console.say("hello")
        await first.console.post(MAIN, Post("Hi"), PostKey("reply:1"))

    async with Seat(tmp_path).open() as again:
        await again.console.say(":history")

    assert again.written == ["[main] > hello", "[main] Hi"]


async def test_an_agent_cannot_steer_the_terminal(tmp_path: Path) -> None:
    async with Seat(tmp_path).open() as seat:
        await seat.console.post(MAIN, Post("a\x1b]0;title\x07b\x9bc\tok"), PostKey("reply:1"))

    assert seat.written == ["[main] ab\tok"]


async def test_quit_ends_the_talk(tmp_path: Path) -> None:
    async with Seat(tmp_path).open() as seat:
        assert await seat.console.say("hello")
        assert not await seat.console.say(":quit")


async def test_a_journal_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text("nonsense\n")
    seat = Seat(tmp_path)

    with pytest.raises(ChatError, match=r"console\.jsonl"):
        await seat.console.connect()
    await seat.console.close()


async def test_a_full_disk_fails_the_post_and_not_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    async with Seat(tmp_path).open() as seat:
        ref = await seat.console.post(MAIN, Post("a"), PostKey("k0"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(SendFailed, match="No space"):
                await seat.console.post(MAIN, Post("b"), PostKey("k1"))
            with pytest.raises(SendFailed, match="No space"):
                await seat.console.edit(ref, Post("c"))
        await seat.console.post(MAIN, Post("b"), PostKey("k1"))

    assert seat.written == ["[main] a", "[main] b"]
