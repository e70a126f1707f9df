"""Approvals, on both databases: the first decision stands, a grant is spent once, silence is no."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.store import DatabaseStore
from core.model.approvals import Act, ActKind, Approval, ApprovalId, ApprovalState, Decision, Extent
from core.model.chat import Person, ThreadRef
from core.model.errors import NotAllowed
from core.model.work import ProjectKey, RunId
from tests.contracts.conftest import Hands

ANNA = Person("slack", "T1", "U1", "Anna")
BEN = Person("slack", "T1", "U2", "Ben")
CARL = Person("slack", "T1", "U3", "Carl")
THREAD = ThreadRef("slack", "T1", "C1", "1.0")
DEMO = ProjectKey("DEMO")
ACT = Act(ActKind.RUN, "clean", ("bash", "-c", "rm -rf src"), "rm -rf src", "/work/r1")


def question(hands: Hands, number: int = 1, **changes: object) -> Approval:
    made = Approval(
        id=ApprovalId(f"{number:010x}"),
        run=RunId("r1"),
        turn=1,
        digest=ACT.digest,
        likeness=ACT.likeness("/work/r1"),
        title="rm -rf src",
        shown="```sh\nrm -rf src\n```",
        requester=ANNA,
        thread=THREAD,
        project=DEMO,
        asked_at=hands.now(),
        until=hands.now() + timedelta(hours=1),
        life="one",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def yes(person: Person = BEN, extent: Extent = Extent.ONCE) -> Decision:
    return Decision(granted=True, person=person, extent=extent)


async def test_what_was_asked_stands_whoever_asks_it_again(store: DatabaseStore, hands: Hands) -> None:
    asked = await store.ask_approval(question(hands))

    assert asked == question(hands)
    assert await store.ask_approval(question(hands, 2)) == asked
    assert await store.approval(asked.id) == asked
    assert await store.approval(ApprovalId("nothing")) is None
    assert await store.ask_approval(question(hands, 3, digest="another")) != asked
    assert await store.ask_approval(question(hands, 4, run=RunId("r2"))) != asked
    assert await store.ask_approval(question(hands, 5, turn=2)) != asked


async def test_another_life_asks_once_more_and_then_no_more(store: DatabaseStore, hands: Hands) -> None:
    first = await store.ask_approval(question(hands))
    second = await store.ask_approval(question(hands, 2, life="two"))
    third = await store.ask_approval(question(hands, 3, life="three"))

    assert [each.asked for each in (first, second, third)] == [1, 2, 2]
    assert [len(each.keys) for each in (first, second, third)] == [1, 2, 2]
    assert second.id == third.id == first.id


async def test_open_ones_are_found_by_thread_by_chat_and_all(store: DatabaseStore, hands: Hands) -> None:
    here = await store.ask_approval(question(hands, 1))
    beside = await store.ask_approval(question(hands, 2, digest="b", thread=replace(THREAD, root="2.0")))
    far = await store.ask_approval(question(hands, 3, digest="c", thread=replace(THREAD, chat="C2")))

    assert await store.open_approvals(THREAD) == [here]
    assert await store.open_approvals(THREAD.room) == [here, beside]
    assert await store.open_approvals() == [here, beside, far]
    await store.decide_approval(here.id, yes(), hands.now())
    assert await store.open_approvals() == [beside, far]


async def test_the_first_decision_stands_however_many_come_at_once(store: DatabaseStore, hands: Hands) -> None:
    asked = await store.ask_approval(question(hands))
    no = Decision(granted=False, person=CARL, reason="not this")
    said = [no if number % 2 else yes() for number in range(20)]

    stands = await asyncio.gather(*(store.decide_approval(asked.id, each, hands.now()) for each in said))

    assert len({(each.state, each.by, each.reason) for each in stands if each}) == 1
    assert await store.approval(asked.id) == stands[0]
    assert await store.decide_approval(ApprovalId("nothing"), no, hands.now()) is None


async def test_a_grant_is_spent_once_by_its_own_run_for_its_own_act(store: DatabaseStore, hands: Hands) -> None:
    asked = await store.ask_approval(question(hands))
    now = hands.now()

    assert not await store.spend_approval(asked.id, asked.run, asked.digest, now), "nobody has said yes"
    await store.decide_approval(asked.id, yes(), now)
    assert not await store.spend_approval(asked.id, RunId("r2"), asked.digest, now)
    assert not await store.spend_approval(asked.id, asked.run, "0" * 64, now)
    assert not await store.spend_approval(ApprovalId("nothing"), asked.run, asked.digest, now)
    spent = await asyncio.gather(*(store.spend_approval(asked.id, asked.run, asked.digest, now) for _ in range(20)))
    assert Counter(spent) == {True: 1, False: 19}
    assert (await store.ask_approval(question(hands, 2))).state is ApprovalState.OPEN, "it is asked again"


async def test_a_yes_that_comes_too_late_is_none_and_one_that_lies_too_long_is_void(
    store: DatabaseStore, hands: Hands
) -> None:
    late, lain = [await store.ask_approval(question(hands, each, digest=str(each))) for each in (1, 2)]
    await store.decide_approval(lain.id, yes(), hands.now())
    hands.turn(hours=1)

    stands = await store.decide_approval(late.id, yes(), hands.now())

    assert stands is not None
    assert (stands.state, stands.by) == (ApprovalState.EXPIRED, None)
    assert not await store.spend_approval(lain.id, lain.run, lain.digest, hands.now())
    void = await store.approval(lain.id)
    assert void is not None
    assert void.state is ApprovalState.EXPIRED


async def test_silence_and_the_end_of_a_run_are_no(store: DatabaseStore, hands: Hands) -> None:
    asked = [await store.ask_approval(question(hands, each, digest=str(each))) for each in (1, 2, 3)]
    await store.decide_approval(asked[1].id, yes(), hands.now())
    other = await store.ask_approval(question(hands, 4, run=RunId("r2")))

    silent = await store.expire_approval(asked[0].id, hands.now())
    ended = await store.end_approvals(RunId("r1"), hands.now())

    assert silent is not None
    assert silent.state is ApprovalState.EXPIRED
    assert await store.expire_approval(asked[0].id, hands.now()) == silent
    assert await store.expire_approval(ApprovalId("nothing"), hands.now()) is None
    assert [each.id for each in ended] == [asked[2].id]
    assert not await store.spend_approval(asked[1].id, RunId("r1"), "2", hands.now())
    assert await store.end_approvals(RunId("r1"), hands.now()) == []
    assert await store.open_approvals() == [other]


async def test_why_it_was_denied_may_be_said_afterwards_once_and_for_a_while(
    store: DatabaseStore, hands: Hands
) -> None:
    asked = await store.ask_approval(question(hands))
    until = hands.now() + timedelta(seconds=60)
    await store.decide_approval(asked.id, Decision(granted=False, person=BEN, reason_until=until), hands.now())
    [waits] = await store.unexplained(THREAD, hands.now())

    assert (waits.by, waits.reason) == (BEN, "")
    assert await store.unexplained(replace(THREAD, root="2.0"), hands.now()) == []
    assert await store.unexplained(THREAD, until) == []
    assert await store.explain_denial(asked.id, "too late", until) is None
    told = await store.explain_denial(asked.id, "it is needed", hands.now())
    assert told is not None
    assert (told.reason, told.reason_until) == ("it is needed", None)
    assert await store.explain_denial(asked.id, "again", hands.now()) is None
    assert await store.explain_denial(ApprovalId("nothing"), "", hands.now()) is None


async def test_the_second_yes_comes_from_somebody_else_than_the_first_and_the_asker(
    store: DatabaseStore, hands: Hands
) -> None:
    asked = await store.ask_approval(question(hands, needs_second=True))
    half = await store.decide_approval(asked.id, yes(BEN, Extent.ALWAYS), hands.now())

    assert half is not None
    assert (half.state, half.first) == (ApprovalState.OPEN, BEN)
    for who in (replace(BEN, name="Benno"), ANNA):
        with pytest.raises(NotAllowed):
            await store.decide_approval(asked.id, yes(who), hands.now())
    assert not await store.spend_approval(asked.id, asked.run, asked.digest, hands.now())
    whole = await store.decide_approval(asked.id, yes(CARL, Extent.ALWAYS), hands.now())
    assert whole is not None
    assert (whole.state, whole.first, whole.by, whole.extent) == (ApprovalState.GRANTED, BEN, CARL, Extent.ONCE)
    assert await store.standing_rules(THREAD.room) == []


async def test_who_asked_for_the_run_may_be_the_first_of_two(store: DatabaseStore, hands: Hands) -> None:
    asked = await store.ask_approval(question(hands, needs_second=True))
    await store.decide_approval(asked.id, yes(ANNA), hands.now())
    whole = await store.decide_approval(asked.id, yes(BEN), hands.now())

    assert whole is not None
    assert whole.state is ApprovalState.GRANTED


async def test_a_yes_for_the_run_covers_what_is_alike_in_it_alone(store: DatabaseStore, hands: Hands) -> None:
    asked = await store.ask_approval(question(hands))
    covered = (THREAD.room, DEMO, asked.likeness)

    assert await store.is_covered(asked.run, *covered) is None
    await store.decide_approval(asked.id, yes(BEN, Extent.RUN), hands.now())
    assert await store.is_covered(asked.run, *covered) == BEN
    await store.spend_approval(asked.id, asked.run, asked.digest, hands.now())
    assert await store.is_covered(asked.run, *covered) == BEN
    assert await store.is_covered(RunId("r2"), *covered) is None
    assert await store.is_covered(asked.run, THREAD.room, DEMO, "another") is None


async def test_a_yes_for_good_is_a_rule_of_chat_and_project_until_it_is_removed(
    store: DatabaseStore, hands: Hands
) -> None:
    asked = [await store.ask_approval(question(hands, each, digest=str(each))) for each in (1, 2)]
    for each in asked:
        await store.decide_approval(each.id, yes(BEN, Extent.ALWAYS), hands.now())
    room, other = THREAD.room, replace(THREAD.room, chat="C2")

    [rule] = await store.standing_rules(room)
    assert (rule.id, rule.by, rule.title, rule.project) == (asked[0].id, BEN, "rm -rf src", DEMO)
    assert await store.is_covered(RunId("r9"), room, DEMO, rule.likeness) == BEN
    assert await store.is_covered(RunId("r9"), other, DEMO, rule.likeness) is None
    assert await store.is_covered(RunId("r9"), room, ProjectKey("SHOP"), rule.likeness) is None
    assert not await store.drop_rule(other, rule.id)
    assert await store.drop_rule(room, rule.id)
    assert not await store.drop_rule(room, rule.id)
    assert await store.is_covered(RunId("r9"), room, DEMO, rule.likeness) is None
