"""Which role a person has where: by the configuration, and by what was granted. An empty list is nobody.

A person is platform, tenant and immutable id, never a name. Of the grants that count at a place the greatest counts;
one for a chat counts in that chat alone and for no other project than the chat's, one for a project on that alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.model.chat import Author, ChatRef, Person
from core.model.people import EVERYWHERE, Grant, Profile, Role, in_chat, in_project
from core.model.work import ProjectKey
from core.ports import People, Vouching

LOCAL_PLATFORM = "console"
"""Who sits at the bot's own terminal owns it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A person or a chat of the configuration. `tenant` empty: of the one workspace that the bot is in."""

    platform: str
    tenant: str
    id: str


@dataclass(frozen=True, slots=True)
class Lists:
    """Who and what the configuration names."""

    people: Mapping[Role, Sequence[Listed]]
    chats: Sequence[Listed] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is asked, and about which projects; `linked`: the one that this chat talks about."""

    room: ChatRef
    linked: ProjectKey | None = None
    projects: tuple[ProjectKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Rights:
    """All that a person has. `everywhere`: for the whole bot. `grants`: those for one chat or one project.

    `is_unvouched`: there would be more if the platform could be asked whether this is a guest.
    """

    everywhere: Role = Role.STRANGER
    grants: tuple[Grant, ...] = ()
    is_unvouched: bool = False

    @property
    def are_none(self) -> bool:
        return self.everywhere is Role.STRANGER and not self.grants

    def at(self, place: Place) -> Role:
        """Over several projects the smallest: each of them must allow it."""
        return min(self._over(project, place) for project in place.projects or (None,))

    def _over(self, project: ProjectKey | None, place: Place) -> Role:
        scopes = {in_project(project)} if project else set()
        if project is None or project == place.linked:
            scopes.add(in_chat(place.room))
        return max([self.everywhere, *(grant.role for grant in self.grants if grant.scope in scopes)])


class Roles:
    """`platforms`: those that can be asked about people are."""

    def __init__(self, lists: Lists, people: People, platforms: Mapping[str, object]) -> None:
        self._listed: dict[tuple[str, str, str], Role] = {}
        for role in sorted(lists.people):
            self._listed |= {(each.platform, each.tenant, each.id): role for each in lists.people[role]}
        self._chats = frozenset((each.platform, each.tenant, each.id) for each in lists.chats)
        self._people, self._platforms = people, platforms

    async def rights(self, person: Person, tenant: str, author: Author = Author.PERSON) -> Rights:
        """`tenant` is that of the chat. One of the configuration's without a tenant counts for people who are at home
        there, and for no guest: a guest, as who is of another workspace, must be named with the tenant.
        """
        if person.platform == LOCAL_PLATFORM:
            return Rights(Role.OWNER)
        grants = await self._people.grants_of(person)
        exact = max(
            self._listed.get((person.platform, person.tenant, person.id), Role.STRANGER) if person.tenant else 0,
            *(grant.role for grant in grants if grant.scope == EVERYWHERE),
            Role.STRANGER,
        )
        scoped = tuple(grant for grant in grants if grant.scope != EVERYWHERE)
        loose = self._listed.get((person.platform, "", person.id), Role.STRANGER)
        if loose <= exact or person.tenant not in {"", tenant} or author is not Author.PERSON:
            return Rights(Role(exact), scoped)
        known = await self._author(person)
        if known is Author.PERSON:
            return Rights(loose, scoped)
        return Rights(Role(exact), scoped, is_unvouched=known is None)

    async def profile(self, person: Person) -> Profile | None:
        """What the platform knows; None: it can't say, or is none that does."""
        platform = self._platforms.get(person.platform)
        return await platform.profile_of(person) if isinstance(platform, Vouching) else None

    async def _author(self, person: Person) -> Author | None:
        """None: it can't be found out now."""
        if not isinstance(self._platforms.get(person.platform), Vouching):
            return Author.PERSON
        profile = await self.profile(person)
        return profile.author if profile else None

    def listed(self) -> list[tuple[Listed, Role]]:
        """The configuration's people, the greatest first."""
        found = [(Listed(*key), role) for key, role in self._listed.items()]
        return sorted(found, key=lambda each: -each[1])

    def listed_role(self, person: Person) -> Role:
        """By the configuration alone."""
        keys = [(person.platform, tenant, person.id) for tenant in {person.tenant, ""}]
        return max(self._listed.get(key, Role.STRANGER) for key in keys)

    def knows_chat(self, room: ChatRef) -> bool:
        """By the configuration."""
        return not self._chats.isdisjoint({(room.platform, tenant, room.chat) for tenant in (room.tenant, "")})
