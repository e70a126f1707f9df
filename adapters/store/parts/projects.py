"""Projects, the tasks on their boards, and the pull requests of the local forge."""

from __future__ import annotations

from datetime import datetime

from adapters.store.database import Transaction
from adapters.store.parts.part import Part, one, upsert
from adapters.store.tables import models
from adapters.store.tables.columns import pack
from adapters.store.tables.values import project_of, pull_of, task_of
from core.model.chat import Cause, Person
from core.model.codec import to_json
from core.model.errors import NotFound
from core.model.work import Project, ProjectKey, PullRequest, PullState, Task, TaskKey, TaskState
from core.ports import PullDraft

PAGE = 500


class ProjectPart(Part):
    async def projects(self) -> list[Project]:
        """By key."""
        return sorted(self._known.projects.values(), key=lambda project: project.key)

    async def project(self, key: ProjectKey) -> Project | None:
        return self._known.projects.get(key)

    async def add_project(self, project: Project, cause: Cause) -> Project:
        async def job(tx: Transaction) -> Project:
            row = await one(tx, models.ProjectRow.filter(key=project.key))
            if row is None:
                await models.ProjectRow.create(using_db=tx.db, cause=cause, **_columns(project))
                tx.note("project.add", project.key, f"{project.repo.forge}:{project.repo.path}")
            return await self._learn(tx, project.key)

        return await self._writer.write(job)

    async def put_project(self, project: Project) -> None:
        async def job(tx: Transaction) -> None:
            await upsert(tx, models.ProjectRow, _columns(project), key=project.key)
            tx.note("project.put", project.key, f"{project.repo.forge}:{project.repo.path} {project.base}")
            await self._learn(tx, project.key)

        await self._writer.write(job)

    async def _learn(self, tx: Transaction, key: ProjectKey) -> Project:
        """As it stands, and is known once that is committed."""
        project = project_of(await models.ProjectRow.get(key=key, using_db=tx.db))
        tx.after.append(lambda: self._known.projects.update({key: project}))
        return project

    async def tasks(self, project: ProjectKey) -> list[Task]:
        """By number. A page at a time: making values of some thousand rows at once would hold up the event loop."""
        known: list[Task] = []
        last, is_more = 0, True
        while is_more:
            page = models.TaskRow.filter(project=project, number__gt=last).order_by("number").limit(PAGE)
            rows = await self._rows(page)
            known += map(task_of, rows)
            last, is_more = rows[-1].number if rows else 0, len(rows) == PAGE
        return known

    async def task(self, key: TaskKey) -> Task | None:
        row = await self._first(models.TaskRow.filter(key=key))
        return task_of(row) if row else None

    async def add_task(self, project: ProjectKey, title: str, by: Person, at: datetime, cause: Cause) -> Task:
        async def job(tx: Transaction) -> Task:
            mine = models.TaskRow.filter(project=project)
            row = await one(tx, mine.filter(cause=cause))
            if row is None:
                await _must_exist(tx, project)
                last = await one(tx, mine.order_by("-number"))
                number = last.number + 1 if last else 1
                row = await models.TaskRow.create(
                    using_db=tx.db,
                    key=f"{project}-{number}",
                    project=project,
                    number=number,
                    title=title,
                    state=TaskState.TODO.value,
                    created_by=pack(to_json(by)),
                    created_at=at,
                    cause=cause,
                )
                tx.note("task.add", row.key)
            return task_of(row)

        return await self._writer.write(job)

    async def put_task_state(self, key: TaskKey, state: TaskState) -> None:
        async def job(tx: Transaction) -> None:
            if not await models.TaskRow.filter(key=key).using_db(tx.db).update(state=state.value):
                raise NotFound(f"There is no task {key}.")
            tx.note("task.state", key, state.value)

        await self._writer.write(job)


class PullPart(Part):
    async def add_pull(self, project: ProjectKey, draft: PullDraft, url: str) -> PullRequest:
        async def job(tx: Transaction) -> PullRequest:
            mine = models.PullRow.filter(project=project)
            row = await one(tx, mine.filter(branch=draft.branch, state=PullState.OPEN.value))
            if row is None:
                await _must_exist(tx, project)
                last = await one(tx, mine.order_by("-number"))
                number = last.number + 1 if last else 1
                row = await models.PullRow.create(
                    using_db=tx.db,
                    project=project,
                    number=number,
                    url=url.replace("{number}", str(number)),
                    title=draft.title,
                    body=draft.body,
                    marker=draft.marker,
                    branch=draft.branch,
                    base=draft.base,
                    state=PullState.OPEN.value,
                )
            return pull_of(row)

        return await self._writer.write(job)

    async def pull(self, project: ProjectKey, number: int) -> PullRequest | None:
        row = await self._first(models.PullRow.filter(project=project, number=number))
        return pull_of(row) if row else None

    async def put_pull_state(self, project: ProjectKey, number: int, state: PullState) -> PullRequest:
        async def job(tx: Transaction) -> PullRequest:
            row = await one(tx, models.PullRow.filter(project=project, number=number))
            if row is None:
                raise NotFound(f"{project} has no pull request {number}.")
            row.state = state.value
            await row.save(using_db=tx.db, update_fields=["state"])
            tx.note("pull.state", f"{project}#{number}", state.value)
            return pull_of(row)

        return await self._writer.write(job)


def _columns(project: Project) -> dict[str, str]:
    return {
        "key": project.key,
        "name": project.name,
        "forge": project.repo.forge,
        "path": project.repo.path,
        "base": project.base,
        "agent": project.agent,
    }


async def _must_exist(tx: Transaction, key: ProjectKey) -> None:
    if await one(tx, models.ProjectRow.filter(key=key)) is None:
        raise NotFound(f"There is no project {key}.")
