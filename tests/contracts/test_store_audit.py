"""The audit in the database: in the transaction of the act, only added to, one chain whoever writes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.store import DatabaseStore, secrets_beside
from adapters.store.database import Transaction
from core.audit.acting import acting
from core.audit.chain import breaks
from core.model.audit import BOT
from core.model.chat import Cause, Delivery, Person, Said, ThreadRef
from core.model.errors import BotError
from core.model.people import EVERYWHERE, Grant, Role
from core.model.secrets import Sealed, of_bot
from core.model.work import Link, ProjectKey
from core.ports import Arrival

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
THREAD = ThreadRef("slack", "T1", "C1")
ANNA = Person("slack", "T1", "U1", "Anna")


def link(name: str = "DEMO") -> Link:
    return Link(THREAD, ProjectKey(name))


async def test_an_act_and_its_entry_are_one_commit(store: DatabaseStore) -> None:
    with acting(Said(Cause("slack:T1:C1:1"), THREAD, ANNA, "/link DEMO")):
        await store.put_link(link())
    await store.put_grant(Grant(ANNA, EVERYWHERE, Role.ADMIN, BOT, NOW))

    first, second = await store.audit_after(0, 10)
    assert (first.act.what, first.act.target, first.act.result) == ("link.put", str(THREAD), "DEMO")
    assert (first.act.actor.who, first.act.actor.room, first.act.actor.cause) == (
        str(ANNA),
        str(THREAD.room),
        "slack:T1:C1:1",
    )
    assert (second.act.actor.who, second.act.what, second.prev) == (BOT, "grant.put", first.hash)
    assert list(breaks([first, second])) == []
    assert await store.audit_head() == second
    assert await store.audit_of(THREAD.room, 5) == [first]


async def test_an_act_that_fails_leaves_no_entry_and_no_gap(store: DatabaseStore) -> None:
    async def job(tx: Transaction) -> None:
        tx.note("test.fail", "x")
        raise BotError("no")

    answers = await asyncio.gather(
        store.put_link(link("A")), store._writer.write(job), store.put_link(link("B")), return_exceptions=True
    )
    assert isinstance(answers[1], BotError)

    entries = await store.audit_after(0, 10)
    assert [each.act.what for each in entries] == ["link.put", "link.put"]
    assert list(breaks(entries)) == []


async def test_many_at_once_are_one_chain(store: DatabaseStore) -> None:
    await asyncio.gather(*(store.put_link(link(f"P{number}")) for number in range(300)))

    entries = await store.audit_after(0, 1000)
    assert len(entries) == 300
    assert list(breaks(entries)) == []


@pytest.mark.parametrize("sql", ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"])
async def test_nothing_is_changed_or_taken_out(store: DatabaseStore, sql: str) -> None:
    await store.put_link(link())

    async def job(tx: Transaction) -> None:
        await tx.run(sql)

    with pytest.raises(BotError):
        await store._writer.write(job)

    assert len(await store.audit_after(0, 10)) == 1


async def test_without_the_triggers_an_entry_can_be_changed_and_the_chain_tells(store: DatabaseStore) -> None:
    """The negative control."""
    await store.put_link(link())

    async def job(tx: Transaction) -> None:
        is_sqlite = tx.db.capabilities.dialect == "sqlite"
        await tx.run("DROP TRIGGER audit_no_update" if is_sqlite else "DROP TRIGGER audit_no_change ON audit")
        await tx.run("UPDATE audit SET who = 'nobody'")

    await store._writer.write(job)

    assert list(breaks(await store.audit_after(0, 10))) == ["Entry 1 was changed."]


async def test_what_is_noted_is_blacked_out_before_it_is_hashed(store: DatabaseStore) -> None:
    store.audit_through(lambda text: text.replace("hush", "[redacted]"))
    await store.put_link(link("hush"))

    (entry,) = await store.audit_after(0, 10)
    assert entry.act.result == "[redacted]"
    assert list(breaks([entry])) == []


async def test_who_writes_beside_the_bot_adds_to_the_same_chain(tmp_path: Path) -> None:
    store = DatabaseStore(None, tmp_path)
    await store.open()
    try:
        await store.first_key("k", NOW)

        async def beside() -> None:
            async with secrets_beside(None, tmp_path) as other:
                for number in range(30):
                    assert await other.put_sealed(Sealed(of_bot(f"S{number}"), "words", "k", NOW))

        await asyncio.gather(beside(), *(store.put_link(link(f"P{number}")) for number in range(30)))
        entries = await store.audit_after(0, 1000)
    finally:
        await store.close()

    assert len(entries) == 60
    assert list(breaks(entries)) == []


async def test_what_went_wrong_is_kept_without_secrets(store: DatabaseStore) -> None:
    store.audit_through(lambda text: text.replace("hush", "[redacted]"))
    await store.accept([Arrival("k", Delivery("slack", "k", b"{}"))], "slack", None)
    await store.fail("k", "OSError('hush')")
    await store.set_aside("k", "OSError('hush')")

    assert [each.error for each in await store.asides()] == ["OSError('[redacted]')"]
