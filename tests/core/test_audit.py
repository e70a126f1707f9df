"""The chain: whatever is changed in it, or cut off it, is found; and who did what from a chat can be read there."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from core.audit.acting import NOBODY, acting, actor
from core.audit.chain import FIRST, breaks, checkpoint_words, digest, follow, signed_words
from core.audit.checkpoints import Checkpoints
from core.model.audit import Act, Actor, Checkpoint, Entry
from core.model.chat import Cause, ChatRef, Said, ThreadRef
from core.model.errors import BotError
from tests.fakes.clock import FakeClock
from tests.whole import MEMBER, WholeBot

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LENGTH = 60
MUTATIONS = int(os.environ.get("PATCHBAY_AUDIT_MUTATIONS", "1000"))
"""10,000 is the full size; each is one attack on a chain of sixty entries."""


def chain(length: int = LENGTH) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(length):
        who = Actor(f"slack:T1:U{number % 5}", "slack:T1:C1", f"slack:T1:C1:{number}")
        act = Act(who, ("run.start", "grant.put", "link.put")[number % 3], uuid4().hex, f"result {number}")
        entries.append(follow(entries[-1] if entries else None, NOW + timedelta(seconds=number), act))
    return entries


def checkpoint(entry: Entry) -> Checkpoint:
    return Checkpoint(entry.seq, entry.hash, entry.at, "key", "signature")


# ------------------------------------------------------------------------------------------ mutations


def rehashed(entries: Sequence[Entry], start: int) -> list[Entry]:
    """Who has the database can make every hash from there on right again."""
    made = list(entries[:start])
    made += [follow(made[-1] if made else None, entries[start].at, entries[start].act)]
    for entry in entries[start + 1 :]:
        made.append(follow(made[-1], entry.at, entry.act))
    return made


def other(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text) + 1)
    return text[:at] + dice.choice("abcXYZ019:. ") + text[at:]


def changed_field(entries: list[Entry], dice: random.Random) -> list[Entry]:
    at = dice.randrange(len(entries))
    entry, act = entries[at], entries[at].act
    changes: list[Entry] = [
        replace(entry, at=entry.at + timedelta(microseconds=dice.randrange(1, 10**9))),
        replace(entry, act=replace(act, what=other(act.what, dice))),
        replace(entry, act=replace(act, target=other(act.target, dice))),
        replace(entry, act=replace(act, result=other(act.result, dice))),
        replace(entry, act=replace(act, actor=replace(act.actor, who=other(act.actor.who, dice)))),
        replace(entry, act=replace(act, actor=replace(act.actor, room=other(act.actor.room, dice)))),
        replace(entry, act=replace(act, actor=replace(act.actor, cause=other(act.actor.cause, dice)))),
        replace(entry, prev=uuid4().hex * 2),
        replace(entry, hash=uuid4().hex * 2),
        replace(entry, seq=entry.seq + dice.randrange(1, 9)),
    ]
    return [*entries[:at], dice.choice(changes), *entries[at + 1 :]]


def moved_words(entries: list[Entry], dice: random.Random) -> list[Entry]:
    """The same characters, in another field."""
    at = dice.randrange(len(entries))
    act = entries[at].act
    moved = replace(act, target=act.target + act.result[:1], result=act.result[1:])
    return [*entries[:at], replace(entries[at], act=moved), *entries[at + 1 :]]


def dropped(entries: list[Entry], dice: random.Random) -> list[Entry]:
    at = dice.randrange(len(entries) - 1)
    return entries[:at] + entries[at + 1 :]


def swapped(entries: list[Entry], dice: random.Random) -> list[Entry]:
    one, two = sorted(dice.sample(range(len(entries)), 2))
    made = list(entries)
    made[one], made[two] = made[two], made[one]
    return made


def inserted(entries: list[Entry], dice: random.Random) -> list[Entry]:
    at = dice.randrange(1, len(entries))
    return [*entries[:at], follow(entries[at - 1], NOW, Act(NOBODY, "run.start", "forged")), *entries[at:]]


def doubled(entries: list[Entry], dice: random.Random) -> list[Entry]:
    at = dice.randrange(len(entries))
    return [*entries[: at + 1], *entries[at:]]


def remade(entries: list[Entry], dice: random.Random) -> list[Entry]:
    """Changed, and every hash behind it made right: only a checkpoint tells."""
    at = dice.randrange(len(entries))
    act = entries[at].act
    forged = [*entries[:at], replace(entries[at], act=replace(act, target="forged")), *entries[at + 1 :]]
    return rehashed(forged, at)


def truncated(entries: list[Entry], dice: random.Random) -> list[Entry]:
    return entries[: dice.randrange(len(entries))]


ATTACKS: Sequence[Callable[[list[Entry], random.Random], list[Entry]]] = (
    *(changed_field, moved_words, dropped, swapped, inserted, doubled, remade, truncated),
)


def test_every_mutation_is_found_with_a_checkpoint_of_the_end() -> None:
    dice, whole = random.Random(4), chain()
    marks = [checkpoint(whole[-1])]
    assert list(breaks(whole, marks)) == []
    missed = dict.fromkeys((attack.__name__ for attack in ATTACKS), 0)
    each = MUTATIONS // len(ATTACKS)
    for attack in ATTACKS:
        for _ in range(each):
            missed[attack.__name__] += not list(breaks(attack(list(whole), dice), marks))
    found = each * len(ATTACKS) - sum(missed.values())
    print(f"{found} of {each * len(ATTACKS)} mutations found, {each} of each of {len(ATTACKS)} kinds")  # noqa: T201

    assert not any(missed.values()), missed


def test_without_checkpoints_truncation_and_a_remade_chain_are_missed() -> None:
    """The negative control: the chain alone does not show its end."""
    dice, whole = random.Random(5), chain()

    assert list(breaks(truncated(whole, dice))) == []
    assert list(breaks(remade(whole, dice))) == []


def test_without_hashes_a_change_is_missed() -> None:
    """The negative control of the chain itself: taken at its word, a forged entry is as good as any."""
    whole = chain(3)
    act = replace(whole[1].act, target="forged")
    forged = replace(whole[1], act=act, hash=digest(2, whole[1].at, act, whole[1].prev))

    assert list(breaks([whole[0], forged, replace(whole[2], prev=forged.hash)])) == ["Entry 3 was changed."]
    assert list(breaks(rehashed([whole[0], forged, whole[2]], 1))) == []


def test_a_checkpoint_that_is_not_ours_counts_for_nothing() -> None:
    whole = chain(2)
    wrong = list(breaks(whole, [checkpoint(whole[1])], lambda _: False))

    assert wrong == ["The checkpoint at 2 is not signed by this bot's key."]


def test_the_words_tell_what_is_wrong() -> None:
    whole = chain(3)

    assert list(breaks(whole[:2], [checkpoint(whole[2])])) == [
        "Entry 3 is missing: a checkpoint says that the chain went at least so far."
    ]
    assert "Entry 1 is not what the checkpoint of 2026-03-01" in "".join(
        breaks(whole, [replace(checkpoint(whole[0]), hash=FIRST)])
    )
    assert list(breaks([])) == []


# ---------------------------------------------------------------------------------------- checkpoints


class Head:
    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    async def audit_head(self) -> Entry | None:
        return self.entries[-1] if self.entries else None

    async def audit_after(self, seq: int, limit: int) -> list[Entry]:
        return [each for each in self.entries if each.seq > seq][:limit]

    async def audit_of(self, room: ChatRef, limit: int) -> list[Entry]:
        return [each for each in self.entries if each.act.actor.room == str(room)][:limit]


class Pen:
    key = "ab"

    async def sign(self, words: bytes) -> str:
        return words.hex()


async def test_checkpoints_come_each_five_minutes_or_hundred_entries() -> None:
    clock, entries, kept = FakeClock(), chain(1), list[Checkpoint]()

    async def keep(made: Checkpoint) -> None:
        kept.append(made)

    checkpoints = Checkpoints(Head(entries), Pen(), keep, clock)
    assert await checkpoints.look()
    assert not await checkpoints.look(), "nothing new"
    entries.append(follow(entries[-1], NOW, entries[0].act))
    assert not await checkpoints.look(), "not due"
    await clock.forward(299)
    assert await checkpoints.look(), "within five minutes"
    for _ in range(100):
        entries.append(follow(entries[-1], NOW, entries[0].act))
    assert await checkpoints.look(), "many at once"

    entries.append(follow(entries[-1], NOW, entries[0].act))
    await checkpoints.last()

    assert [each.seq for each in kept] == [1, 2, 102, 103]
    bare = replace(kept[0], key="", signature="")
    assert (kept[0].key, kept[0].signature) == ("ab", signed_words(bare).hex())
    assert f'"seq": {kept[0].seq}' in checkpoint_words(kept[0])


async def test_without_entries_there_is_no_checkpoint() -> None:
    async def keep(_made: Checkpoint) -> None:
        raise AssertionError

    assert not await Checkpoints(Head([]), Pen(), keep, FakeClock()).look()


async def test_a_checkpoint_that_cannot_be_kept_is_tried_again() -> None:
    tried: list[int] = []

    class Over(Exception):
        pass

    class Once(FakeClock):
        async def sleep(self, seconds: float) -> None:
            assert seconds > 0
            if len(tried) == 2:
                raise Over

    async def keep(made: Checkpoint) -> None:
        tried.append(made.seq)
        raise BotError("the disk is full")

    with pytest.raises(Over):
        await Checkpoints(Head(chain(3)), Pen(), keep, Once()).work()
    await Checkpoints(Head(chain(3)), Pen(), keep, Once()).last()

    assert tried == [3, 3, 3]


# ------------------------------------------------------------------------------------------ who did it


def test_who_acts_is_known_while_the_event_is_handled() -> None:
    said = Said(Cause("fake:home:m1"), ThreadRef("fake", "home", "room", "5"), MEMBER, "hello")
    with acting(said):
        assert actor() == Actor("fake:home:member", "fake:home:room", "fake:home:m1")

    assert actor() == NOBODY


async def test_what_is_done_is_in_the_chain_with_who_did_it_and_where(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("do it", person=MEMBER)

    entries = await bot.store.audit_after(0, 1000)
    assert list(breaks(entries)) == []
    by = {(each.act.what, each.act.actor.who) for each in entries}
    assert {
        ("project.add", "fake:home:owner"),
        ("link.put", "fake:home:owner"),
        ("run.start", "fake:home:member"),
    } <= by
    assert ("run.end", "patchbay") in by
    started = next(each.act for each in entries if each.act.what == "run.start")
    assert started.actor.room == str(bot.platform.thread.room)
    assert started.actor.cause.startswith("fake:home:m")


async def test_admins_read_the_last_acts_of_their_chat_in_private(bot: WholeBot) -> None:
    assert (await bot.ask("/audit")).text == "Nothing was done from this chat yet."
    await bot.linked()
    shown = await bot.ask("/audit")

    assert "fake:home:owner project.add DEMO" in shown.text
    assert "only an admin" in (await bot.ask("/audit", person=MEMBER)).text.lower()
