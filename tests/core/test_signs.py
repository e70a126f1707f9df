"""Signs are best effort: nothing waits for them, and they never become a load."""

from __future__ import annotations

import asyncio

from core.model.chat import Person, SignKind, ThreadRef
from core.signs import MOST_AT_ONCE, Signs
from tests.fakes.platform import FakePlatform

THREAD = ThreadRef("fake", "home", "room")


class Slow:
    """A platform whose signs take for ever."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0

    async def sign(self, thread: ThreadRef, message: str, kind: SignKind) -> None:
        self.begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled += 1

    async def answer_press(self, handle: str, text: str) -> None:
        raise AssertionError


class Named(FakePlatform):
    async def name_of(self, person: Person) -> str:
        return {"1": "Olga"}.get(person.id, "")

    def advice(self, thread: ThreadRef) -> str:
        return "Switch on topics."


async def test_a_sign_is_put_without_waiting() -> None:
    platform = FakePlatform()
    signs = Signs({"fake": platform})

    signs.put(THREAD, "m1", SignKind.SEEN)
    signs.answer_press("fake", "h1", "Hello")
    await asyncio.sleep(0)
    await signs.close()

    assert platform.signs == [(THREAD, "m1", SignKind.SEEN)]
    assert platform.press_answers == [("h1", "Hello")]


async def test_where_there_is_nothing_to_sign_nothing_happens() -> None:
    platform = FakePlatform()
    signs = Signs({"fake": platform, "mute": object()})

    signs.put(ThreadRef("mute", "", "c"), "m1", SignKind.SEEN)
    signs.put(ThreadRef("unknown", "", "c"), "m1", SignKind.SEEN)
    signs.answer_press("mute", "h1")
    signs.answer_press("fake", "")
    await signs.close()

    assert (platform.signs, platform.press_answers) == ([], [])


async def test_too_many_signs_are_left_out_and_close_ends_them() -> None:
    platform = Slow()
    signs = Signs({"fake": platform})
    for _ in range(MOST_AT_ONCE + 5):
        signs.put(THREAD, "m1", SignKind.SEEN)
    await asyncio.sleep(0)

    await signs.close()

    assert platform.begun == platform.cancelled == MOST_AT_ONCE


async def test_people_are_called_as_well_as_we_can() -> None:
    signs = Signs({"named": Named(), "fake": FakePlatform()})

    assert await signs.name_of(Person("fake", "", "1", "Mia")) == "Mia"
    assert await signs.name_of(Person("fake", "", "1")) == "1"
    assert await signs.name_of(Person("named", "", "1")) == "Olga"
    assert await signs.name_of(Person("named", "", "2")) == "2"
    await signs.close()


def test_advice_comes_from_the_platform() -> None:
    signs = Signs({"fake": FakePlatform(), "named": Named()})

    assert signs.advice(THREAD) == ""
    assert signs.advice(ThreadRef("named", "", "c")) == "Switch on topics."
