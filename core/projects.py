"""Projects and links: what a key means, where its code lives, which chat talks about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from core.model.chat import Cause, ThreadRef
from core.model.errors import BadAsk, Conflict, ForgeError, NotFound
from core.model.work import Link, Project, ProjectKey, RepoRef, Task, TaskKey
from core.near import near
from core.ports import Forge, Store

_PROJECT_KEY = re.compile(r"[A-Z][A-Z0-9]{1,9}")
_TASK_KEY = re.compile(r"([A-Z][A-Z0-9]{1,9})-([1-9][0-9]{0,8})")
LOCAL_FORGE = "local"
NAME_LENGTH = 100


def parse_project_key(text: str) -> ProjectKey:
    """BadAsk unless it looks like `DEMO`; small letters are taken as large ones."""
    key = text.upper()
    if not _PROJECT_KEY.fullmatch(key):
        raise BadAsk(f"`{text[:40]}` is not a project key: 2-10 letters and digits, a letter first, like `DEMO`.")
    return ProjectKey(key)


def parse_task_key(text: str) -> TaskKey:
    """BadAsk unless it looks like `DEMO-1`."""
    key = text.upper()
    if not _TASK_KEY.fullmatch(key):
        raise BadAsk(f"`{text[:40]}` is not a task key; they look like `DEMO-1`. /tasks lists them.")
    return TaskKey(key)


class ProjectDesk:
    def __init__(self, store: Store, forges: Mapping[str, Forge], usual: RepoRef | None = None) -> None:
        """`usual`: where a project lives that is made without a word about it; None: in a local repository."""
        self._store, self._forges, self._usual = store, forges, usual or RepoRef(LOCAL_FORGE)

    async def project(self, key: ProjectKey) -> Project:
        found = await self._store.project(key)
        if found is None:
            known = [each.key for each in await self._store.projects()]
            hint = near(key, known) or "/projects lists them."
            raise NotFound(f"There is no project `{key}`. {hint}")
        return found

    async def task(self, key: TaskKey) -> Task:
        found = await self._store.task(key)
        if found is None:
            project = await self.project(ProjectKey(key.rpartition("-")[0]))
            raise NotFound(f"{project.key} has no task `{key}`. `/tasks {project.key}` lists them.")
        return found

    def repository(self, text: str) -> RepoRef | None:
        """What a person typed, as a repository of the first forge that knows it; None: it is not one."""
        for forge in self._forges.values():
            found = forge.parse(text)
            if found is not None:
                return found
        return None

    async def create(
        self, key: ProjectKey, name: str, repo: RepoRef | None, cause: Cause, thread: ThreadRef, *, may_change: bool
    ) -> tuple[Project, bool]:
        """The project under this key, linked to the chat, and whether it is new.

        One that stands keeps its name; its repository is set if it had none of its own.
        """
        standing = await self._store.project(key)
        if standing is None:
            project = Project(key, name[:NAME_LENGTH] or key, repo or self._usual)
            project = replace(project, base=await self._ensure(project))
            project = await self._store.add_project(project, cause)
        else:
            project = await self._adopt(standing, repo, may_change=may_change)
        await self._store.put_link(Link(replace(thread, root=""), project.key))
        return project, standing is None

    async def _adopt(self, standing: Project, repo: RepoRef | None, *, may_change: bool) -> Project:
        if repo is None or repo == standing.repo:
            return standing
        if standing.repo != RepoRef(LOCAL_FORGE) or not may_change:
            raise Conflict(
                f"{standing.key} exists and lives at `{standing.repo}`. Choose another key, "
                "or ask an owner of the bot for a change."
            )
        changed = replace(standing, repo=repo, base="")
        changed = replace(changed, base=await self._ensure(changed))
        await self._store.put_project(changed)
        return changed

    async def _ensure(self, project: Project) -> str:
        forge = self._forges.get(project.repo.forge)
        if forge is None:
            raise ForgeError(f"There is no forge `{project.repo.forge}` in the configuration.")
        return await forge.ensure(project)
