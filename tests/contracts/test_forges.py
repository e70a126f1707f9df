"""What every forge promises, over each one's own counterpart. A new forge is one line in SCENES."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from aiohttp import web
from pydantic import SecretStr

from adapters.forges import FORGES, ForgeTools, GithubConfig
from adapters.forges.github import Github
from adapters.forges.local import Local
from adapters.system import SystemClock
from adapters.workspaces import GitWorkspaces
from core.model.errors import BadAsk, ForgeError
from core.model.work import Project, ProjectKey, PullState, RunId
from core.ports import CommitMessage, Forge, PullDraft
from tests import repositories
from tests.fakes.git_http import GitHttp
from tests.fakes.github import FakeGithub, Repo
from tests.fakes.pulls import MemoryPulls

BRANCH = "task/DEMO-1"


@dataclass
class Scene:
    """`project`: with a repository of the forge; `bare`: where that really lies; `folder`: free to use."""

    forge: Forge
    project: Project
    bare: Path
    folder: Path

    async def publish(self, branch: str, files: dict[str, str], run: str = "run-1") -> None:
        """As the bot does: through the forge's own remote."""
        workspaces = GitWorkspaces(self.folder / "desk", SystemClock())
        remote = self.forge.remote(self.project)
        checkout = await workspaces.prepare(RunId(run), self.project, branch, remote)
        repositories.write(Path(checkout.path), files)
        assert await workspaces.publish(checkout, CommitMessage("Change", ""), remote)

    def draft(self, branch: str = BRANCH, title: str = "Tidy") -> PullDraft:
        return PullDraft(branch, "main", title, "Because.", "<!-- patchbay:run-1 -->")


@asynccontextmanager
async def _local(folder: Path) -> AsyncIterator[Scene]:
    forge = Local(folder / "data", MemoryPulls())
    repo = forge.parse("")
    assert repo is not None
    project = Project(ProjectKey("DEMO"), "Demo", repo, "main")
    yield Scene(forge, project, Path(forge.remote(project).url), folder)


class Hub(FakeGithub):
    """A GitHub whose repositories are real, served by `git`: it merges, or finds that it cannot."""

    def __init__(self, git: GitHttp) -> None:
        super().__init__(git.token, has_branch=lambda path, branch: repositories.has_branch(self.bare(path), branch))
        self.git = git

    def bare(self, path: str) -> Path:
        return self.git.folder / f"{path}.git"

    async def _merge(self, request: web.Request) -> web.Response:
        path, repo = self._found(request)
        _, pull = self._numbered(request)
        if pull["state"] == "open" and not await asyncio.to_thread(_merged, self.bare(path), pull):
            repo.conflicts.add(pull["number"])
        return await super()._merge(request)


def _merged(bare: Path, pull: Mapping[str, Any]) -> bool:
    base, head = f"refs/heads/{pull['base']['ref']}", f"refs/heads/{pull['head']['ref']}"
    try:
        tree = repositories.git(bare, "merge-tree", "--write-tree", base, head)
    except AssertionError:
        return False
    made = repositories.git(bare, "commit-tree", tree, "-p", base, "-p", head, "-m", "Merge")
    repositories.git(bare, "update-ref", base, made)
    return True


@asynccontextmanager
async def _github(folder: Path) -> AsyncIterator[Scene]:
    async with GitHttp(folder / "served", f"ghp_{uuid4().hex}") as git, Hub(git) as hub:
        hub.repos["acme/shop"] = Repo()
        config = GithubConfig(token=SecretStr(git.token), api_base=hub.base, git_base=git.base)
        forge = FORGES["github"].build(config, ForgeTools(folder / "data", MemoryPulls()))
        repo = forge.parse("acme/shop")
        assert repo is not None
        yield Scene(forge, Project(ProjectKey("DEMO"), "Demo", repo, "main"), await git.create("acme/shop"), folder)
        await cast("Github", forge).close()


SCENES: dict[str, Callable[[Path], AbstractAsyncContextManager[Scene]]] = {"local": _local, "github": _github}


@pytest.fixture(params=SCENES)
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    async with SCENES[request.param](tmp_path) as made:
        assert await made.forge.ensure(made.project) == "main"
        yield made


def test_every_forge_of_the_table_has_a_scene() -> None:
    assert set(FORGES) - set(SCENES) == set()


@pytest.mark.parametrize("text", ["", " ", "word", "owner/name", "/no/such/place", "~nobody", "a\0b", "\ud800", "-x/y"])
async def test_what_is_typed_is_its_own_or_not_or_a_mistake(scene: Scene, text: str) -> None:
    """Nothing else is raised, and what is taken is the forge's."""
    try:
        found = scene.forge.parse(text)
    except BadAsk:
        return
    assert found is None or found.forge == scene.forge.name


async def test_ensuring_twice_is_ensuring_once(scene: Scene) -> None:
    before = repositories.tip(scene.bare, "main")

    assert await scene.forge.ensure(scene.project) == "main"
    assert repositories.tip(scene.bare, "main") == before


async def test_a_pull_request_is_opened_once_for_a_branch(scene: Scene) -> None:
    await scene.publish(BRANCH, {"a.py": "1\n"})

    pull = await scene.forge.open_pull_request(scene.project, scene.draft())
    again = await scene.forge.open_pull_request(scene.project, scene.draft(title="Other words"))

    assert again.number == pull.number
    assert (pull.branch, pull.base, pull.title, pull.state) == (BRANCH, "main", "Tidy", PullState.OPEN)
    assert str(pull.number) in pull.url
    assert await scene.forge.pull_request(scene.project, pull.number) == pull


async def test_each_branch_has_its_own(scene: Scene) -> None:
    await scene.publish(BRANCH, {"a.py": "1\n"})
    await scene.publish("task/DEMO-2", {"b.py": "1\n"}, run="run-2")

    one = await scene.forge.open_pull_request(scene.project, scene.draft())
    two = await scene.forge.open_pull_request(scene.project, scene.draft("task/DEMO-2"))

    assert one.number != two.number
    assert one.url != two.url


async def test_a_pull_request_for_no_branch_is_refused(scene: Scene) -> None:
    with pytest.raises(ForgeError):
        await scene.forge.open_pull_request(scene.project, scene.draft("task/DEMO-9"))


async def test_a_pull_request_that_there_is_not(scene: Scene) -> None:
    with pytest.raises(ForgeError):
        await scene.forge.pull_request(scene.project, 999)


async def test_merging_brings_the_branch_to_the_base_once(scene: Scene) -> None:
    await scene.publish(BRANCH, {"a.py": "1\n"})
    pull = await scene.forge.open_pull_request(scene.project, scene.draft())

    merged = await scene.forge.merge(scene.project, pull.number)
    after = repositories.tip(scene.bare, "main")
    again = await scene.forge.merge(scene.project, pull.number)

    assert merged.state is again.state is PullState.MERGED
    assert repositories.files_on(scene.bare, "main")["a.py"] == b"1\n"
    assert repositories.tip(scene.bare, "main") == after
    assert (await scene.forge.pull_request(scene.project, pull.number)).state is PullState.MERGED


async def test_a_conflict_is_told_and_changes_nothing(scene: Scene) -> None:
    await scene.publish(BRANCH, {"a.py": "ours\n"})
    pull = await scene.forge.open_pull_request(scene.project, scene.draft())
    theirs = repositories.push_as_another(scene.bare, "main", {"a.py": "theirs\n"}, scene.folder / "clone")

    with pytest.raises(ForgeError, match="conflict"):
        await scene.forge.merge(scene.project, pull.number)

    assert repositories.tip(scene.bare, "main") == theirs
    assert (await scene.forge.pull_request(scene.project, pull.number)).state is PullState.OPEN
