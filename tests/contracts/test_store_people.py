"""Grants, codes and approved chats, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.store import DatabaseStore
from core.model.chat import ChatRef, Person
from core.model.people import (
    EVERYWHERE,
    MACHINE,
    Grant,
    HeardChat,
    Invite,
    InviteState,
    Role,
    Standing,
    in_chat,
    in_project,
)
from core.model.work import ProjectKey

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANNA = Person("slack", "T1", "U1", "Anna")
BEN = Person("slack", "T1", "U2", "Ben")
ROOM = ChatRef("slack", "T1", "C1")
DIRECT = ChatRef("slack", "T1", "D1")


def invite(**changes: object) -> Invite:
    made = Invite("i1", Role.DEVELOPER, ANNA, DIRECT, NOW + timedelta(minutes=10))
    return replace(made, **changes)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------- grants


async def test_one_grant_for_each_person_and_scope(store: DatabaseStore) -> None:
    grants = [
        Grant(BEN, EVERYWHERE, Role.VIEWER, str(ANNA), NOW),
        Grant(BEN, in_chat(ROOM), Role.ADMIN, str(ANNA), NOW + timedelta(seconds=1)),
        Grant(BEN, in_project(ProjectKey("DEMO")), Role.REVIEWER, str(ANNA), NOW + timedelta(seconds=2)),
    ]
    for each in (*grants, *grants):
        await store.put_grant(each)
    greater = replace(grants[0], role=Role.DEVELOPER, person=replace(BEN, name="Benno"))
    await store.put_grant(greater)

    assert await store.grants_of(replace(BEN, name="another name")) == [greater, *grants[1:]]
    assert await store.grants() == [greater, *grants[1:]]
    assert await store.grants_of(replace(BEN, tenant="T2")) == []
    assert await store.grants_of(replace(BEN, platform="telegram")) == []


async def test_a_grant_that_is_taken_back_is_gone_and_the_others_stay(store: DatabaseStore) -> None:
    here = Grant(BEN, in_chat(ROOM), Role.ADMIN, str(ANNA), NOW)
    await store.put_grant(Grant(BEN, EVERYWHERE, Role.OWNER, str(ANNA), NOW))
    await store.put_grant(here)

    assert await store.drop_grant(BEN, EVERYWHERE)
    assert not await store.drop_grant(BEN, EVERYWHERE)
    assert not await store.drop_grant(ANNA, EVERYWHERE)
    assert await store.grants_of(BEN) == [here]
    assert await store.drop_grant(BEN, in_chat(ROOM))
    assert await store.grants() == []


async def test_owners_are_those_of_the_whole_bot(store: DatabaseStore) -> None:
    await store.put_grant(Grant(ANNA, EVERYWHERE, Role.OWNER, MACHINE, NOW))
    await store.put_grant(Grant(BEN, in_chat(ROOM), Role.OWNER, str(ANNA), NOW))
    await store.put_grant(Grant(BEN, EVERYWHERE, Role.ADMIN, str(ANNA), NOW))

    assert await store.owners() == [ANNA]


# -------------------------------------------------------------------------------------------- codes


async def test_a_code_lets_nobody_in_before_its_maker_has_confirmed(store: DatabaseStore) -> None:
    code = uuid4().hex
    await store.offer_invite(code, invite())

    claimed = await store.claim_invite(code, BEN, ROOM, NOW)

    assert claimed == invite(state=InviteState.CLAIMED, person=BEN, person_room=ROOM)
    assert await store.invite("i1") == claimed
    assert await store.grants() == []
    grant = Grant(BEN, EVERYWHERE, Role.DEVELOPER, str(ANNA), NOW)
    assert await store.settle_invite("i1", InviteState.CONFIRMED, grant)
    assert await store.grants() == [grant]


async def test_a_code_is_spent_by_the_first_who_says_it(store: DatabaseStore) -> None:
    code = uuid4().hex
    await store.offer_invite(code, invite())

    told = await asyncio.gather(
        *(store.claim_invite(code, replace(BEN, id=f"U{number}"), ROOM, NOW) for number in range(8))
    )

    assert len([each for each in told if each is not None]) == 1


@pytest.mark.parametrize("wrong", ["code", "late", "platform", "none"])
async def test_a_wrong_late_or_foreign_code_is_none(store: DatabaseStore, wrong: str) -> None:
    code = uuid4().hex
    if wrong != "none":
        await store.offer_invite(code, invite())
    person = replace(BEN, platform="telegram") if wrong == "platform" else BEN
    when = invite().until if wrong == "late" else NOW

    assert await store.claim_invite(uuid4().hex if wrong == "code" else code, person, ROOM, when) is None
    standing = await store.invite("i1")
    assert standing is None or standing.state is InviteState.OPEN


@pytest.mark.parametrize("state", [InviteState.OPEN, InviteState.CONFIRMED, InviteState.REFUSED])
async def test_what_is_not_claimed_cannot_be_settled(store: DatabaseStore, state: InviteState) -> None:
    code = uuid4().hex
    await store.offer_invite(code, invite())
    if state is not InviteState.OPEN:
        await store.claim_invite(code, BEN, ROOM, NOW)
        assert await store.settle_invite("i1", state)

    assert not await store.settle_invite("i1", InviteState.CONFIRMED, Grant(BEN, EVERYWHERE, Role.OWNER, "x", NOW))
    assert await store.grants() == []


async def test_old_codes_are_forgotten(store: DatabaseStore) -> None:
    await store.offer_invite(uuid4().hex, invite())

    await store.offer_invite(uuid4().hex, invite(id="i2", until=NOW + timedelta(days=8)))

    assert await store.invite("i1") is None
    assert await store.invite("i2") is not None


async def test_five_codes_in_an_hour_and_no_more(store: DatabaseStore) -> None:
    tries = [await store.may_try(BEN, NOW + timedelta(minutes=minute)) for minute in range(7)]

    assert tries == [True] * 5 + [False] * 2
    assert await store.may_try(ANNA, NOW)
    assert not await store.may_try(BEN, NOW + timedelta(minutes=59))
    assert await store.may_try(BEN, NOW + timedelta(minutes=60))


async def test_no_code_itself_is_kept(store: DatabaseStore) -> None:
    code = uuid4().hex
    await store.offer_invite(code, invite())
    await store.offer_pairing("slack", code, NOW)

    for table in ("invites", "pairings"):
        rows = await store._database.client.execute_query_dict(f"SELECT * FROM {table}")
        assert len(rows) == 1
        assert code not in str(rows)


# -------------------------------------------------------------------------------------------- chats


async def test_a_chat_stands_as_it_was_put_last(store: DatabaseStore) -> None:
    waiting = HeardChat(ROOM, Standing.WAITING, "Room", "", NOW)
    approved = replace(waiting, standing=Standing.APPROVED, by=str(ANNA), at=NOW + timedelta(hours=1))
    other = replace(waiting, room=replace(ROOM, chat="C2"))
    assert await store.chat(ROOM) is None
    for each in (waiting, other, approved):
        await store.put_chat(each)

    assert await store.chat(ROOM) == approved
    assert await store.chats() == [other, approved]
