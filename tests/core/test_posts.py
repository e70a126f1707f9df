"""The outbox: said once, in order, at the pace the platform allows, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.model.chat import Button, Post, PostKey, Priority, ThreadRef
from core.model.errors import ChatBusy, ChatError, NotSupported, SendFailed, SendUnknown, StoreError
from core.ports import SendState
from core.posts import Posts
from core.sending import MAYBE_TWICE
from tests.databases import sqlite_store
from tests.fakes.clock import FakeClock
from tests.fakes.platform import FakePlatform


class Outbox:
    """Posts at work on a platform in memory."""

    def __init__(self, store: object) -> None:
        self.store = store
        self.clock = FakeClock()
        self.platform = FakePlatform()
        self.posts = self.made()
        self._task: asyncio.Task[None] | None = None

    def made(self) -> Posts:
        return Posts(self.store, {"fake": self.platform}, self.clock, lambda text: text.replace("hunter2", "•••"))  # type: ignore[arg-type]

    async def start(self) -> None:
        self._task = asyncio.create_task(self.posts.work())
        await asyncio.sleep(0)
        await self.posts.take_up("fake")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def restart(self) -> None:
        await self.stop()
        self.posts = self.made()
        await self.start()

    async def say(self, key: str, text: str, **given: object) -> None:
        await self.posts.say(PostKey(key), self.platform.thread, Post(text), **given)  # type: ignore[arg-type]

    async def quiet(self, seconds: float = 0) -> None:
        for _ in range(4):
            await asyncio.sleep(0.002)
        if seconds:
            await self.clock.forward(seconds)
        async with asyncio.timeout(10):
            while seconds and not self.posts.is_quiet():
                await asyncio.sleep(0.002)
                await self.clock.forward(1)  # a pause that began only after the time was set forward
            await self.posts.until_quiet()

    def shown(self) -> list[str]:
        return self.platform.texts()


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    async with sqlite_store(tmp_path) as store:
        box = Outbox(store)
        await box.start()
        try:
            yield box
        finally:
            await box.stop()


async def test_the_same_key_is_said_once(outbox: Outbox) -> None:
    await outbox.say("k", "hello")
    await outbox.say("k", "hello again")
    await outbox.quiet()

    assert outbox.shown() == ["hello"]


async def test_secrets_are_blacked_out(outbox: Outbox) -> None:
    await outbox.say("k", "the password is hunter2")
    await outbox.quiet()

    assert outbox.shown() == ["the password is •••"]


async def test_a_thread_keeps_its_order(outbox: Outbox) -> None:
    for number in range(20):
        await outbox.say(f"k{number}", str(number), priority=Priority(number % 4))
    await outbox.quiet()

    assert outbox.shown() == [str(number) for number in range(20)]


async def test_no_call_is_made_before_the_time_the_platform_named(outbox: Outbox) -> None:
    outbox.platform.fail("post", ChatBusy("slow down", 30))
    await outbox.say("k", "hello")
    await asyncio.sleep(0.01)
    await outbox.clock.forward(29)
    assert outbox.platform.calls == ["post"]

    await outbox.quiet(2)

    assert outbox.shown() == ["hello"]


async def test_another_chat_does_not_wait(outbox: Outbox) -> None:
    outbox.platform.fail("post", ChatBusy("slow down", 3600))
    await outbox.say("k", "hello")
    await asyncio.sleep(0.01)
    other = ThreadRef("fake", "home", "elsewhere")
    await outbox.posts.say(PostKey("o"), other, Post("other"))
    await asyncio.sleep(0.01)

    assert outbox.shown() == ["other"]
    assert outbox.posts.depth() == 1
    assert not outbox.posts.is_quiet()


async def test_what_surely_was_not_sent_is_tried_until_it_is(outbox: Outbox) -> None:
    outbox.platform.fail("post", SendFailed("no route"), times=8)
    await outbox.say("k", "hello")
    await outbox.quiet(61)

    assert outbox.shown() == ["hello"]


async def test_a_lost_answer_is_looked_up_and_adopted(outbox: Outbox) -> None:
    outbox.platform.fail("post", SendUnknown("reset"), accepted=True)
    await outbox.say("k", "hello")
    await asyncio.sleep(0.01)
    await outbox.quiet(2)

    assert outbox.shown() == ["hello"]
    row = await outbox.store.outgoing(PostKey("k"))  # type: ignore[attr-defined]
    assert row.state is SendState.SENT
    assert row.ref == outbox.platform.posts[0].ref


async def test_a_lost_answer_of_a_post_that_never_arrived_is_said_again(outbox: Outbox) -> None:
    outbox.platform.fail("post", SendUnknown("reset"))
    await outbox.say("k", "hello")
    await asyncio.sleep(0.01)
    await outbox.quiet(2)

    assert outbox.shown() == ["hello"]


async def test_a_look_up_that_fails_is_tried_again(outbox: Outbox) -> None:
    outbox.platform.fail("post", SendUnknown("reset"), accepted=True)
    outbox.platform.fail("find", SendFailed("no route"))
    await outbox.say("k", "hello")
    for _ in range(4):
        await asyncio.sleep(0.01)
        await outbox.clock.forward(3)
    await outbox.quiet()

    assert outbox.shown() == ["hello"]


async def test_where_nothing_can_be_looked_up_it_is_said_again_and_labelled(outbox: Outbox) -> None:
    outbox.platform.can_find = False
    outbox.platform.fail("post", SendUnknown("timeout"), accepted=True)
    await outbox.say("k", "hello")
    await asyncio.sleep(0.01)
    await outbox.quiet(2)

    assert outbox.shown() == ["hello", MAYBE_TWICE + "hello"]


async def test_what_was_labelled_stays_so_whatever_it_says_later(outbox: Outbox) -> None:
    outbox.platform.can_find = False
    outbox.platform.fail("post", SendUnknown("timeout"), accepted=True)
    await outbox.say("k", "begun")
    await asyncio.sleep(0.01)
    await outbox.quiet(2)
    await outbox.say("other", "plain")
    await outbox.quiet()
    await outbox.posts.show(PostKey("other"), Post("still plain"))
    await outbox.quiet(2)
    outbox.posts.progress(PostKey("k"), outbox.platform.thread.room, Post("half"))
    await outbox.quiet(2)
    half = outbox.shown()
    await outbox.restart()
    await outbox.posts.show(PostKey("k"), Post("done"))
    await outbox.quiet(2)

    assert half == ["begun", MAYBE_TWICE + "half", "still plain"]
    assert outbox.shown() == ["begun", MAYBE_TWICE + "done", "still plain"]


async def test_a_refused_post_does_not_hold_up_the_next(outbox: Outbox) -> None:
    outbox.platform.fail("post", ChatError("chat not found"))
    await outbox.say("k", "hello")
    await outbox.say("l", "next")
    await outbox.quiet()

    assert outbox.shown() == ["next"]
    assert (await outbox.store.outgoing(PostKey("k"))).state is SendState.REJECTED  # type: ignore[attr-defined]


async def test_long_words_are_several_posts_each_with_a_key(outbox: Outbox) -> None:
    outbox.platform._limit = 4
    await outbox.posts.say(PostKey("k"), outbox.platform.thread, Post("abcdefgh", ((Button("Go", "/help"),),)))
    await outbox.quiet()

    assert [(each.key, each.text, each.labels) for each in outbox.platform.posts] == [
        ("k", "abcd", []),
        ("k#2", "efgh", ["Go"]),
    ]


async def test_an_unknown_platform_is_no_error(outbox: Outbox) -> None:
    await outbox.posts.say(PostKey("k"), ThreadRef("gone", "", "room"), Post("hello"))
    await outbox.quiet()

    assert outbox.shown() == []


# ------------------------------------------------------------------------------------------- edits


async def test_edits_are_coalesced_to_the_newest(outbox: Outbox) -> None:
    outbox.platform.edit_gap = 10
    await outbox.say("k", "0")
    await outbox.quiet()
    for number in range(1, 50):
        outbox.posts.progress(PostKey("k"), outbox.platform.thread.room, Post(str(number)))
    await outbox.quiet(11)

    shown = [post.text for post in outbox.platform.posts[0].history]
    assert shown[0] == "0"
    assert shown[-1] == "49"
    assert len(shown) <= 3


async def test_a_post_goes_before_an_edit_that_waits_for_its_pace(outbox: Outbox) -> None:
    outbox.platform.edit_gap = 100
    await outbox.say("k", "0")
    await outbox.quiet()
    outbox.posts.progress(PostKey("k"), outbox.platform.thread.room, Post("1"))
    await outbox.quiet()
    outbox.posts.progress(PostKey("k"), outbox.platform.thread.room, Post("2"))
    await asyncio.sleep(0.01)

    await outbox.say("final", "final")
    await asyncio.sleep(0.02)
    assert outbox.shown() == ["1", "final"]

    await outbox.quiet(201)
    assert outbox.shown() == ["2", "final"]


async def test_the_same_words_are_not_shown_twice(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.posts.show(PostKey("k"), Post("1"))
    await outbox.quiet()
    outbox.posts._sender.queue_edit(outbox.platform.thread.room, PostKey("k"), None)
    await outbox.quiet()

    assert outbox.platform.calls == ["post", "edit"]


async def test_words_for_a_post_that_was_never_said_are_dropped(outbox: Outbox) -> None:
    await outbox.posts.show(PostKey("nobody"), Post("1"))
    outbox.posts.progress(PostKey("nobody"), outbox.platform.thread.room, Post("2"))
    await outbox.quiet()

    assert outbox.platform.calls == []


async def test_a_post_that_was_deleted_is_left(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    outbox.platform.forget(outbox.platform.posts[0])
    await outbox.posts.show(PostKey("k"), Post("1"))
    await outbox.quiet()

    assert outbox.platform.calls == ["post", "edit"]


async def test_a_refused_edit_is_left(outbox: Outbox) -> None:
    outbox.platform.fail("edit", ChatError("not yours"))
    await outbox.say("k", "0")
    await outbox.posts.show(PostKey("k"), Post("1"))
    await outbox.quiet()

    assert outbox.platform.calls == ["post", "edit"]


async def test_a_failed_edit_gives_way_to_a_post(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    outbox.platform.fail("edit", ChatBusy("slow down", 30))
    await outbox.posts.show(PostKey("k"), Post("1"))
    await asyncio.sleep(0.01)
    await outbox.say("final", "final")
    await outbox.quiet(31)

    assert outbox.shown() == ["1", "final"]
    assert outbox.platform.calls == ["post", "edit", "post", "edit"]


async def test_progress_never_comes_after_the_last_words(outbox: Outbox) -> None:
    room = outbox.platform.thread.room
    for _ in range(50):
        await outbox.say("k", "0")
        await outbox.quiet()
        last = asyncio.create_task(outbox.posts.show(PostKey("k"), Post("COMPLETED")))
        outbox.posts.progress(PostKey("k"), room, Post("RUNNING"))
        await asyncio.sleep(0)
        outbox.posts.progress(PostKey("k"), room, Post("RUNNING"))
        await last
        await outbox.quiet()

        assert outbox.shown() == ["COMPLETED"]


# ----------------------------------------------------------------------------------------- restarts


async def test_what_was_not_sent_is_sent_after_a_restart(outbox: Outbox) -> None:
    await outbox.stop()
    outbox.posts = outbox.made()
    await outbox.say("a", "a")
    await outbox.say("b", "b")

    await outbox.start()
    await outbox.quiet()

    assert outbox.shown() == ["a", "b"]


async def test_a_post_in_flight_at_the_crash_is_looked_up(outbox: Outbox) -> None:
    outbox.platform.fail("post", ChatBusy("slow down", 5), accepted=True)
    await outbox.store.put_posts([replace(_row(outbox), state=SendState.SENDING)])  # type: ignore[attr-defined]
    outbox.platform._faults.clear()
    await outbox.platform.post(outbox.platform.thread, Post("hello"), PostKey("k"))

    await outbox.restart()
    await outbox.quiet()

    assert outbox.shown() == ["hello"]


async def test_an_edit_that_was_not_shown_is_shown_after_a_restart(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    await outbox.stop()
    await outbox.posts.show(PostKey("k"), Post("1"))

    await outbox.restart()
    await outbox.quiet()

    assert outbox.shown() == ["1"]


async def test_an_ask_that_waited_for_its_thread_begins_once_it_stands(outbox: Outbox) -> None:
    heard: list[object] = []

    async def opened(ask: object, ref: object) -> None:
        heard.append((ask, ref))

    outbox.posts.when_opened(opened)
    await outbox.say("k", "root", opens={"text": "go"})
    await outbox.quiet()

    assert heard == [({"text": "go"}, outbox.platform.posts[0].ref)]


async def test_an_ask_whose_thread_stood_before_the_crash_begins_after_it(outbox: Outbox) -> None:
    heard: list[object] = []
    await outbox.say("k", "root", opens={"text": "go"})
    await outbox.stop()

    async def opened(ask: object, ref: object) -> None:
        heard.append(ask)

    await outbox.store.mark(PostKey("k"), SendState.SENT, ref=await _sent(outbox), shown=1)  # type: ignore[attr-defined]
    outbox.posts = outbox.made()
    outbox.posts.when_opened(opened)
    await outbox.start()
    await outbox.quiet()

    assert heard == [{"text": "go"}]


async def test_a_receipt_that_cannot_be_kept_is_kept_later(outbox: Outbox) -> None:
    mark, tries = outbox.store.mark, []  # type: ignore[attr-defined]

    async def full(*args: object, **given: object) -> None:
        tries.append(args)
        if len(tries) < 8:
            raise StoreError("disk full")
        await mark(*args, **given)

    outbox.store.mark = full  # type: ignore[attr-defined]
    await outbox.say("k", "hello")
    await outbox.quiet(61)

    assert outbox.shown() == ["hello"]
    assert (await outbox.store.outgoing(PostKey("k"))).state is SendState.SENT  # type: ignore[attr-defined]


async def test_not_supported_is_no_error_of_the_platform() -> None:
    assert not issubclass(NotSupported, ChatError)


def _row(outbox: Outbox):  # type: ignore[no-untyped-def] # noqa: ANN202
    from core.ports import Outgoing  # noqa: PLC0415

    return Outgoing(PostKey("k"), outbox.platform.thread, Post("hello"), Priority.ANSWER)


async def _sent(outbox: Outbox):  # type: ignore[no-untyped-def] # noqa: ANN202
    return await outbox.platform.post(outbox.platform.thread, Post("root"), PostKey("k"))


# ------------------------------------------------------------------------------ adapters that go wrong


async def test_an_adapter_that_breaks_while_it_posts_is_looked_up(outbox: Outbox) -> None:
    post = outbox.platform.post
    broken: list[object] = []

    async def breaks(*given: object) -> object:
        if not broken:
            broken.append(given)
            raise ZeroDivisionError
        return await post(*given)  # type: ignore[arg-type]

    outbox.platform.post = breaks  # type: ignore[method-assign, assignment]
    await outbox.say("k", "hello")
    await asyncio.sleep(0.01)
    await outbox.quiet(2)

    assert outbox.shown() == ["hello"]


async def test_an_adapter_that_breaks_while_it_edits_does_not_end_the_sender(outbox: Outbox) -> None:
    async def breaks(*_given: object) -> None:
        raise ZeroDivisionError

    await outbox.say("k", "0")
    await outbox.quiet()
    outbox.platform.edit = breaks  # type: ignore[method-assign, assignment]
    await outbox.posts.show(PostKey("k"), Post("1"))
    await outbox.say("l", "next")
    await outbox.quiet()

    assert outbox.shown() == ["0", "next"]
