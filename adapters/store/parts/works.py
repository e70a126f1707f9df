"""Work: a branch with its session, pull request and thread, on which runs come and go."""

from __future__ import annotations

from typing import Any

from adapters.store.database import Transaction
from adapters.store.parts.part import Part, one
from adapters.store.tables import models
from adapters.store.tables.values import pull_columns, work_of
from core.model.chat import ChatRef, ThreadRef
from core.model.errors import NotFound
from core.model.work import PullRequest, PullState, TaskKey, Work, WorkId


class WorkPart(Part):
    async def work(self, work: WorkId) -> Work | None:
        known = self._known.works.get(work)
        if known is not None:
            return known
        row = await self._first(models.WorkRow.filter(work=work))
        return work_of(row) if row else None

    async def open_work(self, task: TaskKey) -> Work | None:
        """The newest."""
        return next((work for work in reversed(self._known.works.values()) if work.task == task), None)

    async def open_work_in(self, thread: ThreadRef) -> Work | None:
        return next((work for work in reversed(self._known.works.values()) if work.thread == thread), None)

    async def open_works(self) -> list[Work]:
        return list(self._known.works.values())

    async def works(self, task: TaskKey) -> list[Work]:
        return [work_of(row) for row in await self._rows(models.WorkRow.filter(task=task).order_by("seq"))]

    async def open_pulls(self, room: ChatRef) -> list[Work]:
        """Oldest first; closed work whose pull request is still open is among them."""
        query = models.WorkRow.filter(room=str(room), pull_state=PullState.OPEN.value)
        return [work_of(row) for row in await self._rows(query.order_by("seq"))]

    async def put_session(self, work: WorkId, agent: str, session: str) -> None:
        await self._change(work, session=session, session_agent=agent)

    async def put_pull(self, work: WorkId, pull: PullRequest) -> None:
        await self._change(work, f"#{pull.number} {pull.state}", **pull_columns(pull))

    async def close_work(self, work: WorkId) -> None:
        await self._change(work, "closed", is_open=False)

    async def _change(
        self,
        work: WorkId,
        act: str = "",
        **columns: Any,  # noqa: ANN401 - columns are of several types
    ) -> None:
        async def job(tx: Transaction) -> None:
            if act:
                tx.note("work.change", work, act)
            await models.WorkRow.filter(work=work).using_db(tx.db).update(**columns)
            row = await one(tx, models.WorkRow.filter(work=work))
            if row is None:
                raise NotFound(f"There is no work {work}.")
            changed = work_of(row)
            tx.after.append(lambda: self._known.put_work(changed))

        await self._writer.write(job)
