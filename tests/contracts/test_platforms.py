"""What every chat platform promises, asked of each bench in BENCHES: a platform, and a person who can speak on it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.chat import PLATFORMS
from core.model.chat import FILE, Button, ButtonToken, Delivery, File, Post, PostKey, PostRef, Pressed, Said, SignKind
from core.model.errors import NotSupported, PostGone, StoreError
from core.ports import Filing, Signing
from tests.contracts.benches import BENCHES, Bench

SECONDS = 10.0
COUNT = re.compile(r"\(\d+/\d+\)")
"""A piece may say which of how many it is."""


@pytest.fixture(params=sorted(BENCHES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with BENCHES[request.param](tmp_path) as made:
        await made.platform.connect()
        yield made
        await made.platform.close()


def test_every_platform_of_the_table_has_a_bench() -> None:
    assert set(PLATFORMS) - {name.partition("-")[0] for name in BENCHES} == set()


@dataclass
class Taken:
    """Takes what a platform receives, as the inbox would. `refuse`: how many takes fail first."""

    refuse: int = 0
    deliveries: list[Delivery] = field(default_factory=list)
    cursor: str | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
        if self.refuse:
            self.refuse -= 1
            raise StoreError("the disk is full")
        self.deliveries.extend(deliveries)
        self.cursor = cursor or self.cursor
        self.arrived.set()


@asynccontextmanager
async def listening(bench: Bench, taken: Taken | None = None) -> AsyncIterator[Taken]:
    taken = taken or Taken()
    task = asyncio.create_task(bench.platform.listen(taken, None))
    try:
        yield taken
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def heard(bench: Bench, taken: Taken, text: str) -> Said:
    taken.arrived.clear()
    async with asyncio.timeout(SECONDS):
        await bench.say(text)
        await taken.arrived.wait()
    event = bench.platform.read(taken.deliveries[-1].raw)
    assert isinstance(event, Said)
    return event


async def test_what_is_said_is_taken_and_read_as_it_was_said(bench: Bench) -> None:
    async with listening(bench) as taken:
        said = await heard(bench, taken, "fix the login, please")

    assert said.text == "fix the login, please"
    assert said.thread == bench.thread
    assert said.person.platform == bench.platform.name
    assert said.person.tenant in {bench.platform.tenant, ""}, "empty: a person is the same for every bot"
    assert said.is_addressed
    assert taken.deliveries[-1].platform == bench.platform.name
    assert bench.platform.read(taken.deliveries[-1].raw) == said


async def test_the_same_words_twice_are_two_deliveries_with_two_causes(bench: Bench) -> None:
    async with listening(bench) as taken:
        first = await heard(bench, taken, "again")
        second = await heard(bench, taken, "again")

    assert first.cause != second.cause
    assert len({each.id for each in taken.deliveries}) == 2


BUTTONS = Post(
    "Shall I?", ((Button("Yes", token=ButtonToken("token-yes")), Button("No", token=ButtonToken("token-no"))),)
)


async def pressed(bench: Bench, taken: Taken, ref: PostRef, label: str) -> Pressed:
    taken.arrived.clear()
    async with asyncio.timeout(SECONDS):
        await bench.press(ref, label)
        await taken.arrived.wait()
    event = bench.platform.read(taken.deliveries[-1].raw)
    assert isinstance(event, Pressed)
    return event


async def test_a_press_names_its_button_its_post_and_the_person(bench: Bench) -> None:
    ref = await bench.platform.post(bench.thread, BUTTONS, PostKey("ask:1"))

    async with listening(bench) as taken:
        said = await heard(bench, taken, "hello")
        press = await pressed(bench, taken, ref, "No")

    assert press.token == "token-no"
    assert press.post == ref
    assert press.thread == said.thread == bench.thread
    assert press.person.id == said.person.id
    assert press.cause != said.cause


async def test_what_is_not_committed_comes_again(bench: Bench) -> None:
    """The inbox may be away for a moment; what was said is not lost by it."""
    async with listening(bench, taken := Taken(refuse=1)):
        said = await heard(bench, taken, "keep this")

    assert said.text == "keep this"


async def test_a_post_is_shown_and_found_by_its_key(bench: Bench) -> None:
    ref = await bench.platform.post(bench.thread, Post("Hello **there**"), PostKey("reply:1"))

    assert "there" in bench.text_of(ref)
    assert ref.thread == bench.thread
    with suppress(NotSupported):
        assert await bench.platform.find(bench.thread, PostKey("reply:1")) == ref
        assert await bench.platform.find(bench.thread, PostKey("reply:2")) is None


async def test_an_edit_shows_the_other_words_in_the_same_post(bench: Bench) -> None:
    ref = await bench.platform.post(bench.thread, Post("working"), PostKey("anchor:1"))

    await bench.platform.edit(ref, Post("finished"))
    await bench.platform.edit(ref, Post("finished"))

    assert "finished" in bench.text_of(ref)
    assert "working" not in bench.text_of(ref)


async def test_a_post_that_is_gone_cannot_be_edited(bench: Bench) -> None:
    with pytest.raises(PostGone):
        await bench.platform.edit(PostRef(bench.thread, "4242"), Post("too late"))


async def test_split_keeps_every_word_and_puts_the_buttons_last(bench: Bench) -> None:
    words = [f"word{number}" for number in range(3000)]
    button = Button("Stop", token=ButtonToken("t1"))

    pieces = bench.platform.split(Post(" ".join(words), ((button,),)))

    said = [word for piece in pieces for word in piece.text.split() if not COUNT.fullmatch(word)]
    assert said == words
    assert pieces[-1].buttons == ((button,),)
    assert all(not piece.buttons for piece in pieces[:-1])
    assert len(bench.platform.split(Post(""))) == 1


LONG = Post("", file=File("DEMO-1.diff", "+ <!channel> @durov 😀 | `x`\r\n" * 3000))


async def test_a_file_is_sent_as_it_is_and_found_by_its_key(bench: Bench) -> None:
    assert isinstance(bench.platform, Filing)
    assert bench.platform.takes_files

    ref = await bench.platform.post(bench.thread, LONG, PostKey(f"reply:1{FILE}"))

    [(name, text)] = bench.files()
    assert re.fullmatch(r"DEMO-1[-\w]*\.diff", name)
    assert LONG.file is not None
    assert text == LONG.file.text
    assert ref.thread == bench.thread
    with suppress(NotSupported):
        assert await bench.platform.find(bench.thread, PostKey(f"reply:1{FILE}")) == ref
        assert await bench.platform.find(bench.thread, PostKey(f"reply:2{FILE}")) is None


async def test_a_file_stays_as_it_was_sent(bench: Bench) -> None:
    ref = await bench.platform.post(bench.thread, LONG, PostKey(f"reply:1{FILE}"))

    await bench.platform.edit(ref, LONG)

    assert len(bench.files()) == 1


async def test_words_beside_a_file_ring_at_nobody(bench: Bench) -> None:
    words = "♻️ *again* <!channel> @durov `@durov`"
    await bench.platform.post(bench.thread, replace(LONG, text=words), PostKey(f"reply:1{FILE}"))

    assert len(bench.files()) == 1


async def test_a_post_is_still_found_beside_a_file(bench: Bench) -> None:
    ref = await bench.platform.post(bench.thread, Post("in brief"), PostKey("reply:1"))
    await bench.platform.post(bench.thread, LONG, PostKey(f"reply:1{FILE}"))

    with suppress(NotSupported):
        assert await bench.platform.find(bench.thread, PostKey("reply:1")) == ref
        assert await bench.platform.find(bench.thread, PostKey("reply:2")) is None


async def test_signs_never_raise(bench: Bench) -> None:
    assert isinstance(bench.platform, Signing)
    for kind in SignKind:
        await bench.platform.sign(bench.thread, "no such message", kind)
    await bench.platform.answer_press("no such press", "done")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\x00",
        b"{}",
        b"[]",
        b"null",
        b"12",
        b'"text"',
        b'{"kind":1}',
        b'{"kind":"said","event":{}}',
        b"[" * 9999,
    ],
)
async def test_reading_what_is_no_delivery_gives_nothing(bench: Bench, raw: bytes) -> None:
    assert bench.platform.read(raw) is None


ODD: list[Any] = [None, True, 0, -1, 1e308, "", "x", "\ud800", "\0", [], [None], {}, {"id": []}]


async def test_a_delivery_that_lacks_anything_or_holds_odd_values_is_read_without_an_error(bench: Bench) -> None:
    """At every place of a message and of a press, one place at a time."""
    ref = await bench.platform.post(bench.thread, BUTTONS, PostKey("ask:1"))
    async with listening(bench) as taken:
        await heard(bench, taken, "hello")
        await pressed(bench, taken, ref, "Yes")

    for each in taken.deliveries:
        for odd in broken(json.loads(each.raw)):
            bench.platform.read(json.dumps(odd).encode())


def broken(whole: Any) -> Iterator[Any]:
    """`whole` with one of its values replaced, or gone."""
    yield from ODD
    parts = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    for name, part in parts:
        rest = list(whole) if isinstance(whole, list) else dict(whole)
        del rest[name]
        yield rest
        for odd in broken(part):
            yield _with(whole, name, odd)


def _with(whole: Any, name: Any, value: Any) -> Any:
    copy = whole.copy()
    copy[name] = value
    return copy
