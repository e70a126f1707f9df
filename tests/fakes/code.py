"""A forge and workspaces in memory: a checkout is a path, what an agent changed is a dict of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.model.errors import BotError, ForgeError, WorkspaceMoved
from core.model.tree import PathChange, Staged
from core.model.work import Change, Checkout, FileChange, Project, PullRequest, PullState, RepoRef, RunId
from core.ports import CommitMessage, PullDraft, Remote


@dataclass
class FakeForge:
    name: str = "local"
    pulls: list[PullRequest] = field(default_factory=list)
    drafts: list[PullDraft] = field(default_factory=list)
    fault: BotError | None = None
    """Raised by the next calls, until it is taken away."""

    def parse(self, text: str) -> RepoRef | None:
        if text.startswith("/repos/") or text.count("/") == 1:
            return RepoRef(self.name, text)
        return None

    async def ensure(self, project: Project) -> str:
        self._meet()
        return "main"

    def remote(self, project: Project) -> Remote:
        return Remote(f"/forge/{project.key}.git")

    async def open_pull_request(self, project: Project, draft: PullDraft) -> PullRequest:
        self._meet()
        for pull in self.pulls:
            if pull.branch == draft.branch and pull.state is PullState.OPEN:
                return pull
        number = len(self.pulls) + 1
        pull = PullRequest(
            number, f"https://forge.example/{project.key}/pull/{number}", draft.title, draft.branch, draft.base
        )
        self.drafts.append(draft)
        self.pulls.append(pull)
        return pull

    async def pull_request(self, project: Project, number: int) -> PullRequest:
        self._meet()
        return self.pulls[number - 1]

    async def merge(self, project: Project, number: int) -> PullRequest:
        self._meet()
        if number > len(self.pulls):
            raise ForgeError("There is no such pull request.")
        return self.put_state(number, PullState.MERGED)

    def put_state(self, number: int, state: PullState) -> PullRequest:
        self.pulls[number - 1] = replace(self.pulls[number - 1], state=state)
        return self.pulls[number - 1]

    def _meet(self) -> None:
        if self.fault is not None:
            raise self.fault


@dataclass
class FakeWorkspaces:
    """`changes` by run id: what the next publish finds. `branches`: the files published on each."""

    changes: dict[str, str] = field(default_factory=dict)
    branches: dict[str, dict[str, str]] = field(default_factory=dict)
    messages: list[CommitMessage] = field(default_factory=list)
    discarded: list[RunId] = field(default_factory=list)
    standing: list[RunId] = field(default_factory=list)
    unpublished: set[RunId] = field(default_factory=set)
    """Of runs whose checkouts stand."""
    fault: BotError | None = None

    async def prepare(self, run: RunId, project: Project, branch: str, remote: Remote) -> Checkout:
        if self.fault is not None:
            raise self.fault
        if run not in self.standing:
            self.standing.append(run)
        return Checkout(run, project.key, f"/work/{run}", branch, project.base, "0" * 40)

    async def diff(self, checkout: Checkout) -> str:
        return _diff(self.changes)

    async def branch_diff(self, project: Project, branch: str, remote: Remote) -> str:
        return _diff(self.branches.get(branch, {}))

    async def staged(self, checkout: Checkout) -> Staged:
        if self.fault is not None:
            raise self.fault
        changes = (PathChange(path, size=len(text), added=text, blob=text) for path, text in self.changes.items())
        return Staged(str(sorted(self.changes.items())), tuple(changes))

    async def staged_diff(self, checkout: Checkout, tree: str, paths: Sequence[str]) -> str:
        return _diff({path: text for path, text in self.changes.items() if path in paths})

    async def publish(
        self,
        checkout: Checkout,
        message: CommitMessage,
        remote: Remote,
        *,
        tree: str = "",
        without: Sequence[str] = (),
    ) -> Change | None:
        if self.fault is not None:
            raise self.fault
        if tree not in {"", (await self.staged(checkout)).tree}:
            raise WorkspaceMoved("The files of this run have changed meanwhile. Ask again.")
        kept = {path: self.changes.pop(path) for path in without}
        if not self.changes:
            self.changes.update(kept)
            return None
        self.messages.append(message)
        files = self.branches.setdefault(checkout.branch, {})
        files.update(self.changes)
        self.changes.clear()
        self.changes.update(kept)
        shown = tuple(FileChange(path, len(text.splitlines()), 0) for path, text in files.items())
        return Change("c" * 40, checkout.branch, checkout.base, shown)

    async def discard(self, run: RunId) -> None:
        self.discarded.append(run)
        if run in self.standing:
            self.standing.remove(run)

    async def kept(self) -> list[RunId]:
        return list(self.standing)

    async def has_unpublished(self, run: RunId) -> bool:
        if self.fault is not None:
            raise self.fault
        return run in self.unpublished

    async def tidy(self) -> None:
        if self.fault is not None:
            raise self.fault


def _diff(files: dict[str, str]) -> str:
    return "".join(f"+++ b/{path}\n+{text}\n" for path, text in files.items())
