"""Runs: what they are, the lanes they hold, and every state they took."""

from __future__ import annotations

from datetime import datetime

from adapters.store.database import Transaction
from adapters.store.known import OPEN
from adapters.store.parts.part import Part, found, one
from adapters.store.tables import models
from adapters.store.tables.values import change_of, run_columns, run_of, turn_columns, work_columns, work_of
from core.model.chat import ChatRef, PostKey, ThreadRef
from core.model.errors import NotFound
from core.model.work import Run, RunChange, RunId, RunState, Turn, TurnState, Work, WorkId

PREFIX_LENGTH = 4
_COUNT = "SELECT state, COUNT(*) AS runs FROM runs GROUP BY state"


def thread_lane(thread: ThreadRef) -> str:
    return f"thread:{thread}"


class RunPart(Part):
    async def start_run(self, run: Run, work: Work, first: Turn) -> Run:
        return await self._writer.write(lambda tx: self._start(tx, run, work, first))

    async def take_lanes(self, run: RunId) -> bool:
        return await self._writer.write(lambda tx: self._take(tx, run))

    async def run(self, run: RunId) -> Run | None:
        known = self._known.runs.get(run)
        if known is not None:
            return known
        row = await self._first(models.RunRow.filter(run=run))
        return run_of(row) if row else None

    async def find_run(self, prefix: str) -> Run | None:
        if len(prefix) < PREFIX_LENGTH:
            return None
        rows = await self._rows(models.RunRow.filter(run__startswith=prefix.lower()).limit(2))
        return run_of(rows[0]) if len(rows) == 1 else None

    async def count_runs(self) -> dict[RunState, int]:
        await self._writer.flush()
        rows = await self._database.read(lambda: self._database.client.execute_query_dict(_COUNT))
        return {RunState(row["state"]): int(row["runs"]) for row in rows}

    async def open_runs(self, room: ChatRef | None = None) -> list[Run]:
        return [run for run in self._known.runs.values() if room is None or run.thread.room == room]

    async def run_in(self, thread: ThreadRef) -> Run | None:
        holder = self._known.lanes.get(thread_lane(thread))
        if holder is not None:
            return self._known.runs[holder]
        return next((run for run in self._known.runs.values() if run.thread == thread), None)

    async def runs_of(self, room: ChatRef, limit: int) -> list[Run]:
        rows = await self._rows(models.RunRow.filter(room=str(room)).order_by("-seq").limit(limit))
        return [run_of(row) for row in rows]

    async def runs_since(self, room: ChatRef, since: datetime) -> list[Run]:
        mine = models.RunRow.filter(room=str(room))
        begun = await self._rows(mine.filter(created_at__gte=since))
        ended = await self._rows(mine.filter(ended_at__gte=since))
        rows = {row.seq: row for row in (*begun, *ended)}
        return [run_of(rows[seq]) for seq in sorted(rows)]

    async def last_run(self, work: WorkId) -> Run | None:
        row = await self._first(models.RunRow.filter(work=work).order_by("-seq"))
        return run_of(row) if row else None

    async def changes(self, run: RunId) -> list[RunChange]:
        """In the order they happened, PENDING first."""
        return [change_of(row) for row in await self._rows(models.ChangeRow.filter(run=run).order_by("seq"))]

    async def move(self, run: RunId, state: RunState, at: datetime) -> Run:
        if state.is_over:
            raise ValueError(f"{state} is taken by end_run, which frees the lanes")
        return await self._writer.write(lambda tx: self._move(tx, run, state, at))

    async def park(self, run: RunId, at: datetime, asks: PostKey, until: datetime | None = None) -> Run:
        return await self._writer.write(lambda tx: self._move(tx, run, RunState.WAITING, at, asks, until))

    async def begin_step(self, run: RunId, step: str) -> int:
        async def job(tx: Transaction) -> int:
            row = await _must_find(tx, run)
            row.step, row.attempts = step, row.attempts + 1 if row.step == step else 1
            tx.note("run.step", run, f"{step} {row.attempts}")
            await self._save(tx, row, "step", "attempts")
            return row.attempts

        return await self._writer.write(job)

    async def end_run(self, run: RunId, state: RunState, at: datetime, error: str = "") -> bool:
        """Turns that are not over by then are; True also when the run was over before."""
        if not state.is_over:
            raise ValueError(f"{state} is no end of a run")
        return await self._writer.write(lambda tx: self._end(tx, run, state, at, error))

    async def ask_stop(self, run: RunId, by: str) -> Run | None:
        """Who asked first is remembered."""

        async def job(tx: Transaction) -> Run | None:
            row = await one(tx, models.RunRow.filter(run=run, state__in=OPEN))
            if row is None:
                return None
            row.stop_asked_by = row.stop_asked_by or by
            tx.note("run.stop", run)
            return await self._save(tx, row, "stop_asked_by")

        return await self._writer.write(job)

    async def _start(self, tx: Transaction, run: Run, work: Work, first: Turn) -> Run:
        standing = await one(tx, models.RunRow.filter(run=run.id))
        if standing is not None:
            return run_of(standing)
        if await one(tx, models.WorkRow.filter(work=work.id)) is None:
            await models.WorkRow.create(using_db=tx.db, **work_columns(work))
            new = work_of(await models.WorkRow.get(work=work.id, using_db=tx.db))
            tx.after.append(lambda: self._known.put_work(new))
        tx.note("run.start", run.id, f"{run.agent} on {work.project} {work.branch} for {run.asked_by}")
        row = await models.RunRow.create(using_db=tx.db, owner=self._node, **run_columns(run))
        await models.TurnRow.create(using_db=tx.db, **turn_columns(first))
        await _note(tx, run.id, run.state, run.created_at)
        return await self._save(tx, row)

    async def _take(self, tx: Transaction, run: RunId) -> bool:
        row = await _must_find(tx, run)
        work = await one(tx, models.WorkRow.filter(work=row.work))
        if work is None or RunState(row.state).is_over:
            return False
        wanted = [thread_lane(ThreadRef.parse(row.thread)), f"branch:{work.project}:{work.branch}"]
        held = {lane.name: lane.run for lane in await found(tx, models.LaneRow.filter(name__in=wanted))}
        if any(holder != run for holder in held.values()):
            return False
        for name in wanted:
            if name not in held:
                await models.LaneRow.create(using_db=tx.db, name=name, run=run)
        tx.after.append(lambda: self._known.lanes.update(dict.fromkeys(wanted, run)))
        return True

    async def _move(
        self, tx: Transaction, run: RunId, state: RunState, at: datetime, asks: str = "", until: datetime | None = None
    ) -> Run:
        row = await _must_find(tx, run)
        is_parked = bool(asks) and (row.asks, row.parked_until) != (asks, until)
        if RunState(row.state).is_over or (row.state == state and not is_parked):
            return run_of(row)
        row.asks, row.parked_until = asks, until
        if row.state != state:
            row.state = state.value
            await _note(tx, run, state, at)
        if row.started_at is None and state in {RunState.PLANNING, RunState.RUNNING}:
            row.started_at = at
        return await self._save(tx, row, "state", "started_at", "asks", "parked_until")

    async def _end(self, tx: Transaction, run: RunId, state: RunState, at: datetime, error: str) -> bool:
        row = await _must_find(tx, run)
        if RunState(row.state).is_over:
            return True
        turns = models.TurnRow.filter(run=run)
        if state is RunState.COMPLETED and await one(tx, turns.filter(state=TurnState.QUEUED.value)):
            return False
        await turns.filter(state__not=TurnState.OVER.value).using_db(tx.db).update(state=TurnState.OVER.value)
        await models.LaneRow.filter(run=run).using_db(tx.db).delete()
        row.state, row.ended_at, row.error = state.value, at, self._writer.redact(error)
        row.asks, row.parked_until = "", None
        await _note(tx, run, state, at)
        tx.note("run.end", run, state.value)
        await self._save(tx, row, "state", "ended_at", "error", "asks", "parked_until")
        return True

    async def _save(self, tx: Transaction, row: models.RunRow, *columns: str) -> Run:
        if columns:
            await row.save(using_db=tx.db, update_fields=columns)
        run = run_of(row)
        tx.after.append(lambda: self._known.put_run(run))
        return run


async def _must_find(tx: Transaction, run: RunId) -> models.RunRow:
    row = await one(tx, models.RunRow.filter(run=run))
    if row is None:
        raise NotFound(f"There is no run {run}.")
    return row


async def _note(tx: Transaction, run: RunId, state: RunState, at: datetime) -> None:
    await models.ChangeRow.create(using_db=tx.db, run=run, state=state.value, at=at)
