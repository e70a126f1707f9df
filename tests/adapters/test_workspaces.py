"""GitWorkspaces over real repositories on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.system import SystemClock
from adapters.workspaces import GitWorkspaces
from core.model.errors import WorkspaceError
from core.model.work import Checkout, FileChange, Project, ProjectKey, RepoRef, RunId
from core.ports import CommitMessage, Remote
from tests import repositories

KEY = ProjectKey("DEMO")
BRANCH = "task/DEMO-1"
WORDS = CommitMessage("Tidy the code", "Because it was untidy.", ("Run: 1", "Asked-by: Ada"))
FILES = {"a.py": "x = 1\n", "src/b.py": "y = 2\n"}


def new_run() -> RunId:
    return RunId(str(uuid4()))


@dataclass
class Desk:
    data: Path
    bare: Path
    workspaces: GitWorkspaces
    project: Project

    @property
    def remote(self) -> Remote:
        return Remote(str(self.bare))

    async def prepare(self, run: RunId | None = None, branch: str = BRANCH) -> Checkout:
        return await self.workspaces.prepare(run or new_run(), self.project, branch, self.remote)

    def restarted(self) -> Desk:
        return Desk(self.data, self.bare, GitWorkspaces(self.data, SystemClock()), self.project)


def names_in(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    bare = repositories.make_bare(tmp_path / "remote.git", FILES)
    data = tmp_path / "data"
    project = Project(KEY, "Demo", RepoRef("local"), base="main")
    return Desk(data, bare, GitWorkspaces(data, SystemClock()), project)


# ------------------------------------------------------------------------------------ prepare


async def test_a_new_branch_begins_at_the_base(desk: Desk) -> None:
    checkout = await desk.prepare()

    assert (Path(checkout.path) / "src/b.py").read_text() == "y = 2\n"
    assert checkout.head == repositories.tip(desk.bare, "main")
    assert (checkout.branch, checkout.base) == (BRANCH, "main")


async def test_a_branch_that_is_there_goes_on(desk: Desk, tmp_path: Path) -> None:
    made = repositories.push_as_another(desk.bare, BRANCH, {"c.py": "z\n"}, tmp_path / "clone")

    checkout = await desk.prepare()

    assert checkout.head == made
    assert (Path(checkout.path) / "c.py").exists()


async def test_a_branch_whose_name_begins_alike_is_another(desk: Desk, tmp_path: Path) -> None:
    repositories.push_as_another(desk.bare, f"{BRANCH}0", {"c.py": "z\n"}, tmp_path / "clone")

    checkout = await desk.prepare()

    assert checkout.head == repositories.tip(desk.bare, "main")


async def test_what_has_moved_since_the_last_run_is_seen(desk: Desk, tmp_path: Path) -> None:
    """A remote on this machine that stands still is not asked again; one that moved is."""
    await desk.prepare()
    still = await desk.prepare()
    moved = repositories.push_as_another(desk.bare, "main", {"n": "1"}, tmp_path / "one")
    after_base = await desk.prepare()
    begun = repositories.push_as_another(desk.bare, BRANCH, {"m": "1"}, tmp_path / "two")
    after_branch = await desk.prepare()
    repositories.git(desk.bare, "update-ref", "refs/heads/main", still.head)
    repositories.git(desk.bare, "pack-refs", "--all")
    after_packing = await desk.prepare()

    assert (after_base.head, after_branch.head, after_packing.head) == (moved, begun, begun)
    assert (await desk.prepare(branch="task/DEMO-2")).head == still.head


async def test_without_a_base_the_remotes_own_default_is_it(desk: Desk, tmp_path: Path) -> None:
    desk.bare = repositories.make_bare(tmp_path / "other.git", {"a": "1"}, branch="trunk")
    desk.project = Project(KEY, "Demo", RepoRef("local"))

    assert (await desk.prepare()).base == "trunk"


async def test_a_checkout_that_stands_is_kept_with_what_is_in_it(desk: Desk) -> None:
    run = new_run()
    first = await desk.prepare(run)
    (Path(first.path) / "new.py").write_text("half done\n")

    again = await desk.restarted().prepare(run)

    assert again == first
    assert (Path(again.path) / "new.py").read_text() == "half done\n"


async def test_a_data_folder_by_a_roundabout_way_gives_a_plain_path(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    workspaces = GitWorkspaces(Path("../data"), SystemClock())

    checkout = await workspaces.prepare(new_run(), desk.project, BRANCH, desk.remote)

    assert checkout.path.startswith(f"{tmp_path}/data/")


async def test_what_an_unfinished_prepare_left_is_made_anew(desk: Desk) -> None:
    run = new_run()
    tree = desk.data / "workspaces" / "DEMO" / "runs" / run / "tree"
    repositories.write(tree, {"leftover": "x"})
    references = desk.data / "workspaces" / "DEMO" / "git" / "refs"
    repositories.write(references, {"base/main.lock": "", f"runs/{run}/branch/{BRANCH}.lock": ""})

    checkout = await desk.prepare(run)

    assert names_in(checkout.path) == [".git", "a.py", "src"]


async def test_the_agents_own_git_works(desk: Desk) -> None:
    checkout = await desk.prepare()
    tree = Path(checkout.path)

    assert repositories.git(tree, "status", "--porcelain") == ""
    assert repositories.git(tree, "log", "--format=%H") == checkout.head
    assert repositories.git(tree, "branch", "--show-current") == BRANCH
    (tree / "a.py").write_text("x = 3\n")
    assert "+x = 3" in repositories.git(tree, "diff")


async def test_an_empty_repository_is_told_with_the_next_step(desk: Desk, tmp_path: Path) -> None:
    desk.bare = repositories.make_bare(tmp_path / "empty.git", {})

    with pytest.raises(WorkspaceError, match="first commit"):
        await desk.prepare()
    desk.project = Project(KEY, "Demo", RepoRef("local"))
    with pytest.raises(WorkspaceError, match="first commit"):
        await desk.prepare()


async def test_a_repository_that_is_not_there_is_told(desk: Desk, tmp_path: Path) -> None:
    desk.bare = tmp_path / "nowhere.git"

    with pytest.raises(WorkspaceError, match=r"no repository at .*nowhere\.git"):
        await desk.prepare()


@pytest.mark.parametrize("url", ["ext::sh -c id", "ssh://host/x", "--upload-pack=id", "git@host:x", "https://a:b@c/d"])
async def test_an_odd_address_is_refused(desk: Desk, url: str) -> None:
    with pytest.raises(WorkspaceError, match="neither https"):
        await desk.workspaces.prepare(new_run(), desk.project, BRANCH, Remote(url))


@pytest.mark.parametrize("branch", ["-x", "a..b", "a b", "a:b", "a/", "x.lock", "a/.b", "", "a*", "+a", "@{1}"])
async def test_an_odd_branch_is_refused(desk: Desk, branch: str) -> None:
    with pytest.raises(WorkspaceError, match="name of a branch"):
        await desk.prepare(branch=branch)


@pytest.mark.parametrize(("key", "run"), [("../X", "r"), ("DEMO", "../../x"), ("DEMO", "a/b"), ("demo", "r")])
async def test_keys_and_ids_never_leave_the_folder(desk: Desk, key: str, run: str) -> None:
    project = Project(ProjectKey(key), "Demo", RepoRef("local"), base="main")

    with pytest.raises(WorkspaceError, match="is not a"):
        await desk.workspaces.prepare(RunId(run), project, BRANCH, desk.remote)


# ------------------------------------------------------------------------------------ publish


async def test_exactly_what_was_written_is_published(desk: Desk) -> None:
    checkout = await desk.prepare()
    tree = Path(checkout.path)
    odd = bytes(range(256)) * 3
    (tree / "a.py").write_text("x = 2\nz = 3\n")
    (tree / "src/b.py").unlink()
    (tree / "odd name\n.bin").write_bytes(odd)
    (tree / "run.sh").write_text("#!/bin/sh\r\n")
    (tree / "run.sh").chmod(0o755)
    (tree / "link").symlink_to("/etc/passwd")

    change = await desk.workspaces.publish(checkout, WORDS, desk.remote)

    assert change is not None
    assert repositories.files_on(desk.bare, BRANCH) == {
        "a.py": b"x = 2\nz = 3\n",
        "odd name\n.bin": odd,
        "run.sh": b"#!/bin/sh\r\n",
        "link": b"/etc/passwd",
    }
    modes = repositories.modes_on(desk.bare, BRANCH)
    assert (modes["link"], modes["run.sh"]) == ("120000", "100755")
    assert set(change.files) == {
        FileChange("a.py", 2, 1),
        FileChange("src/b.py", 0, 1),
        FileChange("odd name\n.bin", None, None),
        FileChange("run.sh", 1, 0),
        FileChange("link", 1, 0),
    }
    assert change.commit == repositories.tip(desk.bare, BRANCH)


async def test_the_commit_says_what_it_was_told(desk: Desk) -> None:
    checkout = await desk.prepare()
    (Path(checkout.path) / "a.py").write_text("1\n")

    await desk.workspaces.publish(checkout, WORDS, desk.remote)

    said = repositories.git(desk.bare, "log", "-1", "--format=%B|%an|%cn|%P", BRANCH)
    parent = repositories.tip(desk.bare, "main")
    body = "Tidy the code\n\nBecause it was untidy.\n\nRun: 1\nAsked-by: Ada\n"
    assert said == f"{body}|Patchbay|Patchbay|{parent}"
    assert repositories.git(desk.bare, "log", "-1", "--format=%(trailers:key=Run,valueonly)", BRANCH) == "1"


async def test_nothing_changed_is_none_and_nothing_is_pushed(desk: Desk) -> None:
    checkout = await desk.prepare()
    os.utime(Path(checkout.path) / "a.py")

    assert await desk.workspaces.publish(checkout, WORDS, desk.remote) is None
    assert not repositories.has_branch(desk.bare, BRANCH)
    assert await desk.workspaces.diff(checkout) == ""


async def test_what_the_agents_own_git_did_does_not_matter(desk: Desk) -> None:
    checkout = await desk.prepare()
    tree = Path(checkout.path)
    repositories.commit(tree, {"a.py": "by the agent\n"}, "Its own commit")

    change = await desk.workspaces.publish(checkout, WORDS, desk.remote)

    assert change is not None
    assert repositories.subjects(desk.bare, BRANCH) == ["Tidy the code", "Change"]


async def test_a_second_turn_is_a_second_commit_and_the_change_is_of_the_whole_branch(desk: Desk) -> None:
    checkout = await desk.prepare()
    (Path(checkout.path) / "one.py").write_text("1\n")
    await desk.workspaces.publish(checkout, WORDS, desk.remote)
    second = CommitMessage("Second", "")

    assert await desk.workspaces.publish(checkout, second, desk.remote) is None
    (Path(checkout.path) / "two.py").write_text("2\n")
    change = await desk.workspaces.publish(checkout, second, desk.remote)

    assert change is not None
    assert [each.path for each in change.files] == ["one.py", "two.py"]
    assert repositories.subjects(desk.bare, BRANCH) == ["Second", "Tidy the code", "Change"]


async def test_the_same_publish_again_is_the_same_change(desk: Desk) -> None:
    checkout = await desk.prepare()
    (Path(checkout.path) / "one.py").write_text("1\n")

    first = await desk.workspaces.publish(checkout, WORDS, desk.remote)
    again = await desk.restarted().workspaces.publish(checkout, WORDS, desk.remote)

    assert first is not None
    assert again == first


async def test_a_new_run_goes_on_with_the_branch(desk: Desk) -> None:
    one = await desk.prepare()
    (Path(one.path) / "one.py").write_text("1\n")
    await desk.workspaces.publish(one, WORDS, desk.remote)
    await desk.workspaces.discard(one.run)

    two = await desk.prepare()
    (Path(two.path) / "two.py").write_text("2\n")
    change = await desk.workspaces.publish(two, WORDS, desk.remote)

    assert change is not None
    assert [each.path for each in change.files] == ["one.py", "two.py"]


async def test_a_rename_is_one_file(desk: Desk) -> None:
    checkout = await desk.prepare()
    (Path(checkout.path) / "a.py").rename(Path(checkout.path) / "b.py")

    change = await desk.workspaces.publish(checkout, WORDS, desk.remote)

    assert change is not None
    assert change.files == (FileChange("b.py", 0, 0),)


async def test_what_git_ignores_stays_here(desk: Desk) -> None:
    checkout = await desk.prepare()
    repositories.write(Path(checkout.path), {".gitignore": "*.log\n", "x.log": "no"})

    await desk.workspaces.publish(checkout, WORDS, desk.remote)

    assert "x.log" not in repositories.files_on(desk.bare, BRANCH)


async def test_a_persons_push_meanwhile_is_taken_in(desk: Desk, tmp_path: Path) -> None:
    checkout = await desk.prepare()
    (Path(checkout.path) / "a.py").write_text("ours\n")
    await desk.workspaces.publish(checkout, WORDS, desk.remote)
    repositories.push_as_another(desk.bare, BRANCH, {"theirs.py": "t\n"}, tmp_path / "clone")
    (Path(checkout.path) / "more.py").write_text("m\n")

    change = await desk.workspaces.publish(checkout, CommitMessage("More", ""), desk.remote)

    assert change is not None
    assert set(repositories.files_on(desk.bare, BRANCH)) == {"a.py", "src/b.py", "theirs.py", "more.py"}
    assert {"By another", "More", "Tidy the code"} <= set(repositories.subjects(desk.bare, BRANCH))
    assert (Path(checkout.path) / "theirs.py").read_text() == "t\n"
    assert await desk.workspaces.publish(checkout, CommitMessage("None", ""), desk.remote) is None


async def test_a_conflict_loses_nothing_and_says_where_it_is(desk: Desk, tmp_path: Path) -> None:
    checkout = await desk.prepare()
    (Path(checkout.path) / "a.py").write_text("ours\n")
    theirs = repositories.push_as_another(desk.bare, BRANCH, {"a.py": "theirs\n"}, tmp_path / "clone")

    with pytest.raises(WorkspaceError, match=r"conflicts with this run in a\.py.*branch task/DEMO-1-") as raised:
        await desk.workspaces.publish(checkout, WORDS, desk.remote)

    aside = next(word for word in str(raised.value).split() if word.startswith(f"{BRANCH}-")).rstrip(".")
    assert repositories.tip(desk.bare, BRANCH) == theirs
    assert repositories.files_on(desk.bare, aside)["a.py"] == b"ours\n"


async def test_a_branch_that_was_deleted_meanwhile_is_made_again(desk: Desk) -> None:
    checkout = await desk.prepare()
    (Path(checkout.path) / "one.py").write_text("1\n")
    await desk.workspaces.publish(checkout, WORDS, desk.remote)
    repositories.git(desk.bare, "update-ref", "-d", f"refs/heads/{BRANCH}")
    (Path(checkout.path) / "two.py").write_text("2\n")

    await desk.workspaces.publish(checkout, CommitMessage("Two", ""), desk.remote)

    assert {"one.py", "two.py"} <= set(repositories.files_on(desk.bare, BRANCH))


async def test_a_refused_push_says_why_and_the_next_one_works(desk: Desk) -> None:
    checkout = await desk.prepare()
    (Path(checkout.path) / "one.py").write_text("1\n")
    hook = desk.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'GH006: Protected branch update failed' >&2\nexit 1\n")
    hook.chmod(0o755)

    with pytest.raises(WorkspaceError, match="write access"):
        await desk.workspaces.publish(checkout, WORDS, desk.remote)
    hook.unlink()
    change = await desk.workspaces.publish(checkout, WORDS, desk.remote)

    assert change is not None
    assert repositories.subjects(desk.bare, BRANCH) == ["Tidy the code", "Change"]


async def test_without_its_checkout_a_publish_is_told(desk: Desk) -> None:
    checkout = await desk.prepare()
    await desk.workspaces.discard(checkout.run)

    with pytest.raises(WorkspaceError, match="gone"):
        await desk.workspaces.publish(checkout, WORDS, desk.remote)


# ------------------------------------------------------------------------------------ diff, discard


async def test_the_diff_shows_new_and_changed_files_and_leaves_everything_as_it_is(desk: Desk) -> None:
    checkout = await desk.prepare()
    repositories.write(Path(checkout.path), {"a.py": "x = 2\n", "new.py": "n\n"})
    repositories.make_repository(Path(checkout.path) / "inner", {"f": "1"})

    text = await desk.workspaces.diff(checkout)

    assert "-x = 1\n+x = 2\n" in text
    assert "+++ b/new.py" in text
    assert (Path(checkout.path) / "inner" / ".git").is_dir()
    assert not repositories.has_branch(desk.bare, BRANCH)


async def test_the_diff_of_a_published_branch(desk: Desk, tmp_path: Path) -> None:
    repositories.push_as_another(desk.bare, BRANCH, {"c.py": "new\n"}, tmp_path / "one")
    repositories.push_as_another(desk.bare, "main", {"base.py": "later\n"}, tmp_path / "two")

    text = await desk.workspaces.branch_diff(desk.project, BRANCH, desk.remote)

    assert "+new" in text
    assert "base.py" not in text
    with pytest.raises(WorkspaceError, match="no branch"):
        await desk.workspaces.branch_diff(desk.project, "task/DEMO-9", desk.remote)


async def test_discard_forgets_whatever_the_modes_are_and_follows_no_link(desk: Desk, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    repositories.write(outside, {"kept": "1"})
    checkout = await desk.prepare()
    tree = Path(checkout.path)
    repositories.write(tree, {"deep/locked/file": "1"})
    (tree / "way-out").symlink_to(outside)
    (tree / "deep/locked/file").chmod(0)
    (tree / "deep/locked").chmod(0)

    await desk.workspaces.discard(checkout.run)
    await desk.workspaces.discard(checkout.run)

    assert not tree.parent.exists()
    assert (outside / "kept").exists()
    store = desk.data / "workspaces" / "DEMO" / "git"
    assert repositories.git(store, "for-each-ref", f"refs/runs/{checkout.run}") == ""
