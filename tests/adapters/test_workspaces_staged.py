"""What a publish would change, asked of real git: nothing of it is hidden, and what is left out is in no commit."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.system import SystemClock
from adapters.workspaces import GitWorkspaces
from core.guard import GuardClass, GuardPolicy, holder, judge
from core.model.errors import WorkspaceError, WorkspaceMoved
from core.model.tree import PathChange
from core.model.work import Checkout, Project, ProjectKey, RepoRef, RunId
from core.ports import CommitMessage, Remote
from tests import repositories

BRANCH = "task/DEMO-1"
WORDS = CommitMessage("Change it", "")
PROJECT = Project(ProjectKey("DEMO"), "Demo", RepoRef("local"), "main")
WORKFLOW = ".github/workflows/ci.yml"
BASE: dict[str, str | bytes] = {"a.py": "x = 1\n", "gone.py": "g\n", "run.sh": "#!/bin/sh\n", WORKFLOW: "on: push\n"}


class Desk:
    def __init__(self, folder: Path) -> None:
        self.bare = repositories.make_bare(folder / "remote.git", BASE)
        self.remote = Remote(str(self.bare))
        self.workspaces = GitWorkspaces(folder / "data", SystemClock())

    async def prepare(self) -> Checkout:
        self.checkout = await self.workspaces.prepare(RunId("run-1"), PROJECT, BRANCH, self.remote)
        self.tree = Path(self.checkout.path)
        return self.checkout

    async def changes(self) -> dict[str, PathChange]:
        return {each.path: each for each in (await self.workspaces.staged(self.checkout)).changes}


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    await made.prepare()
    return made


async def test_nothing_is_staged_in_a_fresh_checkout(desk: Desk) -> None:
    staged = await desk.workspaces.staged(desk.checkout)

    assert staged.changes == ()
    assert staged.tree == repositories.git(desk.bare, "rev-parse", "main^{tree}")


async def test_every_kind_of_change_is_told(desk: Desk) -> None:
    repositories.write(desk.tree, {"a.py": "x = 1\ny = 2\n", "new dir/ü.txt": "neu", "b.bin": b"\0" * 5000})
    (desk.tree / "gone.py").rename(desk.tree / "moved.py")
    (desk.tree / "run.sh").chmod(0o755)
    (desk.tree / "link").symlink_to("../../etc/passwd")
    (desk.tree / os.fsdecode(b"odd\xff")).write_text("x")
    (desk.tree / WORKFLOW).unlink()

    found = await desk.changes()

    assert {path: (each.old_mode, each.mode) for path, each in found.items()} == {
        "a.py": ("100644", "100644"),
        "new dir/ü.txt": ("000000", "100644"),
        "b.bin": ("000000", "100644"),
        "gone.py": ("100644", "000000"),
        "moved.py": ("000000", "100644"),
        "run.sh": ("100644", "100755"),
        "link": ("000000", "120000"),
        "odd\udcff": ("000000", "100644"),
        WORKFLOW: ("100644", "000000"),
    }
    assert (found["a.py"].added, found["link"].target) == ("y = 2", "../../etc/passwd")
    assert (found["b.bin"].size, found["b.bin"].is_binary) == (5000, True)


async def test_only_a_file_that_is_gone(desk: Desk) -> None:
    (desk.tree / "gone.py").unlink()

    assert {path: each.mode for path, each in (await desk.changes()).items()} == {"gone.py": "000000"}


async def test_a_repository_of_the_agent_is_told_as_plain_files(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    source = tmp_path / "remote.git-source"
    head = repositories.git(source, "rev-parse", "HEAD")
    repositories.git(source, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
    repositories.git(source, "commit", "--quiet", "--message", "A submodule")
    repositories.git(source, "push", "--quiet", str(desk.bare), "main")
    await desk.prepare()
    repositories.make_repository(desk.tree / "sub", {"inside.txt": "1\n"})

    found = await desk.changes()

    assert found["sub/inside.txt"].mode == "100644"
    assert not [path for path in found if ".git/" in path]


@pytest.mark.parametrize("attributes", ["* binary\n", "* -diff\n", "*.py diff=evil\n", "* filter=evil\n", "* -text\n"])
async def test_no_attribute_hides_a_secret(desk: Desk, attributes: str) -> None:
    secret = uuid4().hex
    repositories.write(desk.tree, {".gitattributes": attributes, "a.py": f"x = 1\nkey = '{secret}'\n"})
    repositories.write(desk.tree, {"wide.txt": f"key = {secret}\n".encode("utf-16")})

    staged = await desk.workspaces.staged(desk.checkout)
    found = judge(staged, GuardPolicy(), holder(lambda text: text.replace(secret, "")))

    assert {each.change.path for each in found if GuardClass.SECRETS in each.classes} == {"a.py", "wide.txt"}


async def test_the_diff_shows_these_paths_alone(desk: Desk) -> None:
    repositories.write(desk.tree, {"a.py": "x = 2\n", WORKFLOW: "on: pull_request_target\n", ":(top)odd": "1\n"})
    staged = await desk.workspaces.staged(desk.checkout)

    shown = await desk.workspaces.staged_diff(desk.checkout, staged.tree, [WORKFLOW, ":(top)odd"])

    assert "+on: pull_request_target" in shown
    assert "+++ b/:(top)odd" in shown
    assert "x = 2" not in shown


async def test_what_is_left_out_stays_as_it_is_published_and_as_it_is_in_the_checkout(desk: Desk) -> None:
    repositories.write(desk.tree, {"a.py": "x = 2\n", WORKFLOW: "evil\n", ".husky/pre-push": "evil\n"})
    (desk.tree / "gone.py").unlink()
    left = [WORKFLOW, ".husky/pre-push", "gone.py"]
    tree = (await desk.workspaces.staged(desk.checkout)).tree

    for _ in range(2):  # a step may be done again
        change = await desk.workspaces.publish(desk.checkout, WORDS, desk.remote, tree=tree, without=left)
        assert change is not None

    assert repositories.files_on(desk.bare, BRANCH) == {
        name: text.encode() if isinstance(text, str) else text for name, text in {**BASE, "a.py": "x = 2\n"}.items()
    }
    assert (desk.tree / WORKFLOW).read_text() == "evil\n"
    assert set(await desk.changes()) == set(left)
    assert await desk.workspaces.has_unpublished(desk.checkout.run)
    assert repositories.subjects(desk.bare, BRANCH) == ["Change it", "Change"]


async def test_nothing_else_to_publish(desk: Desk) -> None:
    repositories.write(desk.tree, {WORKFLOW: "evil\n"})
    tree = (await desk.workspaces.staged(desk.checkout)).tree

    assert await desk.workspaces.publish(desk.checkout, WORDS, desk.remote, tree=tree, without=[WORKFLOW]) is None
    assert not repositories.has_branch(desk.bare, BRANCH)


@pytest.mark.parametrize("more", [{}, {"a.py": "x = 2\n"}])
async def test_what_is_left_out_is_in_no_commit_that_is_pushed(desk: Desk, more: dict[str, str | bytes]) -> None:
    """It was to be published, could not be pushed, and then a person said: without it."""
    secret = uuid4().hex
    repositories.write(desk.tree, {WORKFLOW: secret, **more})
    tree = (await desk.workspaces.staged(desk.checkout)).tree
    nowhere = Remote(str(desk.bare.with_name("nowhere.git")))
    with pytest.raises(WorkspaceError):
        await desk.workspaces.publish(desk.checkout, WORDS, nowhere, tree=tree)

    change = await desk.workspaces.publish(desk.checkout, WORDS, desk.remote, tree=tree, without=[WORKFLOW])

    assert (change is not None) is bool(more)
    objects = repositories.git_bytes(desk.bare, "cat-file", "--batch-all-objects", "--batch")
    assert secret.encode() not in objects
    assert set(await desk.changes()) == {WORKFLOW}


async def test_files_that_changed_since_they_were_looked_at_are_not_published(desk: Desk) -> None:
    repositories.write(desk.tree, {"a.py": "x = 2\n"})
    tree = (await desk.workspaces.staged(desk.checkout)).tree
    repositories.write(desk.tree, {WORKFLOW: "evil\n"})

    with pytest.raises(WorkspaceMoved):
        await desk.workspaces.publish(desk.checkout, WORDS, desk.remote, tree=tree)

    assert not repositories.has_branch(desk.bare, BRANCH)


async def test_without_the_guard_it_is_published(desk: Desk) -> None:
    """The control."""
    repositories.write(desk.tree, {WORKFLOW: "evil\n"})

    assert await desk.workspaces.publish(desk.checkout, WORDS, desk.remote)
    assert repositories.files_on(desk.bare, BRANCH)[WORKFLOW] == b"evil\n"


async def test_what_an_agent_committed_by_itself_is_judged_as_well(desk: Desk) -> None:
    repositories.write(desk.tree, {WORKFLOW: "evil\n"})
    repositories.git(desk.tree, "add", "--all")
    repositories.git(desk.tree, "commit", "--quiet", "--message", "Nothing to see")
    repositories.git(desk.tree, "update-index", "--assume-unchanged", WORKFLOW)

    assert set(await desk.changes()) == {WORKFLOW}


async def test_what_another_pushed_meanwhile_is_neither_judged_nor_overwritten(desk: Desk, tmp_path: Path) -> None:
    repositories.write(desk.tree, {"a.py": "x = 2\n"})
    theirs = repositories.push_as_another(desk.bare, BRANCH, {WORKFLOW: "theirs\n"}, tmp_path / "clone")
    tree = (await desk.workspaces.staged(desk.checkout)).tree

    assert await desk.workspaces.publish(desk.checkout, WORDS, desk.remote, tree=tree)

    assert repositories.files_on(desk.bare, BRANCH)[WORKFLOW] == b"theirs\n"
    assert repositories.git(desk.bare, "merge-base", "--is-ancestor", theirs, BRANCH) == ""
    assert await desk.changes() == {}
