"""May this person do this here? Unknown is denied."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.authority import Authority, Grant, Role
from core.model.chat import Person
from tests.whole import WholeBot

OWNERS = [Grant("slack", "", "U1"), Grant("slack", "T9", "U9")]
PEOPLE = [Grant("slack", "", "U1"), Grant("slack", "", "U2"), Grant("telegram", "", "7")]

TABLE = [
    ("an owner at home", Person("slack", "T1", "U1"), Role.OWNER),
    ("a member at home", Person("slack", "T1", "U2"), Role.DEVELOPER),
    ("a member whose message names no workspace", Person("slack", "", "U2"), Role.DEVELOPER),
    ("the same id in another workspace", Person("slack", "T2", "U1"), Role.STRANGER),
    ("an owner of a workspace that is named", Person("slack", "T9", "U9"), Role.OWNER),
    ("that id at home", Person("slack", "T1", "U9"), Role.STRANGER),
    ("the same id on another platform", Person("telegram", "T1", "U1"), Role.STRANGER),
    ("somebody", Person("slack", "T1", "U3"), Role.STRANGER),
    ("who sits at the terminal", Person("console", "", "me"), Role.OWNER),
]


@pytest.mark.parametrize(("who", "person", "role"), TABLE, ids=[row[0] for row in TABLE])
async def test_who_may_do_what(bot: WholeBot, who: str, person: Person, role: Role) -> None:
    assert await Authority(OWNERS, PEOPLE, bot.store).role(person, "T1") is role


async def test_an_empty_list_is_nobody_but_the_paired_owner(bot: WholeBot) -> None:
    authority = Authority([], [], bot.store)
    person = Person("telegram", "42", "7", "Olga")
    await bot.store.offer_pairing("telegram", "123-456", bot.clock.now() + timedelta(minutes=10))
    assert await authority.role(person, "42") is Role.STRANGER

    assert await bot.store.pair("123-456", person, bot.clock.now())

    assert await authority.role(person, "42") is Role.OWNER
    assert await authority.role(Person("telegram", "43", "7"), "43") is Role.STRANGER
