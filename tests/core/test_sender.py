"""The sender: who goes first in a slow chat, what edits leave to posts, and what is said of what may be lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.model.chat import Button, ChatRef, Post, PostKey, Priority, ThreadRef
from core.model.errors import ChatBusy, ChatError, PostGone, SendFailed, SendUnknown, StoreError
from core.pace import MOST_CALLS_AHEAD, Pace
from core.ports import Outgoing, SendState
from core.rooms import ANCHOR_AHEAD_SECONDS
from core.sender import LEAST_BUSY_SECONDS, SHARED_PROGRESS_AHEAD
from core.sending import LOST, MAYBE_LOST, MAYBE_TWICE
from tests.core.test_posts import Outbox
from tests.databases import sqlite_store
from tests.fakes.clock import FakeClock
from tests.fakes.platform import FakePlatform
from tests.whole import WholeBot


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    async with sqlite_store(tmp_path) as store:
        box = Outbox(store)
        await box.start()
        try:
            yield box
        finally:
            await box.stop()


async def until(claim: Callable[[], object]) -> None:
    """Time stands still meanwhile."""
    async with asyncio.timeout(10):
        while not claim():  # noqa: ASYNC110 - nothing tells of every change
            await asyncio.sleep(0.001)


async def resting(outbox: Outbox, *, sleepers: int = 1) -> None:
    """Everything that can be done now is done: the sender waits for the clock."""
    await until(lambda: len(outbox.clock._sleepers) >= sleepers)


async def passing(outbox: Outbox, claim: Callable[[], bool]) -> None:
    """Time passes, second by second, until it is true and everything is quiet."""
    async with asyncio.timeout(10):
        while not (claim() and outbox.posts.is_quiet()):
            await outbox.clock.forward(1)
            await asyncio.sleep(0.001)


async def say_in(outbox: Outbox, root: str, key: str, priority: Priority) -> None:
    thread = replace(outbox.platform.thread, root=root)
    await outbox.posts.say(PostKey(key), thread, Post(key), priority)


async def held(outbox: Outbox, seconds: float = 30) -> None:
    """The chat is told to wait; what held it is said first of all later, for it is final."""
    outbox.platform.fail("post", ChatBusy("slow down", seconds))
    await say_in(outbox, "held", "held", Priority.FINAL)
    await until(lambda: outbox.platform.calls)


def show_progress(outbox: Outbox, text: str, key: str = "k") -> None:
    outbox.posts.progress(PostKey(key), outbox.platform.thread.room, Post(text))


# ---------------------------------------------------------------------------------- who goes first


async def test_in_a_slow_chat_final_goes_before_approval_before_answer_before_progress(outbox: Outbox) -> None:
    await held(outbox)
    for priority in sorted(Priority, reverse=True):
        await say_in(outbox, f"in {priority.name}", priority.name, priority)
    await outbox.quiet(31)

    assert outbox.shown() == ["held", "FINAL", "APPROVAL", "ANSWER", "PROGRESS"]


async def test_what_was_refused_for_now_gives_way_to_what_is_more_urgent(outbox: Outbox) -> None:
    outbox.platform.fail("post", ChatBusy("slow down", 30))
    await say_in(outbox, "a", "answer", Priority.ANSWER)
    await until(lambda: outbox.platform.calls)
    await say_in(outbox, "b", "final", Priority.FINAL)
    await outbox.quiet(31)

    assert outbox.shown() == ["final", "answer"]


async def test_what_holds_up_a_final_answer_is_as_urgent_as_it(outbox: Outbox) -> None:
    await held(outbox)
    await say_in(outbox, "a", "answer", Priority.ANSWER)
    await say_in(outbox, "b", "anchor", Priority.PROGRESS)
    await say_in(outbox, "b", "final", Priority.FINAL)
    await outbox.quiet(31)

    assert outbox.shown() == ["held", "anchor", "final", "answer"]


async def test_an_anchor_that_is_superseded_waits_for_the_final_answer_of_another_thread(outbox: Outbox) -> None:
    await held(outbox)
    await say_in(outbox, "a", "anchor", Priority.PROGRESS)
    await say_in(outbox, "a", "final of a", Priority.FINAL)
    await say_in(outbox, "b", "final of b", Priority.FINAL)
    await outbox.quiet(31)

    assert outbox.shown() == ["held", "final of b", "anchor", "final of a"]


async def test_of_two_that_are_as_urgent_the_older_goes_first_with_buttons_or_without(outbox: Outbox) -> None:
    await held(outbox)
    for key, buttons in (("first", ((Button("Go", "/help"),),)), ("second", ())):
        thread = replace(outbox.platform.thread, root=key)
        await outbox.posts.say(PostKey(key), thread, Post(key, buttons))
    await outbox.quiet(31)

    assert outbox.shown() == ["held", "first", "second"]


async def test_a_post_that_waits_says_the_newest_words_at_once(outbox: Outbox) -> None:
    await held(outbox)
    await outbox.say("k", "pending")
    await outbox.say("l", "pending too")
    await outbox.posts.show(PostKey("k"), Post("done"))
    show_progress(outbox, "running", "l")
    await outbox.quiet(31)

    assert outbox.shown() == ["held", "done", "running"]
    assert "edit" not in outbox.platform.calls
    assert await outbox.store.unsent() == []  # type: ignore[attr-defined]


async def test_words_wanted_of_a_post_of_unknown_fate_are_shown_once_it_is_found(outbox: Outbox) -> None:
    outbox.platform.fail("post", SendUnknown("reset"), accepted=True)
    await outbox.say("k", "pending")
    await resting(outbox)
    await outbox.posts.show(PostKey("k"), Post("done"))
    await outbox.quiet(2)

    assert [each.text for each in outbox.platform.posts[0].history] == ["pending", "done"]


async def test_words_wanted_of_a_post_that_is_said_twice_are_not_lost(outbox: Outbox) -> None:
    outbox.platform.can_find = False
    outbox.platform.fail("post", SendUnknown("reset"))
    await outbox.say("k", "pending")
    await resting(outbox)
    await outbox.posts.show(PostKey("k"), Post("done"))
    await outbox.quiet(2)

    assert outbox.shown() == [MAYBE_TWICE + "done"]


# -------------------------------------------------------------------------------------- the pace


def test_a_pace_counts_what_was_sent_and_forgives_what_was_far_too_much() -> None:
    clock = FakeClock()
    pace = Pace(4.0)
    assert pace.wait(clock.now(), 0) == 0
    pace.spend(clock.now())
    pace.spend(clock.now())

    assert pace.wait(clock.now(), 0) == 8
    assert pace.wait(clock.now(), 5) == 3
    assert pace.wait(clock.now() + timedelta(seconds=9), 0) == 0
    for _ in range(100):
        pace.spend(clock.now())
    assert pace.wait(clock.now(), 0) == 4 * MOST_CALLS_AHEAD


def test_a_pace_that_is_closed_stays_so_until_the_later_of_two_times() -> None:
    now = FakeClock().now()
    pace = Pace(0.0)
    pace.close(now + timedelta(seconds=9))
    pace.close(now + timedelta(seconds=5))

    assert pace.wait(now, 100) == 9


async def test_posts_count_so_that_edits_keep_behind(outbox: Outbox) -> None:
    outbox.platform.edit_gap = 4
    for number in range(5):
        await outbox.say(f"k{number}", str(number))
    await outbox.quiet()
    show_progress(outbox, "edited", "k0")
    await resting(outbox)
    await outbox.clock.forward(15)
    assert outbox.platform.calls == ["post"] * 5

    await outbox.quiet(2)

    assert outbox.shown()[0] == "edited"


async def test_in_each_minute_a_group_has_room_for_posts_whatever_is_edited(outbox: Outbox) -> None:
    outbox.platform.edit_gap = 4
    times = []
    edit = outbox.platform.edit

    async def timed(*given: object) -> None:
        times.append(outbox.clock.now())
        await edit(*given)  # type: ignore[arg-type]

    outbox.platform.edit = timed  # type: ignore[method-assign, assignment]
    await outbox.say("k", "0")
    await outbox.quiet()
    for number in range(180):
        show_progress(outbox, f"at {number}")
        await until(lambda: outbox.clock._sleepers or outbox.posts.is_quiet())
        await outbox.clock.forward(1)
    await outbox.quiet(10)

    assert len(times) > 40
    assert max(sum(at <= other < at + timedelta(seconds=60) for other in times) for at in times) <= 17


async def test_a_final_answer_goes_at_once_while_edits_use_all_they_may(outbox: Outbox) -> None:
    outbox.platform.edit_gap = 4
    await outbox.say("k", "0")
    await outbox.quiet()
    for number in range(20):
        show_progress(outbox, f"at {number}")
        await asyncio.sleep(0.002)
    await resting(outbox)
    began = outbox.clock.now()
    await say_in(outbox, "", "final", Priority.FINAL)
    await until(lambda: "final" in outbox.shown())

    assert outbox.clock.now() == began
    await outbox.quiet(20)
    assert outbox.shown() == ["at 19", "final"]


async def test_words_that_are_to_stay_go_before_words_that_pass(outbox: Outbox) -> None:
    outbox.platform.edit_gap = 10
    for key in ("k", "l"):
        await outbox.say(key, key)
    await outbox.quiet()
    show_progress(outbox, "passing", "k")
    await resting(outbox)
    await outbox.posts.show(PostKey("l"), Post("stays"))
    await until(lambda: "stays" in outbox.shown())

    assert outbox.shown() == ["k", "stays"]
    await outbox.quiet(30)
    assert outbox.shown() == ["passing", "stays"]


async def test_a_run_s_first_sign_waits_for_a_chat_that_is_far_ahead_unless_more_hangs_on_it(outbox: Outbox) -> None:
    outbox.platform.edit_gap = 4
    answers = int(ANCHOR_AHEAD_SECONDS / 4) + 2
    for number in range(answers):
        await outbox.say(f"k{number}", str(number))
    await outbox.quiet()
    await say_in(outbox, "a", "anchor of a", Priority.PROGRESS)
    await say_in(outbox, "b", "anchor of b", Priority.PROGRESS)
    await resting(outbox)
    assert len(outbox.platform.posts) == answers
    row = await outbox.store.outgoing(PostKey("anchor of a"))  # type: ignore[attr-defined]
    assert row.state is SendState.NEW

    await say_in(outbox, "b", "final of b", Priority.FINAL)
    await until(lambda: "final of b" in outbox.shown())
    assert outbox.shown()[answers:] == ["anchor of b", "final of b"]

    await outbox.quiet(60)
    assert outbox.shown()[-1] == "anchor of a"


async def test_the_first_sign_of_a_quiet_chat_is_committed_once_and_goes_at_once(outbox: Outbox) -> None:
    outbox.platform.edit_gap = 4
    marked: list[SendState] = []
    mark = outbox.store.mark  # type: ignore[attr-defined]

    async def noted(key: PostKey, state: SendState, **given: object) -> None:
        marked.append(state)
        await mark(key, state, **given)

    outbox.store.mark = noted  # type: ignore[attr-defined]
    await outbox.say("one", "one")
    await outbox.quiet()
    await outbox.say("two", "two", priority=Priority.PROGRESS)
    await outbox.quiet()

    assert outbox.shown() == ["one", "two"]
    assert marked == [SendState.SENT, SendState.SENT]


# ------------------------------------------------------------------------------- told to wait (429)


async def test_a_busy_answer_to_an_edit_holds_posts_too(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    outbox.platform.fail("edit", ChatBusy("slow down", 30))
    await outbox.posts.show(PostKey("k"), Post("1"))
    await resting(outbox)
    await outbox.say("final", "final")
    await outbox.clock.forward(29)
    assert outbox.platform.calls == ["post", "edit"]

    await outbox.quiet(2)

    assert outbox.platform.calls == ["post", "edit", "post", "edit"]
    assert outbox.shown() == ["1", "final"]


async def test_a_busy_answer_to_a_post_holds_edits_too(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    await held(outbox)
    await outbox.posts.show(PostKey("k"), Post("1"))
    await outbox.clock.forward(29)
    assert outbox.platform.calls == ["post", "post"]

    await outbox.quiet(2)

    assert outbox.shown() == ["1", "held"]


async def test_however_often_a_chat_is_told_to_wait_the_last_words_are_shown(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    outbox.platform.fail("edit", ChatBusy("slow down", 3), times=10)
    await outbox.posts.show(PostKey("k"), Post("done"))
    await passing(outbox, lambda: outbox.shown() == ["done"])

    assert outbox.platform.calls.count("edit") == 11


async def test_newer_progress_takes_the_place_of_what_was_told_to_wait(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    outbox.platform.fail("edit", ChatBusy("slow down", 30))
    show_progress(outbox, "1")
    await resting(outbox)
    show_progress(outbox, "2")
    await outbox.quiet(31)

    assert [each.text for each in outbox.platform.posts[0].history] == ["0", "2"]


async def test_a_platform_that_asks_to_wait_for_no_time_is_not_asked_again_at_once(outbox: Outbox) -> None:
    outbox.platform.fail("post", ChatBusy("slow down", 0))
    await outbox.say("k", "hello")
    await resting(outbox)
    assert outbox.platform.calls == ["post"]

    await outbox.quiet(LEAST_BUSY_SECONDS)

    assert outbox.shown() == ["hello"]


# ------------------------------------------------------------------- edits that all chats share


class SharingPlatform(FakePlatform):
    shared_edit_gap = 2.0


@pytest.fixture
async def sharing(tmp_path: Path) -> AsyncIterator[Outbox]:
    async with sqlite_store(tmp_path) as store:
        box = Outbox(store)
        box.platform = SharingPlatform()
        box.posts = box.made()
        await box.start()
        try:
            yield box
        finally:
            await box.stop()


async def in_chats(outbox: Outbox, count: int) -> list[ThreadRef]:
    threads = [replace(outbox.platform.thread, chat=f"c{number}") for number in range(count)]
    for thread in threads:
        await outbox.posts.say(PostKey(thread.chat), thread, Post("0"))
    await outbox.quiet()
    return threads


async def test_where_edits_are_counted_together_chats_take_turns(sharing: Outbox) -> None:
    threads = await in_chats(sharing, SHARED_PROGRESS_AHEAD + 4)
    for thread in threads:
        sharing.posts.progress(PostKey(thread.chat), thread.room, Post("1"))
    await resting(sharing, sleepers=3)
    await until(lambda: sharing.platform.calls.count("edit") == SHARED_PROGRESS_AHEAD + 1)
    assert sharing.shown() == ["1"] * (SHARED_PROGRESS_AHEAD + 1) + ["0"] * 3

    await sharing.posts.show(PostKey(threads[-1].chat), Post("done"))
    await until(lambda: "done" in sharing.shown())
    assert sharing.shown()[-3:] == ["0", "0", "done"]
    await sharing.posts.say(PostKey("final"), threads[-2], Post("final"))
    await until(lambda: "final" in sharing.shown())

    await sharing.quiet(30)
    assert sharing.shown() == ["1"] * (len(threads) - 1) + ["done", "final"]


async def test_where_edits_are_counted_together_one_that_is_refused_holds_all_edits_and_no_other_chat_s_posts(
    sharing: Outbox,
) -> None:
    threads = await in_chats(sharing, 2)
    sharing.platform.fail("edit", ChatBusy("slow down", 30))
    await sharing.posts.show(PostKey("c0"), Post("1"))
    await resting(sharing)
    await sharing.posts.show(PostKey("c1"), Post("1"))
    await resting(sharing, sleepers=2)
    await sharing.posts.say(PostKey("other"), threads[1], Post("other"))
    await until(lambda: "other" in sharing.shown())
    await sharing.clock.forward(29)
    assert sharing.platform.calls.count("edit") == 1

    await sharing.quiet(2)

    assert sharing.shown() == ["1", "1", "other"]


# ------------------------------------------------------------------------------ edits that fail


async def test_last_words_are_tried_until_they_are_shown_and_posts_do_not_wait_for_them(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    outbox.platform.fail("edit", SendFailed("no route"), times=8)
    await outbox.posts.show(PostKey("k"), Post("done"))
    await resting(outbox)
    await outbox.say("next", "next")
    await until(lambda: "next" in outbox.shown())
    await passing(outbox, lambda: outbox.shown() == ["done", "next"])


@pytest.mark.parametrize("error", [PostGone("deleted"), ChatError("not yours")])
async def test_an_edit_that_cannot_be_is_not_wanted_any_more(outbox: Outbox, error: ChatError) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    outbox.platform.fail("edit", error)
    await outbox.posts.show(PostKey("k"), Post("1"))
    await outbox.quiet()

    assert await outbox.store.unsent() == []  # type: ignore[attr-defined]


async def test_words_for_a_platform_that_is_gone_end_nothing(outbox: Outbox) -> None:
    elsewhere = ThreadRef("gone", "", "room")
    await outbox.store.put_posts([Outgoing(PostKey("far"), elsewhere, Post("0"), Priority.ANSWER)])  # type: ignore[attr-defined]
    await outbox.posts.show(PostKey("far"), Post("1"))
    outbox.posts.progress(PostKey("far"), ChatRef("gone", "", "room"), Post("2"))
    await outbox.say("k", "hello")
    await outbox.quiet()

    assert outbox.shown() == ["hello"]


async def test_a_store_that_cannot_be_asked_is_waited_for(outbox: Outbox) -> None:
    await outbox.say("k", "0")
    await outbox.quiet()
    want, tries = outbox.store.want, []  # type: ignore[attr-defined]

    async def full(*given: object) -> object:
        tries.append(given)
        if len(tries) < 3:
            raise StoreError("disk full")
        return await want(*given)

    outbox.store.want = full  # type: ignore[attr-defined]
    show_progress(outbox, "1")
    await passing(outbox, lambda: outbox.shown() == ["1"])


# ------------------------------------------------------------------- neither lost nor said again


async def lose(outbox: Outbox, *, times: int, accepted: bool) -> None:
    outbox.platform.can_find = False
    outbox.platform.fail("post", SendUnknown("timeout"), accepted=accepted, times=times)
    await outbox.say("k", "hello")
    await resting(outbox)
    await outbox.quiet(2)


@pytest.mark.parametrize("accepted", [True, False])
async def test_two_tries_without_an_answer_are_the_most_and_people_are_told(outbox: Outbox, *, accepted: bool) -> None:
    await lose(outbox, times=2, accepted=accepted)
    shown = outbox.shown()
    await outbox.restart()
    await outbox.quiet()

    assert outbox.shown() == shown == ["hello", MAYBE_TWICE + "hello"] * accepted + [MAYBE_LOST]
    assert outbox.platform.posts[-1].labels == ["Say it again"]
    assert outbox.platform.posts[-1].buttons[0].says == "/again k"


async def test_a_notice_that_gets_no_answer_twice_is_the_end_of_it(outbox: Outbox) -> None:
    outbox.platform.can_find = False
    outbox.platform.fail("post", SendUnknown("timeout"), accepted=True, times=4)
    await outbox.say("k", "hello")
    await passing(outbox, lambda: len(outbox.platform.posts) == 4)

    assert outbox.shown() == ["hello", MAYBE_TWICE + "hello", MAYBE_LOST, MAYBE_TWICE + MAYBE_LOST]
    assert await outbox.store.unsent() == []  # type: ignore[attr-defined]


async def test_a_second_try_that_was_surely_not_sent_is_made_again(outbox: Outbox) -> None:
    outbox.platform.can_find = False
    outbox.platform.fail("post", SendUnknown("timeout"), accepted=True)
    outbox.platform.fail("post", ChatBusy("slow down", 5))
    await outbox.say("k", "hello")
    await resting(outbox)
    await outbox.clock.forward(2)
    await resting(outbox)
    await outbox.restart()
    await outbox.quiet()

    assert outbox.shown() == ["hello", MAYBE_TWICE + "hello"]


async def test_a_crash_while_it_is_said_twice_makes_no_third_copy(outbox: Outbox) -> None:
    await outbox.stop()
    outbox.platform.can_find = False
    row = Outgoing(PostKey("k"), outbox.platform.thread, Post("hello"), Priority.ANSWER)
    await outbox.store.put_posts([row])  # type: ignore[attr-defined]
    await outbox.store.mark(PostKey("k"), SendState.SENDING, is_twice=True)  # type: ignore[attr-defined]
    await outbox.restart()
    await outbox.quiet()

    assert outbox.shown() == [MAYBE_LOST]


async def test_a_notice_that_a_crash_cut_is_said_once_more(outbox: Outbox) -> None:
    await outbox.stop()
    outbox.platform.can_find = False
    row = Outgoing(PostKey(f"{LOST}k"), outbox.platform.thread, Post(MAYBE_LOST), Priority.ANSWER)
    await outbox.store.put_posts([row])  # type: ignore[attr-defined]
    await outbox.store.mark(row.key, SendState.SENDING, is_twice=True)  # type: ignore[attr-defined]
    await outbox.restart()
    await outbox.quiet()

    assert outbox.shown() == [MAYBE_TWICE + MAYBE_LOST]


async def test_after_such_a_crash_a_look_up_that_fails_is_made_again(outbox: Outbox) -> None:
    await outbox.stop()
    outbox.platform.fail("find", SendFailed("no route"))
    row = Outgoing(PostKey("k"), outbox.platform.thread, Post("hello"), Priority.ANSWER)
    await outbox.store.put_posts([row])  # type: ignore[attr-defined]
    await outbox.store.mark(PostKey("k"), SendState.SENDING, is_twice=True)  # type: ignore[attr-defined]
    await outbox.restart()
    await resting(outbox)
    await outbox.quiet(2)

    assert outbox.shown() == [MAYBE_TWICE + "hello"]


# ------------------------------------------------------------------------------- say it once more


async def test_what_may_be_lost_is_said_again_when_a_person_wants_it(bot: WholeBot) -> None:
    await bot.linked()
    bot.platform.can_find = False
    bot.platform.fail("post", SendUnknown("timeout"), times=2)
    said = await bot.platform.say("/status")
    await bot.inbox.until_quiet()
    await until(lambda: bot.clock._sleepers)
    await bot.clock.forward(2)
    await bot.platform.shown(MAYBE_LOST)
    await bot.platform.press("Say it again")
    await bot.quiet()

    again = bot.platform.posts[-1].text
    assert again.startswith("Nothing is running here.")
    assert bot.platform.find_shown(MAYBE_LOST) is not None
    assert (await bot.store.outgoing(PostKey(f"reply:{said.cause}"))) is not None


async def test_a_copy_has_buttons_of_its_own(bot: WholeBot) -> None:
    await bot.linked()
    await bot.posts.say(PostKey("k"), bot.platform.thread, Post("choose", ((Button("Go", "/status"),),)))
    await bot.ask("/again k")

    first, second = (each.buttons[0].token for each in bot.platform.posts if each.text == "choose")
    assert first != second


@pytest.mark.parametrize("words", ["/again", "/again nothing", "/again far"])
async def test_only_what_stands_in_this_chat_is_said_again(bot: WholeBot, words: str) -> None:
    await bot.posts.say(PostKey("far"), ThreadRef("fake", "home", "elsewhere"), Post("secret"))
    shown = await bot.ask(words)

    assert "secret" not in shown.text
