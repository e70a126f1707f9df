"""A disk that is full, and time: each ends in words with a next step, and goes on afterwards."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.system import SystemClock
from adapters.workspaces import GitWorkspaces
from core.model.errors import WorkspaceError
from core.model.work import Project, ProjectKey, RepoRef, RunId
from core.ports import CommitMessage, Remote
from tests import repositories

SIZE = 4_000_000
"""Bytes of the small disk."""

WORDS = CommitMessage("Change", "")
PROJECT = Project(ProjectKey("DEMO"), "Demo", RepoRef("local"), "main")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", folder], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_a_full_disk_is_told_and_once_there_is_room_the_publish_works(tmp_path: Path, small_disk: Path) -> None:
    bare = repositories.make_bare(tmp_path / "remote.git", {"a.py": "1\n"})
    workspaces, remote = GitWorkspaces(small_disk, SystemClock()), Remote(str(bare))
    checkout = await workspaces.prepare(RunId("run-1"), PROJECT, "task/DEMO-1", remote)
    big = Path(checkout.path) / "big.bin"
    big.write_bytes(os.urandom(SIZE // 2 - 200_000))
    filler = small_disk / "filler"
    fill(filler)

    with pytest.raises(WorkspaceError, match=r"disk .* is full"):
        await workspaces.publish(checkout, WORDS, remote)
    with pytest.raises(WorkspaceError, match=r"disk .* is full"):
        await workspaces.prepare(RunId("run-2"), PROJECT, "task/DEMO-2", remote)
    filler.unlink()
    change = await workspaces.publish(checkout, WORDS, remote)

    assert change is not None
    assert repositories.files_on(bare, "task/DEMO-1")["big.bin"] == big.read_bytes()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (100_000, 1):
            with pytest.raises(OSError, match="No space left"):
                write_on(file, b"\0" * size)


def write_on(file: io.FileIO, piece: bytes) -> None:
    while file.write(piece):
        pass


async def test_a_data_folder_that_is_no_folder_is_told(tmp_path: Path) -> None:
    bare = repositories.make_bare(tmp_path / "remote.git", {"a.py": "1\n"})
    (tmp_path / "data").write_text("a file")
    workspaces = GitWorkspaces(tmp_path / "data", SystemClock())

    with pytest.raises(WorkspaceError, match="data folder"):
        await workspaces.prepare(RunId(str(uuid4())), PROJECT, "task/DEMO-1", Remote(str(bare)))


async def test_a_git_that_takes_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = repositories.make_bare(tmp_path / "remote.git", {"a.py": "1\n"})
    workspaces = GitWorkspaces(tmp_path / "data", SystemClock())
    monkeypatch.setattr("adapters.git.process.REMOTE_SECONDS", 0.0)

    with pytest.raises(WorkspaceError, match="too long"):
        await workspaces.prepare(RunId("run-1"), PROJECT, "task/DEMO-1", Remote(str(bare)))
