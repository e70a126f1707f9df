"""The tables of people: what they were granted, codes that let them in, and the chats that are approved."""

from __future__ import annotations

from tortoise import fields

from adapters.store.tables.columns import Moment, Words, pack, unpack
from adapters.store.tables.models import Row
from adapters.store.tables.values import room_of
from core.model.chat import Person
from core.model.codec import from_json, to_json
from core.model.people import Grant, HeardChat, Invite, InviteState, Role, Scope, Standing


# `who` is what identifies a person; `person` has the name as well.
class GrantRow(Row):
    seq = fields.BigIntField(primary_key=True)
    who = Words()
    scope = Words()
    role = Words()
    person = Words()
    given_by = Words()
    at = Moment()

    class Meta:
        table = "grants"
        unique_together = (("who", "scope"),)


# A code of the machine, one for each platform. `code` is a salted hash.
class PairingRow(Row):
    platform = Words(primary_key=True)
    salt = Words()
    code = Words()
    until = Moment()

    class Meta:
        table = "pairings"


# A code of a person. `code` is a salted hash; `maker` and `person` are JSON, `person` empty until it was said.
class InviteRow(Row):
    invite = Words(primary_key=True)
    salt = Words()
    code = Words()
    role = Words()
    maker = Words()
    room = Words()
    until = Moment()
    state = Words()
    person = Words(default="")
    person_room = Words(default="")

    class Meta:
        table = "invites"


# How many codes somebody has said since then.
class TryRow(Row):
    who = Words(primary_key=True)
    since = Moment()
    count = fields.IntField()

    class Meta:
        table = "code_tries"


class ChatRow(Row):
    room = Words(primary_key=True)
    standing = Words()
    title = Words()
    decided_by = Words()
    at = Moment()

    class Meta:
        table = "chats"


def grant_of(row: GrantRow) -> Grant:
    return Grant(from_json(Person, unpack(row.person)), Scope(row.scope), Role[row.role.upper()], row.given_by, row.at)


def grant_columns(grant: Grant) -> dict[str, object]:
    person = pack(to_json(grant.person))
    return {"role": grant.role.word, "person": person, "given_by": grant.by, "at": grant.at}


def invite_of(row: InviteRow) -> Invite:
    return Invite(
        id=row.invite,
        role=Role[row.role.upper()],
        maker=from_json(Person, unpack(row.maker)),
        room=room_of(row.room),
        until=row.until,
        state=InviteState(row.state),
        person=from_json(Person, unpack(row.person)) if row.person else None,
        person_room=room_of(row.person_room) if row.person_room else None,
    )


def chat_of(row: ChatRow) -> HeardChat:
    return HeardChat(room_of(row.room), Standing(row.standing), row.title, row.decided_by, row.at)


def chat_columns(chat: HeardChat) -> dict[str, object]:
    return {"standing": chat.standing.value, "title": chat.title, "decided_by": chat.by, "at": chat.at}
