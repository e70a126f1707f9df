"""The inbox and the outbox: nothing twice, nothing lost, and who asks first is told that it is new."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.store import DatabaseStore
from core.model.chat import Button, ButtonToken, Delivery, File, Post, PostKey, PostRef, Priority, Style, ThreadRef
from core.model.errors import NotFound
from core.ports import Arrival, Outgoing, SendState, Store, StoredButton
from tests.contracts.conftest import Hands

THREAD = ThreadRef("slack", "T1", "C1", "1700.1")
REF = PostRef(THREAD, "1700.9")
KEY = PostKey("reply:1")


def arrival(key: str, raw: bytes = b"{}") -> Arrival:
    return Arrival(key, Delivery("slack", f"event-{key}", raw))


def outgoing(key: str = KEY, post: Post | None = None, **fields: Any) -> Outgoing:
    return replace(Outgoing(PostKey(key), THREAD, post or Post("hello"), Priority.ANSWER), **fields)


def with_buttons(*says: str) -> Post:
    return Post("Which?", ((*(Button(each.title(), each) for each in says), Button("Open", url="https://x.test")),))


async def test_it_is_a_store(store: DatabaseStore) -> None:
    whole: Store = store

    assert whole is store


# ------------------------------------------------------------------------------------------- the inbox


async def test_what_is_accepted_is_unsettled_in_the_order_it_came(store: DatabaseStore) -> None:
    raw = bytes(range(256))
    assert await store.accept([arrival("b", raw), arrival("a")], "slack", None) == {"a", "b"}
    await store.accept([arrival("c")], "slack", None)

    assert await store.unsettled() == [arrival("b", raw), arrival("a"), arrival("c")]


async def test_a_key_is_new_once(store: DatabaseStore) -> None:
    await store.accept([arrival("a", b"first")], "slack", None)

    assert await store.accept([arrival("a", b"again"), arrival("b")], "slack", None) == {"b"}
    assert await store.unsettled() == [arrival("a", b"first"), arrival("b")]


async def test_a_key_twice_in_one_call_is_one(store: DatabaseStore) -> None:
    assert await store.accept([arrival("a", b"1"), arrival("a", b"2")], "slack", None) == {"a"}
    assert await store.unsettled() == [arrival("a", b"1")]


async def test_of_many_who_bring_the_same_key_one_is_told_that_it_is_new(store: DatabaseStore) -> None:
    told = await asyncio.gather(*(store.accept([arrival("a"), arrival(f"own-{n}")], "slack", None) for n in range(40)))

    assert sum("a" in keys for keys in told) == 1
    assert all(f"own-{n}" in keys for n, keys in enumerate(told))


async def test_more_than_one_insert_takes_are_accepted_together(store: DatabaseStore) -> None:
    many = [arrival(f"k{n:04}") for n in range(1001)]

    assert await store.accept(many, "slack", "9") == {each.key for each in many}
    assert await store.unsettled() == many


async def test_the_cursor_is_what_the_last_take_gave(store: DatabaseStore) -> None:
    assert await store.cursor("telegram") is None
    await store.accept([arrival("a")], "telegram", "7")
    await store.accept([], "telegram", "8")
    await store.accept([arrival("b")], "telegram", None)

    assert await store.cursor("telegram") == "8"
    assert await store.cursor("slack") is None


async def test_cursors_of_takes_at_the_same_time_end_at_the_last(store: DatabaseStore) -> None:
    await asyncio.gather(*(store.accept([arrival(f"k{n}")], "telegram", str(n)) for n in range(30)))

    assert await store.cursor("telegram") == "29"


async def test_nothing_at_all_may_be_accepted(store: DatabaseStore) -> None:
    assert await store.accept([], "slack", None) == set()


async def test_what_is_settled_is_not_unsettled_and_stays_known(store: DatabaseStore) -> None:
    await store.accept([arrival("a"), arrival("b")], "slack", None)
    await store.settle("a")

    assert await store.unsettled() == [arrival("b")]
    assert await store.accept([arrival("a")], "slack", None) == set()


async def test_tries_are_counted(store: DatabaseStore) -> None:
    await store.accept([arrival("a")], "slack", None)

    assert await store.fail("a", "boom") == 1
    assert await store.fail("a", "boom") == 2
    assert await store.unsettled() == [arrival("a")]


async def test_what_never_came_cannot_fail(store: DatabaseStore) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await store.fail("nowhere", "boom")


async def test_what_is_set_aside_is_not_tried_again(store: DatabaseStore) -> None:
    await store.accept([arrival("a"), arrival("b")], "slack", None)
    await store.set_aside("a", "boom")

    assert await store.unsettled() == [arrival("b")]
    assert await store.accept([arrival("a")], "slack", None) == set()


async def test_keys_of_strangers_may_hold_what_databases_refuse(store: DatabaseStore) -> None:
    strange = Arrival("a\x00\ud800b", Delivery("slack", "\x00", b"\x00"))

    assert await store.accept([strange, arrival("fine")], "slack", "\x00") == {strange.key, "fine"}
    assert await store.accept([strange], "slack", None) == set()
    assert await store.fail(strange.key, "\x00\udfff") == 1
    await store.settle(strange.key)
    assert await store.unsettled() == [arrival("fine")]


# ------------------------------------------------------------------------------------------ the outbox


async def test_a_post_comes_back_as_it_was_put(store: DatabaseStore) -> None:
    post = Post("*hello* \x00 \U0001f600", ((Button("Open", url="https://x.test", style=Style.DANGER),),), silent=True)
    put = outgoing(post=post, priority=Priority.FINAL, state=SendState.SENDING, opens={"says": ["/x", 1, None]})

    told = await store.put_posts([put])
    back = await store.outgoing(KEY)
    assert back is not None
    assert told == [back]
    assert replace(back, seq=0) == put


async def test_a_file_comes_back_as_it_was_put(store: DatabaseStore) -> None:
    file = File("DEMO-1.diff", "+ \x00 \U0001f600 \r\n" * 200_000)
    await store.put_posts([outgoing(post=Post("", file=file, below="below"))])

    back = await store.outgoing(KEY)
    assert back is not None
    assert back.post == Post("", file=file, below="below")
    assert [each.post for each in await store.unsent()] == [back.post]


async def test_a_post_that_never_was_is_none(store: DatabaseStore) -> None:
    assert await store.outgoing(KEY) is None
    assert await store.want(KEY, Post("x")) is None


async def test_a_post_is_new_once_and_the_first_words_stand(store: DatabaseStore) -> None:
    await store.put_posts([outgoing()])

    put = await store.put_posts([outgoing(post=with_buttons("no")), outgoing("reply:2")])
    assert [each.key for each in put] == ["reply:2"]
    back = await store.outgoing(KEY)
    assert back is not None
    assert back.post == Post("hello")


async def test_of_many_who_put_the_same_post_one_is_told_that_it_is_new(store: DatabaseStore) -> None:
    told = await asyncio.gather(*(store.put_posts([outgoing(post=with_buttons(f"say {n}"))]) for n in range(30)))

    assert sum(map(len, told)) == 1
    back = await store.outgoing(KEY)
    assert back is not None
    press = back.post.buttons[0][0]
    assert await store.button(press.token) == StoredButton(press.says, KEY, THREAD)
    assert len(await store._database.client.execute_query_dict("SELECT token FROM buttons")) == 1


async def test_posts_keep_their_order(store: DatabaseStore) -> None:
    await store.put_posts([outgoing("b"), outgoing("a")])
    await store.put_posts([outgoing("c")])

    unsent = await store.unsent()
    assert [each.key for each in unsent] == ["b", "a", "c"]
    assert unsent[0].seq < unsent[1].seq < unsent[2].seq


async def test_every_press_has_a_token_and_a_link_has_none(store: DatabaseStore) -> None:
    put = await store.put_posts([outgoing(post=with_buttons("yes", "no"))])

    back = await store.outgoing(KEY)
    assert back is not None
    assert put == [back]
    yes, no, link = back.post.buttons[0]
    assert await store.button(yes.token) == StoredButton("yes", KEY, THREAD)
    assert await store.button(no.token) == StoredButton("no", KEY, THREAD)
    assert link.token == ""
    assert await store.button(link.token) is None
    assert 16 <= len(yes.token.encode()) <= 64
    assert yes.token != no.token


async def test_a_token_that_was_given_is_kept(store: DatabaseStore) -> None:
    given = ButtonToken("given-by-the-core")
    await store.put_posts([outgoing(post=Post("x", ((Button("A", "a", token=given),),)))])

    assert await store.button(given) == StoredButton("a", KEY, THREAD)


async def test_an_unknown_token_stands_for_nothing(store: DatabaseStore) -> None:
    assert await store.button(ButtonToken("guess\x00")) is None
    assert await store.button(ButtonToken("")) is None


async def test_other_words_count_up_and_keep_the_token_of_what_still_says_the_same(store: DatabaseStore) -> None:
    await store.put_posts([outgoing(post=with_buttons("yes", "no"))])
    before = await store.outgoing(KEY)
    assert before is not None
    yes, no, _ = before.post.buttons[0]

    wanted = await store.want(KEY, with_buttons("later", "yes"))

    assert wanted is not None
    later, still, _ = wanted.post.buttons[0]
    assert (wanted.version, wanted.shown, still.token) == (2, 0, yes.token)
    assert await store.outgoing(KEY) == wanted
    assert await store.button(no.token) is None
    assert await store.button(later.token) == StoredButton("later", KEY, THREAD)
    assert await store.button(yes.token) == StoredButton("yes", KEY, THREAD)


async def test_two_buttons_that_say_the_same_have_their_own_tokens(store: DatabaseStore) -> None:
    await store.put_posts([outgoing(post=with_buttons("yes", "yes"))])
    wanted = await store.want(KEY, with_buttons("yes", "yes", "yes"))

    assert wanted is not None
    assert len({button.token for button in wanted.post.buttons[0][:3]}) == 3


async def test_words_wanted_at_the_same_time_each_count(store: DatabaseStore) -> None:
    await store.put_posts([outgoing()])
    seen = await asyncio.gather(*(store.want(KEY, Post(str(n))) for n in range(20)))

    assert sorted(each.version for each in seen if each) == list(range(2, 22))


async def test_marks_are_read_back_at_once(store: DatabaseStore) -> None:
    await store.put_posts([outgoing()])
    await store.mark(KEY, SendState.SENT, ref=REF, shown=1)

    back = await store.outgoing(KEY)
    assert back is not None
    assert (back.state, back.ref, back.shown) == (SendState.SENT, REF, 1)
    await store.mark(KEY, SendState.UNKNOWN)
    back = await store.outgoing(KEY)
    assert back is not None
    assert (back.state, back.ref, back.shown) == (SendState.UNKNOWN, REF, 1)


async def test_what_is_twice_stays_so(store: DatabaseStore) -> None:
    (put,) = await store.put_posts([outgoing()])
    await store.mark(KEY, SendState.SENDING, is_twice=True)
    await store.mark(KEY, SendState.SENT, ref=REF, shown=1)
    wanted = await store.want(KEY, Post("more"))

    assert not put.is_twice
    assert wanted is not None
    assert wanted.is_twice


async def test_that_a_post_is_being_sent_is_committed_before_it_is(store: DatabaseStore) -> None:
    await store.put_posts([outgoing()])
    await store.mark(KEY, SendState.SENDING)

    rows = await store._database.client.execute_query_dict("SELECT state FROM posts")
    assert [row["state"] for row in rows] == ["sending"]


async def test_a_mark_before_other_words_is_seen_by_them(store: DatabaseStore) -> None:
    await store.put_posts([outgoing()])
    await store.mark(KEY, SendState.SENT, ref=REF, shown=1)
    wanted = await store.want(KEY, Post("more"))

    assert wanted is not None
    assert (wanted.state, wanted.shown, wanted.version, wanted.ref) == (SendState.SENT, 1, 2, REF)


@pytest.mark.parametrize("state", [SendState.NEW, SendState.SENDING, SendState.UNKNOWN])
async def test_what_is_on_its_way_is_unsent(store: DatabaseStore, state: SendState) -> None:
    await store.put_posts([outgoing()])
    await store.mark(KEY, state)

    assert [each.key for each in await store.unsent()] == [KEY]


async def test_what_the_platform_shows_or_refused_is_not_unsent(store: DatabaseStore) -> None:
    await store.put_posts([outgoing("sent"), outgoing("refused")])
    await store.mark(PostKey("sent"), SendState.SENT, ref=REF, shown=1)
    await store.mark(PostKey("refused"), SendState.REJECTED)

    assert await store.unsent() == []


async def test_what_is_shown_in_an_old_version_is_unsent(store: DatabaseStore) -> None:
    await store.put_posts([outgoing()])
    await store.mark(KEY, SendState.SENT, ref=REF, shown=1)
    await store.want(KEY, Post("newer"))

    assert [each.version for each in await store.unsent()] == [2]
    await store.mark(KEY, SendState.SENT, shown=2)
    assert await store.unsent() == []


async def test_an_ask_that_waits_for_its_thread_keeps_the_post_unsent(store: DatabaseStore) -> None:
    await store.put_posts([outgoing(opens={"ask": 1})])
    await store.mark(KEY, SendState.SENT, ref=REF, shown=1)
    assert [each.opens for each in await store.unsent()] == [{"ask": 1}]

    await store.opened(KEY)

    assert await store.unsent() == []
    back = await store.outgoing(KEY)
    assert back is not None
    assert back.opens is None


async def test_a_mark_on_a_post_that_never_was_does_nothing(store: DatabaseStore) -> None:
    await store.mark(KEY, SendState.SENDING)

    assert await store.outgoing(KEY) is None


# ---------------------------------------------------------------------------------------- old rows


async def test_old_rows_that_are_done_with_are_forgotten(store: DatabaseStore, hands: Hands) -> None:
    await store.accept([arrival("settled"), arrival("open")], "slack", None)
    await store.settle("settled")
    await store.put_posts([outgoing("sent", with_buttons("yes")), outgoing("new"), outgoing("refused")])
    await store.mark(PostKey("sent"), SendState.SENT, ref=REF, shown=1)
    await store.mark(PostKey("refused"), SendState.REJECTED)
    done: dict[str, Any] = {"state": SendState.SENT, "shown": 1}
    await store.put_posts([outgoing("stale", version=2, **done), outgoing("opening", opens={"ask": 1}, **done)])
    sent = await store.outgoing(PostKey("sent"))
    assert sent is not None
    hands.turn(days=31)
    await store.put_posts([outgoing("young", state=SendState.SENT, shown=1)])

    assert await store.prune(hands.now() - timedelta(days=30)) == 3

    assert await store.unsettled() == [arrival("open")]
    assert await store.accept([arrival("settled")], "slack", None) == {"settled"}
    assert await store.outgoing(PostKey("sent")) is None
    assert await store.outgoing(PostKey("refused")) is None
    assert await store.outgoing(PostKey("young")) is not None
    assert [each.key for each in await store.unsent()] == ["new", "stale", "opening"]
    assert await store.button(sent.post.buttons[0][0].token) is None


async def test_a_key_is_remembered_for_eight_days_whatever_is_asked(store: DatabaseStore, hands: Hands) -> None:
    await store.accept([arrival("a")], "slack", None)
    await store.settle("a")
    await store.unsettled()
    hands.turn(days=7, hours=23)

    assert await store.prune(hands.now()) == 0
    assert await store.accept([arrival("a")], "slack", None) == set()
    hands.turn(hours=2)
    assert await store.prune(hands.now()) == 1
