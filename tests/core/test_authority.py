"""Which role a person has where. Unknown is denied, an empty list is nobody, and a grant never spreads."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.authority import Listed, Lists, Place, Role, Roles
from core.model.chat import Author, ChatRef, Person
from core.model.people import EVERYWHERE, Grant, Profile, in_chat, in_project
from core.model.work import ProjectKey
from tests.whole import WholeBot

LISTS = Lists(
    {
        Role.OWNER: [Listed("slack", "", "U1"), Listed("slack", "T9", "U9")],
        Role.DEVELOPER: [Listed("slack", "", "U1"), Listed("slack", "", "U2"), Listed("telegram", "", "7")],
        Role.VIEWER: [Listed("slack", "T1", "U4")],
    },
    [Listed("slack", "", "C1"), Listed("slack", "T9", "C9")],
)
ROOM, OTHER = ChatRef("slack", "T1", "C1"), ChatRef("slack", "T1", "C2")
DEMO, SITE = ProjectKey("DEMO"), ProjectKey("SITE")

TABLE = [
    ("an owner at home", Person("slack", "T1", "U1"), Role.OWNER),
    ("a developer at home", Person("slack", "T1", "U2"), Role.DEVELOPER),
    ("a developer whose message names no workspace", Person("slack", "", "U2"), Role.DEVELOPER),
    ("the same id in another workspace", Person("slack", "T2", "U1"), Role.STRANGER),
    ("an owner of a workspace that is named", Person("slack", "T9", "U9"), Role.OWNER),
    ("that id at home", Person("slack", "T1", "U9"), Role.STRANGER),
    ("the same id on another platform", Person("telegram", "T1", "U1"), Role.STRANGER),
    ("the name of an owner", Person("slack", "T1", "U3", "U1"), Role.STRANGER),
    ("somebody", Person("slack", "T1", "U3"), Role.STRANGER),
    ("who sits at the terminal", Person("console", "", "me"), Role.OWNER),
]


class Vouched:
    """Asked about people, as Slack is."""

    def __init__(self, profile: Profile | None) -> None:
        self.profile = profile
        self.asked = 0

    async def profile_of(self, person: Person) -> Profile | None:
        self.asked += 1
        return self.profile


@pytest.mark.parametrize(("who", "person", "role"), TABLE, ids=[row[0] for row in TABLE])
async def test_who_may_do_what(bot: WholeBot, who: str, person: Person, role: Role) -> None:
    rights = await Roles(LISTS, bot.store, {}).rights(person, "T1")

    assert rights.everywhere is role
    assert rights.are_none is (role is Role.STRANGER)


async def test_an_empty_list_is_nobody_but_the_paired_owner(bot: WholeBot) -> None:
    roles = Roles(Lists({}), bot.store, {})
    person = Person("telegram", "42", "7", "Olga")
    await bot.store.offer_pairing("telegram", "123-456", bot.clock.now() + timedelta(minutes=10))
    assert (await roles.rights(person, "42")).are_none

    assert await bot.store.pair("123-456", person, bot.clock.now())

    assert (await roles.rights(person, "42")).everywhere is Role.OWNER
    assert (await roles.rights(Person("telegram", "43", "7"), "43")).are_none


# --------------------------------------------------------------------------------- guests and outsiders


@pytest.mark.parametrize("author", [Author.GUEST, Author.EXTERNAL])
async def test_a_guest_or_outsider_counts_only_if_named_with_the_tenant(bot: WholeBot, author: Author) -> None:
    for vouched in (Vouched(Profile(author, "T1")), Vouched(Profile(Author.PERSON, "T1"))):
        roles = Roles(LISTS, bot.store, {"slack": vouched})
        said = author if vouched.profile == Profile(Author.PERSON, "T1") else Author.PERSON

        assert (await roles.rights(Person("slack", "T1", "U2"), "T1", said)).are_none
        assert (await roles.rights(Person("slack", "T1", "U4"), "T1", said)).everywhere is Role.VIEWER


async def test_who_cannot_be_vouched_for_is_denied_and_that_is_known(bot: WholeBot) -> None:
    roles = Roles(LISTS, bot.store, {"slack": Vouched(None)})

    rights = await roles.rights(Person("slack", "T1", "U1"), "T1")

    assert rights.are_none
    assert rights.is_unvouched


async def test_nobody_is_asked_about_who_has_nothing_or_is_named_exactly(bot: WholeBot) -> None:
    vouched = Vouched(Profile(Author.PERSON, "T1"))
    roles = Roles(LISTS, bot.store, {"slack": vouched})

    for person in (Person("slack", "T1", "U3"), Person("slack", "T1", "U4"), Person("slack", "T9", "U9")):
        await roles.rights(person, "T1")

    assert vouched.asked == 0


# ------------------------------------------------------------------------------------------- grants


async def test_the_greatest_of_those_that_count(bot: WholeBot) -> None:
    person = Person("slack", "T1", "U5")
    for scope, role in ((EVERYWHERE, Role.VIEWER), (in_chat(ROOM), Role.ADMIN), (in_project(DEMO), Role.DEVELOPER)):
        await bot.store.put_grant(Grant(person, scope, role, "me", bot.clock.now()))

    rights = await Roles(LISTS, bot.store, {}).rights(person, "T1")

    assert rights.everywhere is Role.VIEWER
    assert rights.at(Place(ROOM)) is Role.ADMIN
    assert rights.at(Place(ROOM, DEMO, (DEMO,))) is Role.ADMIN
    assert rights.at(Place(OTHER)) is Role.VIEWER
    assert rights.at(Place(OTHER, DEMO, (DEMO,))) is Role.DEVELOPER


async def test_a_chats_grant_spreads_to_no_other_project_nor_a_projects_to_another(bot: WholeBot) -> None:
    chats, projects = Person("slack", "T1", "U6"), Person("slack", "T1", "U7")
    await bot.store.put_grant(Grant(chats, in_chat(ROOM), Role.OWNER, "me", bot.clock.now()))
    await bot.store.put_grant(Grant(projects, in_project(DEMO), Role.OWNER, "me", bot.clock.now()))
    roles = Roles(LISTS, bot.store, {})
    of_chat, of_project = await roles.rights(chats, "T1"), await roles.rights(projects, "T1")

    assert of_chat.at(Place(ROOM, DEMO, (SITE,))) is Role.STRANGER
    assert of_chat.at(Place(ROOM, DEMO, (SITE, DEMO))) is Role.STRANGER
    assert of_chat.at(Place(ROOM, None, (DEMO,))) is Role.STRANGER
    assert of_project.at(Place(ROOM)) is Role.STRANGER
    assert of_project.at(Place(ROOM, SITE, (SITE,))) is Role.STRANGER
    assert of_project.at(Place(ROOM, SITE, (DEMO, SITE))) is Role.STRANGER
    assert of_project.at(Place(ROOM, SITE, (DEMO,))) is Role.OWNER


async def test_what_the_configuration_names(bot: WholeBot) -> None:
    roles = Roles(LISTS, bot.store, {})

    assert roles.listed()[0][1] is Role.OWNER
    assert roles.listed_role(Person("slack", "T1", "U1")) is Role.OWNER
    assert roles.listed_role(Person("slack", "T1", "U3")) is Role.STRANGER
    assert [roles.knows_chat(each) for each in (ROOM, OTHER, ChatRef("slack", "T1", "C9"))] == [True, False, False]
    assert await roles.profile(Person("slack", "T1", "U1")) is None
