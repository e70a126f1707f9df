"""People and chats, as far as the bot trusts them: roles, grants, invitations, and which chats are approved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType

from core.model.chat import Author, ChatRef, Person
from core.model.work import ProjectKey


class Role(IntEnum):
    """What a person may do; the greater may do what the smaller may.

    Viewers look; reviewers approve, deny and comment; developers make tasks, run agents and stop what they asked for;
    admins link, make projects, change settings, stop anything, let people in up to developer and approve chats;
    owners do everything.
    """

    STRANGER = 0
    VIEWER = 1
    REVIEWER = 2
    DEVELOPER = 3
    ADMIN = 4
    OWNER = 5

    @property
    def word(self) -> str:
        return self.name.lower()

    def __str__(self) -> str:
        """`an admin`, `a viewer`."""
        return f"{'an' if self.word[0] in 'ao' else 'a'} {self.word}"


ROLES = {role.word: role for role in Role if role is not Role.STRANGER}
"""By the word that people say."""

GRANTED_BY_ADMINS = Role.DEVELOPER
"""The greatest role that an admin may give or take; an owner may any."""

Scope = NewType("Scope", str)
"""Where a grant counts: empty is the whole bot, else `chat:<room>` or `project:<KEY>`."""

EVERYWHERE = Scope("")


def in_chat(room: ChatRef) -> Scope:
    return Scope(f"chat:{room}")


def in_project(key: ProjectKey) -> Scope:
    return Scope(f"project:{key}")


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that somebody gave. `by`: who, as platform, tenant and id; MACHINE for who was paired from there."""

    person: Person
    scope: Scope
    role: Role
    by: str
    at: datetime


MACHINE = "the bot's machine"


class InviteState(StrEnum):
    """OPEN: nobody has said the code. CLAIMED: somebody has, and its maker is asked whether that is who was meant."""

    OPEN = "open"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Invite:
    """What a code that was made in a chat stands for; the code itself is not kept.

    `room` is the private chat of its maker, where the question is asked; `person` who has said the code.
    """

    id: str
    role: Role
    maker: Person
    room: ChatRef
    until: datetime
    state: InviteState = InviteState.OPEN
    person: Person | None = None
    person_room: ChatRef | None = None


class Standing(StrEnum):
    """Of a chat. UNKNOWN: never heard of. WAITING: it was said that an admin must approve it."""

    UNKNOWN = "unknown"
    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class HeardChat:
    """`by`: who approved or refused it, as platform, tenant and id."""

    room: ChatRef
    standing: Standing
    title: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """What a platform knows of a person beside the message. `tenant`: the person's own workspace."""

    author: Author
    tenant: str
    name: str = ""
