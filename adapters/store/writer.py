"""The one task that writes. What arrives while a commit is running goes into the next one, without waiting for time.

A commit costs about as much for one row as for a hundred; so under load many callers share one, and alone nobody
waits. Being the only writer of the only process, it also makes every job atomic: no two of them ever interleave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar, cast

import structlog

from adapters.store.batch import Ask, Batch, Doubts, Row, apply, arm_all
from adapters.store.database import TRIES, Database, Transaction, patiently
from adapters.store.faults import InDoubtError, is_outage, origin, told
from adapters.store.known import Known
from core.audit.acting import actor
from core.model.errors import BotError, StoreError
from core.ports import Arrival, Outgoing, Redact

T = TypeVar("T")
log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0
"""After an outage, before notes that nobody waits for are tried again."""

SETTLE_SECONDS = 0.01
"""Until what was handled is noted as such; meanwhile its answer is on its way, whose receipt is written anyway."""


class Writer:
    def __init__(self, database: Database, known: Known, now: Callable[[], datetime]) -> None:
        self._database = database
        self._known = known
        self._now = now
        self._next = Batch()
        self._wake = asyncio.Event()
        self._doubts = Doubts()
        self._is_stale = False
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self.redact: Redact = str
        """For what is noted in the audit."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="store.writer")

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        self._is_closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def write(self, job: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `job` in the next commit; it may run again if that fails, so it only touches the database."""
        return cast("T", await self._ask(Ask(job=job, actor=actor())))

    async def accept(self, arrivals: Sequence[Arrival], cursor: tuple[str, str] | None) -> set[str]:
        return cast("set[str]", await self._ask(Ask(arrivals=arrivals, cursor=cursor, result=set())))

    async def put(self, posts: Sequence[Outgoing]) -> list[Outgoing]:
        return cast("list[Outgoing]", await self._ask(Ask(posts=arm_all(posts), result=[])))

    def mark(self, row: Row) -> None:
        self._next.marks.append(row)
        self._wake.set()

    def settle(self, row: Row) -> None:
        """Soon, and with whatever is written until then: of itself it is not worth a commit."""
        if not self._next.settled:
            asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._wake.set)
        self._next.settled.append(row)

    async def flush(self) -> None:
        """What was queued before this call is committed."""
        await self._ask(Ask())

    async def _ask(self, ask: Ask) -> object:
        if self._task is None or self._task.done():
            raise StoreError("The database is closed: the bot is stopping. Nothing was acknowledged.")
        self._next.asks.append(ask)
        self._wake.set()
        return await ask.done

    async def _run(self) -> None:
        while not (self._is_closing and self._next.is_empty):
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(0)  # whoever is about to ask may still come along
            batch, self._next = self._next, Batch()
            if not batch.is_empty:
                await self._commit(batch)

    async def _commit(self, batch: Batch) -> None:
        """Never raises: each ask is told of its own outcome."""
        try:
            await patiently(lambda: self._once(batch), TRIES)
        except Exception as error:  # noqa: BLE001 - whatever it is, the writer goes on and the caller learns of it
            await self._fail(batch, error)
        else:
            for ask in batch.asks:
                ask.succeed()

    async def _once(self, batch: Batch) -> None:
        async def whole(tx: Transaction) -> None:
            try:
                if self._is_stale:
                    await self._known.load(tx.db)
                await apply(batch, tx, self._now(), self._doubts, self.redact)
            except BaseException:
                await tx.rollback()
                raise
            await tx.commit()

        if self._database.is_sqlite:
            tx = await self._database.at_once(whole)
        else:
            tx = await self._database.begin()
            await whole(tx)
        self._is_stale = False
        self._doubts.remove(batch.asks)
        for each in tx.after:
            each()

    async def _fail(self, batch: Batch, error: Exception) -> None:
        parts = batch.parts()
        if len(parts) > 1 and not is_outage(error):
            for part in parts:
                await self._commit(part)
            return
        if isinstance(error, InDoubtError):
            self._is_stale = True
            self._doubts.add(batch.asks)
        if not isinstance(error, BotError):
            log.warning("store.failed", error=repr(origin(error)), asks=len(batch.asks))
        for ask in batch.asks:
            ask.fail(told(error))
        if batch.has_notes and is_outage(error):
            await self._keep(batch)

    async def _keep(self, batch: Batch) -> None:
        """Notes are tried again with whatever comes next, after a pause so as not to spin."""
        if self._is_closing:
            return
        self._next.marks[:0] = batch.marks
        self._next.settled[:0] = batch.settled
        asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._wake.set)
