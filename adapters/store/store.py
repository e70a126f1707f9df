"""The Store, put together: opened exclusively, brought up to date, written by one task."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from adapters.store import migrating
from adapters.store.database import Database, Transaction
from adapters.store.faults import as_store_error
from adapters.store.known import Known
from adapters.store.parts.approvals import ApprovalPart
from adapters.store.parts.audit import AuditPart
from adapters.store.parts.chats import ChatPart
from adapters.store.parts.digests import DigestPart
from adapters.store.parts.inboxes import InboxPart
from adapters.store.parts.lives import LifePart
from adapters.store.parts.outboxes import OutboxPart
from adapters.store.parts.people import PeoplePart
from adapters.store.parts.projects import ProjectPart, PullPart
from adapters.store.parts.runs import RunPart
from adapters.store.parts.secrets import SecretPart
from adapters.store.parts.spend import SpendPart
from adapters.store.parts.turns import TurnPart
from adapters.store.parts.works import WorkPart
from adapters.store.tables.columns import to_micros
from adapters.store.writer import Writer
from core.ports import Redact

DEDUPE = timedelta(days=8)
"""How long the keys of what was handled are kept at the least: platforms deliver again for days."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DatabaseStore(
    InboxPart,
    OutboxPart,
    ChatPart,
    ProjectPart,
    PullPart,
    RunPart,
    TurnPart,
    WorkPart,
    DigestPart,
    LifePart,
    PeoplePart,
    SpendPart,
    SecretPart,
    AuditPart,
    ApprovalPart,
):
    """`url` None or empty: a SQLite file in `data`, which is made if need be. `node` owns the runs begun here."""

    def __init__(
        self, url: str | None, data: Path, *, node: str = "local", now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._node = node
        self._now = now
        self._database = Database(url, data)
        self._known = Known()
        self._writer = Writer(self._database, self._known, now)

    async def open(self) -> None:
        """StoreBusy, ConfigError (see `core.ports.Store`), or StoreError: no connection."""
        await self._database.make_room()
        await self._database.lock.take()
        try:
            await self._database.connect()
            try:
                await self._prepare()
            except BaseException:
                await self._database.disconnect()
                raise
        except BaseException:
            await self._database.lock.release()
            raise
        self._writer.start()

    async def close(self) -> None:
        """What was queued is committed first. Closing twice is no error."""
        try:
            await self._writer.close()
            await self._database.disconnect()
        finally:
            await self._database.lock.release()

    def audit_through(self, redact: Redact) -> None:
        """What is noted goes through this before it is hashed, and what went wrong before it is kept."""
        self._writer.redact = redact

    async def prune(self, before: datetime) -> int:
        """Forget what was handled or sent before then, a few hundred rows in each commit; returns their number.

        An inbox row stays for at least eight days, and whatever is not settled or not sent stays for ever.
        """
        old = to_micros(before)
        settled = min(old, to_micros(self._now() - DEDUPE))

        count = 0
        for forget, limit in ((_forget_deliveries, settled), (_forget_posts, old)):
            while some := await self._writer.write(partial(forget, before=limit)):
                count += some
        return count

    async def _prepare(self) -> None:
        await migrating.ensure(self._database)
        try:
            await self._known.load(self._database.client)
        except Exception as error:
            raise as_store_error(error) from error


AT_ONCE = 500
"""Rows in one commit: whoever takes or sends a message meanwhile waits for some ten milliseconds."""


async def _forget_deliveries(tx: Transaction, before: int) -> int:
    return len(await tx.run(_DELIVERIES, before, AT_ONCE))


async def _forget_posts(tx: Transaction, before: int) -> int:
    rows = await tx.run(_POSTS, before, AT_ONCE)
    await tx.run_many("DELETE FROM buttons WHERE post = ?", [(row["key"],) for row in rows])
    return len(rows)


_DELIVERIES = """
DELETE FROM inbox WHERE seq IN (SELECT seq FROM inbox WHERE settled_at < ? ORDER BY settled_at LIMIT ?) RETURNING seq
"""
_POSTS = """
DELETE FROM posts WHERE seq IN (
    SELECT seq FROM posts WHERE put_at < ? AND (
        state = 'rejected' OR (state = 'sent' AND shown >= version AND opens = '')
    ) ORDER BY put_at LIMIT ?
) RETURNING key
"""
