"""Who may do what where, who is invited, and which chats are approved: what must outlive a restart of that."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from core.model.chat import ChatRef, Person
from core.model.people import Grant, HeardChat, Invite, InviteState, Profile, Scope


class People(Protocol):
    async def grants(self) -> list[Grant]:
        """All, oldest first."""

    async def grants_of(self, person: Person) -> list[Grant]:
        """By platform, tenant and id; a name is nothing."""

    async def put_grant(self, grant: Grant) -> None:
        """One for each person and scope."""

    async def drop_grant(self, person: Person, scope: Scope) -> bool:
        """False: there was none."""

    async def owners(self) -> list[Person]:
        """Those who own the whole bot by a grant."""

    async def offer_pairing(self, platform: str, code: str, until: datetime) -> None:
        """A code of the machine: it makes who says it on `platform` an owner. Kept as a hash; replaces an older."""

    async def pair(self, code: str, person: Person, now: datetime) -> bool:
        """With a code of the machine: once, before it expires."""

    async def may_try(self, person: Person, now: datetime) -> bool:
        """Counts one more code that this person says; False: too many within the hour."""

    async def offer_invite(self, code: str, invite: Invite) -> None:
        """A code of a person; kept as a hash."""

    async def claim_invite(self, code: str, person: Person, room: ChatRef, now: datetime) -> Invite | None:
        """`person` has said the code, and it is spent. None: it is not right, used, or expired."""

    async def invite(self, invite_id: str) -> Invite | None: ...

    async def settle_invite(self, invite_id: str, state: InviteState, grant: Grant | None = None) -> bool:
        """CONFIRMED with what it grants, in one transaction, or REFUSED. False: it is not CLAIMED (any more)."""

    async def chat(self, room: ChatRef) -> HeardChat | None:
        """None: never heard of."""

    async def chats(self) -> list[HeardChat]:
        """All, oldest first."""

    async def put_chat(self, chat: HeardChat) -> None: ...


@runtime_checkable
class Vouching(Protocol):
    """A platform that must be asked whether somebody is a guest, or of another workspace."""

    async def profile_of(self, person: Person) -> Profile | None:
        """Remembered for a while. None: it can't be found out now, or there is nobody of that id. Never raises."""
