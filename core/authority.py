"""May this person do this here? Asked before anything is dispatched. Unknown is denied; an empty list is nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.model.chat import Person
from core.model.people import Role
from core.ports import People


@dataclass(frozen=True, slots=True)
class Grant:
    """A person of the configuration. `tenant` empty: the one workspace that the bot is in."""

    platform: str
    tenant: str
    id: str


LOCAL_PLATFORM = "console"
"""Who sits at the bot's own terminal owns it."""


class Authority:
    def __init__(self, owners: Sequence[Grant], people: Sequence[Grant], chats: People) -> None:
        self._roles: dict[tuple[str, str, str], Role] = {}
        for grant in people:
            self._roles[(grant.platform, grant.tenant, grant.id)] = Role.DEVELOPER
        for grant in owners:
            self._roles[(grant.platform, grant.tenant, grant.id)] = Role.OWNER
        self._chats = chats

    async def role(self, person: Person, tenant: str) -> Role:
        """`tenant` is that of the chat: a grant without one counts only for people of the bot's own workspace."""
        if person.platform == LOCAL_PLATFORM:
            return Role.OWNER
        exact = self._roles.get((person.platform, person.tenant, person.id), Role.STRANGER)
        at_home = person.tenant in {"", tenant}
        loose = self._roles.get((person.platform, "", person.id), Role.STRANGER) if at_home else Role.STRANGER
        role = max(exact, loose)
        if role is Role.OWNER:
            return role
        paired = any((each.platform, each.tenant, each.id) == _identity(person) for each in await self._chats.owners())
        return Role.OWNER if paired else role


def _identity(person: Person) -> tuple[str, str, str]:
    return (person.platform, person.tenant, person.id)


__all__ = ["LOCAL_PLATFORM", "Authority", "Grant", "Role"]
