"""Killed at any moment of a publish, and asked again after the restart: once in the end, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.git import Git
from adapters.system import SystemClock
from adapters.workspaces import GitWorkspaces
from adapters.workspaces.places import Place
from core.model.work import Checkout, Project, ProjectKey, RepoRef, RunId
from core.ports import CommitMessage, Remote
from tests import repositories

BRANCH = "task/DEMO-1"
RUN = RunId("run-1")
WORDS = CommitMessage("Change it", "")
PREPARE, PUBLISH, JOIN = 12, 16, 36
"""Moments of a prepare, a publish, and a publish that takes in what another has pushed: a few more than there are."""


class Killed(BaseException):
    """The process is gone."""


class Countdown:
    """Kills before or after the effect that is `left` effects away."""

    def __init__(self, left: int) -> None:
        self.left = left

    def tick(self) -> None:
        self.left -= 1
        if self.left == -1:
            raise Killed


def arm(monkeypatch: pytest.MonkeyPatch, countdown: Countdown) -> None:
    run, write = Git.run, Place.write

    async def counted_run(self: Git, *words: str, **facts: Any) -> Any:
        countdown.tick()
        ended = await run(self, *words, **facts)
        countdown.tick()
        return ended

    def counted_write(self: Place, meta: Any) -> None:
        countdown.tick()
        write(self, meta)
        countdown.tick()

    monkeypatch.setattr(Git, "run", counted_run)
    monkeypatch.setattr(Place, "write", counted_write)


def kill_after_push(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Git.run

    async def counted_run(self: Git, *words: str, **facts: Any) -> Any:
        ended = await run(self, *words, **facts)
        if words[0] == "push":
            raise Killed
        return ended

    monkeypatch.setattr(Git, "run", counted_run)


class Scene:
    def __init__(self, tmp_path: Path) -> None:
        self.bare = repositories.make_bare(tmp_path / "remote.git", {"a.py": "1\n2\n3\n4\n5\n"})
        self.data = tmp_path / "data"
        self.project = Project(ProjectKey("DEMO"), "Demo", RepoRef("local"), "main")
        self.remote = Remote(str(self.bare))

    def workspaces(self) -> GitWorkspaces:
        return GitWorkspaces(self.data, SystemClock())

    async def prepare(self) -> Checkout:
        return await self.workspaces().prepare(RUN, self.project, BRANCH, self.remote)

    async def cut(self, monkeypatch: pytest.MonkeyPatch, moment: int, act: Callable[[], Any]) -> bool:
        """True: it was killed at that moment; False: it was over before."""
        with monkeypatch.context() as patch:
            arm(patch, Countdown(moment))
            try:
                await act()
            except Killed:
                return True
            return False


@pytest.mark.parametrize("moment", range(PUBLISH))
async def test_a_publish_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    scene = Scene(tmp_path)
    checkout = await scene.prepare()
    (Path(checkout.path) / "a.py").write_text("1\n2\n3\n4\nours\n")

    await scene.cut(monkeypatch, moment, lambda: scene.workspaces().publish(checkout, WORDS, scene.remote))
    change = await scene.workspaces().publish(checkout, WORDS, scene.remote)

    assert change is not None
    assert change.commit == repositories.tip(scene.bare, BRANCH)
    assert repositories.subjects(scene.bare, BRANCH) == ["Change it", "Change"]
    assert [(each.path, each.added, each.removed) for each in change.files] == [("a.py", 1, 1)]


@pytest.mark.parametrize("moment", range(JOIN))
async def test_a_persons_push_survives_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    scene = Scene(tmp_path)
    checkout = await scene.prepare()
    (Path(checkout.path) / "a.py").write_text("1\n2\n3\n4\nours\n")
    repositories.push_as_another(scene.bare, BRANCH, {"a.py": "theirs\n2\n3\n4\n5\n"}, tmp_path / "clone")

    await scene.cut(monkeypatch, moment, lambda: scene.workspaces().publish(checkout, WORDS, scene.remote))
    change = await scene.workspaces().publish(checkout, WORDS, scene.remote)

    assert change is not None
    assert repositories.files_on(scene.bare, BRANCH) == {"a.py": b"theirs\n2\n3\n4\nours\n"}
    assert {"By another", "Change it"} <= set(repositories.subjects(scene.bare, BRANCH))
    assert (Path(checkout.path) / "a.py").read_text() == "theirs\n2\n3\n4\nours\n"


@pytest.mark.parametrize("between", [False, True])
async def test_a_push_on_top_of_ours_before_the_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, between: bool
) -> None:
    """Ours was pushed, the bot was killed before it knew, and a person pushed on top."""
    scene = Scene(tmp_path)
    checkout = await scene.prepare()
    (Path(checkout.path) / "a.py").write_text("ours\n")
    with monkeypatch.context() as patch:
        kill_after_push(patch)
        with pytest.raises(Killed):
            await scene.workspaces().publish(checkout, WORDS, scene.remote)
    theirs = repositories.push_as_another(scene.bare, BRANCH, {"b.py": "theirs\n"}, tmp_path / "clone")
    if between:
        (Path(checkout.path) / "c.py").write_text("more of ours\n")

    change = await scene.workspaces().publish(checkout, WORDS, scene.remote)

    assert change is not None
    assert (Path(checkout.path) / "b.py").read_text() == "theirs\n"
    assert (repositories.tip(scene.bare, BRANCH) == theirs) is not between
    assert repositories.has_branch(scene.bare, BRANCH)


@pytest.mark.parametrize("moment", range(PREPARE))
async def test_a_prepare_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    scene = Scene(tmp_path)

    await scene.cut(monkeypatch, moment, scene.prepare)
    checkout = await scene.prepare()

    assert (Path(checkout.path) / "a.py").exists()
    assert repositories.git(Path(checkout.path), "status", "--porcelain") == ""
    assert await scene.workspaces().diff(checkout) == ""


async def test_no_moment_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path)

    async def publish() -> None:
        await scene.workspaces().publish(checkout, WORDS, scene.remote)

    assert not await scene.cut(monkeypatch, PREPARE - 1, scene.prepare)
    checkout = await scene.prepare()
    (Path(checkout.path) / "a.py").write_text("1\n2\n3\n4\nours\n")
    assert not await scene.cut(monkeypatch, PUBLISH - 1, publish)
    repositories.push_as_another(scene.bare, BRANCH, {"a.py": "theirs\n2\n3\n4\nours\n"}, tmp_path / "clone")
    (Path(checkout.path) / "b.py").write_text("more\n")
    assert not await scene.cut(monkeypatch, JOIN - 1, publish)


async def test_the_lock_of_a_git_that_was_killed_is_no_hindrance(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    checkout = await scene.prepare()
    Path(checkout.path).with_name("index.lock").touch()
    (Path(checkout.path) / "a.py").write_text("ours\n")

    assert await scene.workspaces().diff(checkout)
    assert await scene.workspaces().publish(checkout, WORDS, scene.remote)
