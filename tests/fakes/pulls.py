"""The pull requests of the local forge, kept in memory."""

from __future__ import annotations

from dataclasses import replace

from core.model.work import ProjectKey, PullRequest, PullState
from core.ports import PullDraft


class MemoryPulls:
    def __init__(self) -> None:
        self._pulls: dict[tuple[ProjectKey, int], PullRequest] = {}

    async def add_pull(self, project: ProjectKey, draft: PullDraft, url: str) -> PullRequest:
        mine = [pull for (key, _), pull in self._pulls.items() if key == project]
        for pull in mine:
            if pull.branch == draft.branch and pull.state is PullState.OPEN:
                return pull
        number = len(mine) + 1
        made = PullRequest(number, url.replace("{number}", str(number)), draft.title, draft.branch, draft.base)
        self._pulls[project, number] = made
        return made

    async def pull(self, project: ProjectKey, number: int) -> PullRequest | None:
        return self._pulls.get((project, number))

    async def put_pull_state(self, project: ProjectKey, number: int, state: PullState) -> PullRequest:
        self._pulls[project, number] = replace(self._pulls[project, number], state=state)
        return self._pulls[project, number]
