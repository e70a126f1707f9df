"""git as the adapters run it: faults told apart, nothing of ours given away, merges on old and new git."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.git import Fault, Git, GitError, MergeConflictError, merge_trees
from adapters.git.faults import read_fault, told
from adapters.git.merge import merge_by_index
from core.ports import Remote
from tests import repositories

HOST = "https://git.example.org/ada/demo.git"
SAID = [
    (f"fatal: Authentication failed for '{HOST}/'", Fault.AUTHENTICATION),
    (f"fatal: could not read Username for '{HOST}': terminal prompts disabled", Fault.AUTHENTICATION),
    ("remote: Repository not found.\nfatal: repository 'https://x/' not found", Fault.NOT_FOUND),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 404", Fault.NOT_FOUND),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 301", Fault.NOT_FOUND),
    ("fatal: '/x' does not appear to be a git repository", Fault.NOT_FOUND),
    ("fatal: couldn't find remote ref refs/heads/main", Fault.NO_BRANCH),
    ("remote: Permission to ada/demo.git denied to bot.\nfatal: unable to access", Fault.PERMISSION),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 403", Fault.PERMISSION),
    ("!\ta:b\t[remote rejected] (protected branch hook declined)", Fault.PERMISSION),
    ("! [remote rejected] a -> b (refusing to allow a token without `workflow` scope)", Fault.PERMISSION),
    ("!\ta:b\t[rejected] (stale info)", Fault.MOVED),
    ("!\ta:b\t[rejected] (fetch first)", Fault.MOVED),
    ("!\ta:b\t[remote rejected] (funny refname)", Fault.REJECTED),
    ("error: unable to write file a: No space left on device", Fault.DISK_FULL),
    ("remote: fatal: write error: No space left on device\n! [remote rejected] (unpacker error)", Fault.DISK_FULL),
    ("fatal: unable to access 'https://x/': Could not resolve host: x", Fault.NETWORK),
    ("fatal: unable to access 'https://x/': Failed to connect to x port 443", Fault.NETWORK),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 503", Fault.NETWORK),
    ("fatal: the remote end hung up unexpectedly", Fault.NETWORK),
    ("fatal: something never heard of", Fault.OTHER),
]


@pytest.mark.parametrize(("said", "fault"), SAID)
def test_each_fault_is_known_by_its_words_and_names_a_next_step(said: str, fault: Fault) -> None:
    error = told(said, HOST)

    assert read_fault(said) is fault
    assert error.fault is fault
    assert str(error).count(". ") >= 1
    assert str(error).endswith(".")


def test_what_is_secret_is_never_told() -> None:
    secret = uuid4().hex

    error = told(f"fatal: odd header Basic {secret} for {HOST}", HOST, f"Basic {secret}")

    assert secret not in str(error)
    assert "***" in str(error)


def test_control_characters_of_a_remote_do_not_reach_the_reader() -> None:
    assert "\x1b" not in str(told("remote: \x1b[31mred\x1b[0m", HOST))


async def test_the_bots_environment_is_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", uuid4().hex)
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    seen = tmp_path / "seen"
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nenv > {seen}\necho "$@" > {seen}.argv\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    secret = uuid4().hex

    await Git(tmp_path).run("fetch", HOST, remote=Remote(HOST, f"Basic {secret}"))

    environment = seen.read_text()
    assert "GITHUB_TOKEN" not in environment
    assert f"GIT_DIR={tmp_path}\n" in environment
    assert "GIT_ALLOW_PROTOCOL=https\n" in environment
    assert f"=http.{HOST}.extraheader\n" in environment
    assert environment.count(secret) == 1
    assert secret not in seen.with_name("seen.argv").read_text()


async def test_without_git_the_next_step_is_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.git.process.SYSTEM_PATH", "/nonexistent")
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(GitError, match="not installed") as raised:
        await Git(tmp_path).run("version")
    assert raised.value.fault is Fault.ABSENT


async def test_a_git_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / "git"
    shim.write_text("#!/bin/sh\nexec sleep 60\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("adapters.git.process.LOCAL_SECONDS", 0.1)

    with pytest.raises(GitError, match="too long"):
        await Git(tmp_path).run("version")


# ------------------------------------------------------------------------------------ merging

MERGES = pytest.mark.parametrize("merge", [merge_trees, merge_by_index])


@pytest.fixture
def forked(tmp_path: Path) -> Path:
    folder = repositories.make_repository(tmp_path / "forked", {"a": "1\n2\n3\n4\n5\n", "gone": "x\n", "b": "1\n"})
    repositories.git(folder, "branch", "theirs")
    (folder / "gone").unlink()
    repositories.commit(folder, {"a": "ours\n2\n3\n4\n5\n", "ours": "o\n"})
    repositories.git(folder, "checkout", "--quiet", "theirs")
    repositories.commit(folder, {"a": "1\n2\n3\n4\ntheirs\n", "theirs": "t\n"})
    return folder


@MERGES
async def test_what_goes_together_is_merged(forked: Path, merge: object) -> None:
    tree = await _merge(merge, forked, "main", "theirs")

    assert repositories.files_on(forked, tree) == {
        "a": b"ours\n2\n3\n4\ntheirs\n",
        "b": b"1\n",
        "ours": b"o\n",
        "theirs": b"t\n",
    }
    assert not list((forked / ".git").glob("merge-*"))


@MERGES
async def test_what_does_not_is_named(forked: Path, merge: object) -> None:
    repositories.commit(forked, {"a": "other\n2\n3\n4\n5\n", "gone": "changed\n"})

    with pytest.raises(MergeConflictError) as raised:
        await _merge(merge, forked, "main", "theirs")
    assert raised.value.paths == ("a", "gone")


async def test_a_git_that_cannot_merge_trees_merges_by_an_index(
    forked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git before 2.38 answers."""
    real = shutil.which("git")
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nif [ "$1" = merge-tree ]; then echo usage >&2; exit 129; fi\nexec {real} "$@"\n')
    shim.chmod(0o755)
    expected = await _merge(merge_trees, forked, "main", "theirs")
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")

    assert await _merge(merge_trees, forked, "main", "theirs") == expected


async def _merge(merge: object, folder: Path, ours: str, theirs: str) -> str:
    assert merge in {merge_trees, merge_by_index}
    chosen = merge_trees if merge is merge_trees else merge_by_index
    return await chosen(Git(folder / ".git"), ours, theirs)
