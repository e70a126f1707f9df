"""The local forge: what may be typed, what is made of it, and that a source is neither trusted nor changed."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.forges.local import Local
from core.model.errors import BadAsk, ForgeError
from core.model.work import Project, ProjectKey, PullState, RepoRef
from core.ports import PullDraft
from tests import repositories
from tests.fakes.pulls import MemoryPulls

KEY = ProjectKey("DEMO")


@pytest.fixture
def forge(tmp_path: Path) -> Local:
    return Local(tmp_path / "data", MemoryPulls())


def project(path: str = "", base: str = "") -> Project:
    return Project(KEY, "Demo Project", RepoRef("local", path), base)


def bare_of(forge: Local) -> Path:
    return Path(forge.remote(project()).url)


# ------------------------------------------------------------------------------------ parse


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_is_a_new_repository(forge: Local, text: str) -> None:
    assert forge.parse(text) == RepoRef("local", "")


@pytest.mark.parametrize("text", ["owner/name", "https://github.com/a/b", "name", "file:///etc", "-x", "git@host:a/b"])
def test_what_is_no_path_is_left_to_others(forge: Local, text: str) -> None:
    assert forge.parse(text) is None


def test_a_path_may_be_absolute_relative_or_at_home(
    forge: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = repositories.make_repository(tmp_path / "my code", {"a": "1"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = RepoRef("local", str(folder.resolve()))

    assert forge.parse(str(folder)) == forge.parse("./my code") == forge.parse("~/my code/") == expected


def test_a_bare_repository_and_a_linked_worktree_are_repositories(forge: Local, tmp_path: Path) -> None:
    bare = repositories.make_bare(tmp_path / "bare.git", {"a": "1"})
    repositories.git(bare, "worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "other")

    assert forge.parse(str(bare)) is not None
    assert forge.parse(str(tmp_path / "linked")) is not None


@pytest.mark.parametrize(
    "text", ["/etc", "/etc/passwd", "/nonexistent", "./", "/tmp/$(id)", "/a\nb", "/a;b", "~nobody-there/x", "/a:b"]
)
def test_what_is_a_path_but_no_repository_is_told(
    forge: Local, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(BadAsk):
        forge.parse(text)


async def test_the_bots_own_folder_is_refused_also_through_a_link(forge: Local, tmp_path: Path) -> None:
    await forge.ensure(project())
    (tmp_path / "link").symlink_to(bare_of(forge))

    for text in (str(bare_of(forge)), str(tmp_path / "link"), f"{tmp_path}/x/../data/forge/DEMO.git"):
        with pytest.raises(BadAsk, match="bot itself"):
            forge.parse(text)


# ------------------------------------------------------------------------------------ ensure


async def test_a_new_repository_begins_with_a_readme_that_names_the_project(forge: Local) -> None:
    assert await forge.ensure(project()) == "main"

    assert repositories.files_on(bare_of(forge), "main") == {"README.md": b"# Demo Project\n"}
    assert repositories.git(bare_of(forge), "fsck", "--strict") == ""
    assert not list(bare_of(forge).glob("hooks/*"))


async def test_many_at_once_make_one(forge: Local) -> None:
    assert await asyncio.gather(*(forge.ensure(project()) for _ in range(5))) == ["main"] * 5
    assert [path.name for path in bare_of(forge).parent.iterdir()] == ["DEMO.git"]


async def test_a_source_is_copied_with_its_branches_and_its_head_is_the_base(forge: Local, tmp_path: Path) -> None:
    source = repositories.make_repository(tmp_path / "source", {"a": "1"}, branch="trunk")
    repositories.git(source, "branch", "other")
    repositories.write(source, {"uncommitted": "stays"})

    assert await forge.ensure(project(str(source))) == "trunk"

    assert repositories.files_on(bare_of(forge), "trunk") == {"a": b"1"}
    assert repositories.has_branch(bare_of(forge), "other")
    assert repositories.git(source, "status", "--porcelain") == "?? uncommitted"


async def test_what_is_new_in_the_source_comes_over(forge: Local, tmp_path: Path) -> None:
    source = repositories.make_repository(tmp_path / "source", {"a": "1"})
    await forge.ensure(project(str(source)))
    later = repositories.commit(source, {"a": "2"})

    await forge.ensure(project(str(source)))

    assert repositories.tip(bare_of(forge), "main") == later


async def test_a_source_that_went_another_way_or_is_gone_changes_nothing(forge: Local, tmp_path: Path) -> None:
    source = repositories.make_repository(tmp_path / "source", {"a": "1"})
    await forge.ensure(project(str(source)))
    merged = repositories.push_as_another(bare_of(forge), "main", {"b": "merged here"}, tmp_path / "clone")
    repositories.commit(source, {"a": "2"})

    assert await forge.ensure(project(str(source))) == "main"
    source.rename(tmp_path / "moved")
    assert await forge.ensure(project(str(source))) == "main"

    assert repositories.tip(bare_of(forge), "main") == merged


async def test_another_source_begins_anew_and_what_was_there_is_kept(forge: Local, tmp_path: Path) -> None:
    await forge.ensure(project())
    source = repositories.make_repository(tmp_path / "source", {"a": "1"})

    await forge.ensure(project(str(source)))

    assert repositories.files_on(bare_of(forge), "main") == {"a": b"1"}
    (aside,) = bare_of(forge).parent.glob("DEMO-until-*.git")
    assert repositories.files_on(aside, "main") == {"README.md": b"# Demo Project\n"}


async def test_a_base_that_is_not_there_is_told(forge: Local, tmp_path: Path) -> None:
    source = repositories.make_repository(tmp_path / "source", {"a": "1"})

    with pytest.raises(ForgeError, match="no branch 'develop'"):
        await forge.ensure(project(str(source), "develop"))


async def test_an_empty_source_is_told_with_the_next_step(forge: Local, tmp_path: Path) -> None:
    source = repositories.make_bare(tmp_path / "source.git", {})

    with pytest.raises(ForgeError, match="Commit something"):
        await forge.ensure(project(str(source)))
    assert not bare_of(forge).exists()


async def test_hooks_and_configuration_of_a_source_do_nothing(forge: Local, tmp_path: Path) -> None:
    mark, trap = tmp_path / "sprung", tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\n")
    trap.chmod(0o755)
    source = repositories.make_repository(tmp_path / "source", {"a": "1"})
    for key in ("core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "core.alternateRefsCommand"):
        repositories.git(source, "config", key, str(trap))
    repositories.git(source, "config", "remote.origin.uploadpack", str(trap))
    repositories.git(source, "config", "remote.origin.url", "ext::" + str(trap))
    repositories.git(source, "config", "remote.origin.promisor", "true")
    for name in ("reference-transaction", "post-checkout", "pre-receive", "post-update", "pre-auto-gc"):
        repositories.write(source / ".git/hooks", {name: trap.read_bytes()})
        (source / ".git/hooks" / name).chmod(0o755)
    before = {path: path.read_bytes() for path in (source / ".git").rglob("*") if path.is_file()}

    await forge.ensure(project(str(source)))
    await forge.ensure(project(str(source)))

    assert repositories.files_on(bare_of(forge), "main") == {"a": b"1"}
    assert not mark.exists()
    assert {path: path.read_bytes() for path in (source / ".git").rglob("*") if path.is_file()} == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
async def test_a_source_of_another_owner_is_read(forge: Local, tmp_path: Path) -> None:
    source = repositories.make_repository(tmp_path / "source", {"a": "1"})
    for path in (source, *source.rglob("*")):
        os.chown(path, 65534, 65534)

    assert await forge.ensure(project(str(source))) == "main"


async def test_a_key_never_leaves_the_folder(forge: Local) -> None:
    with pytest.raises(ForgeError, match="not a project's key"):
        await forge.ensure(Project(ProjectKey("../X"), "X", RepoRef("local")))


# ------------------------------------------------------------------------------------ pull requests


async def opened(forge: Local, tmp_path: Path) -> int:
    await forge.ensure(project())
    repositories.push_as_another(bare_of(forge), "task/DEMO-1", {"a": "1\n"}, tmp_path / "clone")
    pull = await forge.open_pull_request(project(), PullDraft("task/DEMO-1", "main", "Tidy it", "b", "m"))
    assert pull.url == f"{bare_of(forge)}#{pull.number}"
    return pull.number


async def test_a_merge_is_a_merge_commit_that_names_the_pull_request(forge: Local, tmp_path: Path) -> None:
    number = await opened(forge, tmp_path)
    repositories.push_as_another(bare_of(forge), "main", {"b": "2\n"}, tmp_path / "other")

    await forge.merge(project(), number)

    said = repositories.git(bare_of(forge), "log", "-1", "--format=%s|%b|%an", "main")
    assert said == "Merge pull request #1 from task/DEMO-1|Tidy it\n|Patchbay"
    assert len(repositories.git(bare_of(forge), "log", "-1", "--format=%P", "main").split()) == 2
    assert set(repositories.files_on(bare_of(forge), "main")) == {"README.md", "a", "b"}


async def test_merged_by_hand_is_merged(forge: Local, tmp_path: Path) -> None:
    number = await opened(forge, tmp_path)
    repositories.git(bare_of(forge), "update-ref", "refs/heads/main", "refs/heads/task/DEMO-1")

    assert (await forge.pull_request(project(), number)).state is PullState.MERGED


async def test_killed_between_the_merge_and_its_note_it_is_merged_once(forge: Local, tmp_path: Path) -> None:
    number = await opened(forge, tmp_path)
    merged = await forge.merge(project(), number)
    after = repositories.tip(bare_of(forge), "main")
    await forge._pulls.put_pull_state(KEY, number, PullState.OPEN)

    assert await forge.merge(project(), number) == merged
    assert repositories.tip(bare_of(forge), "main") == after


async def test_a_closed_one_is_not_merged(forge: Local, tmp_path: Path) -> None:
    number = await opened(forge, tmp_path)
    await forge._pulls.put_pull_state(KEY, number, PullState.CLOSED)

    with pytest.raises(ForgeError, match="closed"):
        await forge.merge(project(), number)


async def test_an_open_one_whose_branch_is_gone_is_still_shown_but_not_merged(forge: Local, tmp_path: Path) -> None:
    number = await opened(forge, tmp_path)
    repositories.git(bare_of(forge), "update-ref", "-d", "refs/heads/task/DEMO-1")

    assert (await forge.pull_request(project(), number)).state is PullState.OPEN
    with pytest.raises(ForgeError, match="no branch"):
        await forge.merge(project(), number)


async def test_a_project_of_another_name_has_its_own_repository(forge: Local) -> None:
    other = replace(project(), key=ProjectKey("OTHER"), name="Other")
    await forge.ensure(other)

    assert not bare_of(forge).exists()
    assert repositories.files_on(Path(forge.remote(other).url), "main") == {"README.md": b"# Other\n"}
