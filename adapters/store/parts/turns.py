"""Turns: what was said to a run, one after another."""

from __future__ import annotations

from adapters.store.database import Transaction
from adapters.store.parts.part import Part, one
from adapters.store.parts.runs import thread_lane
from adapters.store.tables import models
from adapters.store.tables.values import run_of, turn_columns, turn_of
from core.model.chat import Cause, Person, ThreadRef
from core.model.errors import NotFound
from core.model.work import RunId, Turn, TurnState, Usage

QUEUED, OPEN, OVER = (state.value for state in (TurnState.QUEUED, TurnState.OPEN, TurnState.OVER))


class TurnPart(Part):
    async def add_turn(self, thread: ThreadRef, cause: Cause, text: str, person: Person) -> Turn | None:
        return await self._writer.write(lambda tx: _add(tx, thread, cause, text, person))

    async def next_turn(self, run: RunId) -> Turn | None:
        waiting = models.TurnRow.filter(run=run).order_by("number")
        row = await self._first(waiting.filter(state=OPEN)) or await self._first(waiting.filter(state=QUEUED))
        return turn_of(row) if row else None

    async def queued_turns(self, run: RunId) -> list[Turn]:
        rows = await self._rows(models.TurnRow.filter(run=run, state=QUEUED).order_by("number"))
        return [turn_of(row) for row in rows]

    async def has_turn(self, cause: Cause) -> bool:
        return await self._first(models.TurnRow.filter(cause=cause)) is not None

    async def turn_of(self, cause: Cause) -> Turn | None:
        row = await self._first(models.TurnRow.filter(cause=cause))
        return turn_of(row) if row else None

    async def amend_turn(self, cause: Cause, text: str) -> bool:
        async def job(tx: Transaction) -> bool:
            queued = models.TurnRow.filter(cause=cause, state=QUEUED)
            tx.note("run.amend", cause)
            if await queued.using_db(tx.db).update(text=text):
                return True
            return await models.TurnRow.filter(cause=cause, text=text).using_db(tx.db).exists()

        return await self._writer.write(job)

    async def begin_turn(self, run: RunId, number: int, attempt: int = 1) -> bool:
        """False as well for a turn that is over: it is not taken again."""

        async def job(tx: Transaction) -> bool:
            row = await _must_find(tx, run, number)
            if row.state == OVER or row.attempt >= attempt:
                return False
            row.state, row.attempt = OPEN, attempt
            await row.save(using_db=tx.db, update_fields=["state", "attempt"])
            return True

        return await self._writer.write(job)

    async def finish_turn(self, run: RunId, number: int, usage: Usage) -> None:
        await self._writer.write(lambda tx: self._finish(tx, run, number, usage))

    async def _finish(self, tx: Transaction, run: RunId, number: int, usage: Usage) -> None:
        turn = await _must_find(tx, run, number)
        row = await one(tx, models.RunRow.filter(run=run))
        if turn.state == OVER or row is None:
            return
        turn.state = OVER
        await turn.save(using_db=tx.db, update_fields=["state"])
        total = Usage(row.input_tokens, row.output_tokens, row.cost) + usage
        row.input_tokens, row.output_tokens, row.cost = total.input_tokens, total.output_tokens, total.cost
        await row.save(using_db=tx.db, update_fields=["input_tokens", "output_tokens", "cost"])
        known = run_of(row)
        tx.after.append(lambda: self._known.put_run(known))


async def _add(tx: Transaction, thread: ThreadRef, cause: Cause, text: str, person: Person) -> Turn | None:
    standing = await one(tx, models.TurnRow.filter(cause=cause))
    if standing is not None:
        return turn_of(standing)
    lane = await one(tx, models.LaneRow.filter(name=thread_lane(thread)))
    if lane is None:
        return None
    last = await one(tx, models.TurnRow.filter(run=lane.run).order_by("-number"))
    turn = Turn(RunId(lane.run), last.number + 1 if last else 1, cause, text, person)
    await models.TurnRow.create(using_db=tx.db, **turn_columns(turn))
    tx.note("run.say", turn.run, f"turn {turn.number}")
    return turn


async def _must_find(tx: Transaction, run: RunId, number: int) -> models.TurnRow:
    row = await one(tx, models.TurnRow.filter(run=run, number=number))
    if row is None:
        raise NotFound(f"The run {run} has no turn {number}.")
    return row
