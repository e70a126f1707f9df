"""Grants, codes that let people in, and the chats that are approved. Codes are kept as salted hashes alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from adapters.store.database import Transaction
from adapters.store.parts.part import Part, found, one, upsert
from adapters.store.tables import people
from adapters.store.tables.columns import pack
from core.model.chat import ChatRef, Person
from core.model.codec import to_json
from core.model.people import EVERYWHERE, MACHINE, Grant, HeardChat, Invite, InviteState, Role, Scope

TRIES = 5
TRY_WINDOW = timedelta(hours=1)
"""So many codes may a person say in it, whatever becomes of them."""

INVITES_KEPT = timedelta(days=7)


class PeoplePart(Part):
    # ------------------------------------------------------------------------------------------- grants

    async def grants(self) -> list[Grant]:
        return sorted(
            (each for own in self._known.grants.values() for each in own.values()), key=lambda grant: grant.at
        )

    async def grants_of(self, person: Person) -> list[Grant]:
        return list(self._known.grants.get(str(person), {}).values())

    async def put_grant(self, grant: Grant) -> None:
        await self._writer.write(lambda tx: self._grant(tx, grant))

    async def drop_grant(self, person: Person, scope: Scope) -> bool:
        async def job(tx: Transaction) -> bool:
            tx.after.append(lambda: self._known.drop_grant(str(person), scope))
            tx.note("grant.drop", str(person), scope or "everywhere")
            return bool(await people.GrantRow.filter(who=str(person), scope=scope).using_db(tx.db).delete())

        return await self._writer.write(job)

    async def owners(self) -> list[Person]:
        return [each.person for each in await self.grants() if (each.scope, each.role) == (EVERYWHERE, Role.OWNER)]

    async def _grant(self, tx: Transaction, grant: Grant) -> None:
        await upsert(tx, people.GrantRow, people.grant_columns(grant), who=str(grant.person), scope=grant.scope)
        tx.after.append(lambda: self._known.put_grant(grant))
        tx.note("grant.put", str(grant.person), f"{grant.role.word} {grant.scope or 'everywhere'}")

    # -------------------------------------------------------------------------------------------- codes

    async def offer_pairing(self, platform: str, code: str, until: datetime) -> None:
        async def job(tx: Transaction) -> None:
            row = {**_hidden(code), "until": until}
            await upsert(tx, people.PairingRow, row, platform=platform)
            tx.note("pairing.offer", platform)

        await self._writer.write(job)

    async def pair(self, code: str, person: Person, now: datetime) -> bool:
        async def job(tx: Transaction) -> bool:
            offer = await one(tx, people.PairingRow.filter(platform=person.platform))
            if offer is None or now >= offer.until or not _is(offer, code):
                return False
            await offer.delete(using_db=tx.db)
            await self._grant(tx, Grant(person, EVERYWHERE, Role.OWNER, MACHINE, now))
            return True

        return await self._writer.write(job)

    async def may_try(self, person: Person, now: datetime) -> bool:
        async def job(tx: Transaction) -> bool:
            await people.TryRow.filter(since__lte=now - TRY_WINDOW).using_db(tx.db).delete()
            row = await one(tx, people.TryRow.filter(who=str(person)))
            since, count = (row.since, row.count + 1) if row else (now, 1)
            if count > TRIES:
                return False
            await upsert(tx, people.TryRow, {"since": since, "count": count}, who=str(person))
            return True

        return await self._writer.write(job)

    async def offer_invite(self, code: str, invite: Invite) -> None:
        async def job(tx: Transaction) -> None:
            row = {
                **_hidden(code),
                "role": invite.role.word,
                "maker": pack(to_json(invite.maker)),
                "room": str(invite.room),
                "until": invite.until,
                "state": invite.state.value,
            }
            await people.InviteRow.filter(until__lt=invite.until - INVITES_KEPT).using_db(tx.db).delete()
            await upsert(tx, people.InviteRow, row, invite=invite.id)
            tx.note("invite.offer", invite.id, invite.role.word)

        await self._writer.write(job)

    async def claim_invite(self, code: str, person: Person, room: ChatRef, now: datetime) -> Invite | None:
        async def job(tx: Transaction) -> Invite | None:
            rows = await found(tx, people.InviteRow.filter(state=InviteState.OPEN.value))
            right = [row for row in rows if _is(row, code)]  # each is compared, whichever is right
            if not right or now >= right[0].until or people.invite_of(right[0]).maker.platform != person.platform:
                return None
            row = right[0]
            row.state, row.person, row.person_room = InviteState.CLAIMED.value, pack(to_json(person)), str(room)
            await row.save(using_db=tx.db, update_fields=["state", "person", "person_room"])
            tx.note("invite.claim", row.invite, str(person))
            return people.invite_of(row)

        return await self._writer.write(job)

    async def invite(self, invite_id: str) -> Invite | None:
        row = await self._first(people.InviteRow.filter(invite=invite_id))
        return people.invite_of(row) if row else None

    async def settle_invite(self, invite_id: str, state: InviteState, grant: Grant | None = None) -> bool:
        async def job(tx: Transaction) -> bool:
            claimed = people.InviteRow.filter(invite=invite_id, state=InviteState.CLAIMED.value)
            if not await claimed.using_db(tx.db).update(state=state.value):
                return False
            tx.note("invite.settle", invite_id, state.value)
            if grant is not None:
                await self._grant(tx, grant)
            return True

        return await self._writer.write(job)

    # -------------------------------------------------------------------------------------------- chats

    async def chat(self, room: ChatRef) -> HeardChat | None:
        return self._known.chats.get(room)

    async def chats(self) -> list[HeardChat]:
        return sorted(self._known.chats.values(), key=lambda chat: chat.at)

    async def put_chat(self, chat: HeardChat) -> None:
        async def job(tx: Transaction) -> None:
            await upsert(tx, people.ChatRow, people.chat_columns(chat), room=str(chat.room))
            tx.after.append(lambda: self._known.chats.update({chat.room: chat}))
            tx.note("chat.standing", str(chat.room), chat.standing.value)

        await self._writer.write(job)


def _hidden(code: str) -> dict[str, str]:
    salt = secrets.token_hex(16)
    return {"salt": salt, "code": _hash(salt, code)}


def _is(row: people.PairingRow | people.InviteRow, code: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(row.code, _hash(row.salt, code))


def _hash(salt: str, code: str) -> str:
    return hashlib.sha256(f"{salt}:{code}".encode("utf-8", "replace")).hexdigest()
