"""What a run belongs to, found or said to be gone: its row, its work, its project and the forge that it lives on."""

from __future__ import annotations

from collections.abc import Mapping

from core.model.errors import NotFound
from core.model.work import Project, Run, RunId, Work
from core.ports import Forge, Store


class Known:
    """Looks into the store and the forges of whoever inherits it."""

    __slots__ = ()
    store: Store
    forges: Mapping[str, Forge]

    async def _run(self, run_id: RunId) -> Run:
        run = await self.store.run(run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        return run

    async def work_of(self, run: Run) -> Work:
        work = await self.store.work(run.work)
        if work is None:
            raise NotFound(f"The work of run {run.id} is gone.")
        return work

    async def _project(self, work: Work) -> Project:
        project = await self.store.project(work.project)
        if project is None:
            raise NotFound(f"There is no project {work.project} any more; /projects lists them.")
        return project

    def forge(self, project: Project) -> Forge:
        forge = self.forges.get(project.repo.forge)
        if forge is None:
            raise NotFound(
                f"{project.key} lives on `{project.repo.forge}`, which is not configured. "
                f"Add the section `{project.repo.forge}` to the configuration and say it again."
            )
        return forge
