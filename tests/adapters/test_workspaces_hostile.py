"""An agent at work against the bot's git: folders that change under its eyes, and folders without end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.system import SystemClock
from adapters.workspaces import GitWorkspaces
from adapters.workspaces.guest import lay_view
from adapters.workspaces.places import Place, remove_folder
from core.model.errors import WorkspaceError
from core.model.work import Project, ProjectKey, RepoRef, RunId
from core.ports import CommitMessage, Remote
from tests import repositories

BRANCH = "task/DEMO-1"
ROUNDS = 25
DEEP = 3_000
"""Folders: more than Python may call itself, and a longer path than any system call takes."""


class Room:
    def __init__(self, folder: Path) -> None:
        self.bare = repositories.make_bare(folder / "forge.git", {"a.txt": "1\n"})
        self.remote = Remote(str(self.bare))
        self.project = Project(ProjectKey("DEMO"), "Demo", RepoRef("local"))
        self.workspaces = GitWorkspaces(folder / "data", SystemClock())
        self.run = RunId(str(uuid4()))
        self.place = Place(folder / "data/workspaces/DEMO", folder / f"data/workspaces/DEMO/runs/{self.run}")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@contextmanager
def flipping(path: Path, elsewhere: Path) -> Iterator[None]:
    """`path` is now a folder, now a link to `elsewhere`, many times a second."""
    stop = threading.Event()
    real, link = path.with_name("real"), path.with_name("link")

    def flip() -> None:
        link.symlink_to(elsewhere)
        while not stop.is_set():
            path.rename(real)
            link.rename(path)
            path.rename(link)
            real.rename(path)

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def nest(folder: Path, count: int) -> None:
    """Deeper than a path can say: each folder is made from within the last."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(count):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here))
    os.close(here)


async def test_a_folder_that_becomes_a_link_while_git_looks_shows_nothing_of_the_machine(
    room: Room, tmp_path: Path
) -> None:
    canary = uuid4().hex
    outside = tmp_path / "outside"
    repositories.write(outside, {f"f{number}": canary for number in range(40)})
    checkout = await room.workspaces.prepare(room.run, room.project, BRANCH, room.remote)
    folder = Path(checkout.path) / "sub" / "folder"
    repositories.write(folder, {f"f{number}": "mine" for number in range(40)})

    with flipping(folder, outside):
        shown = [await room.workspaces.diff(checkout) for _ in range(ROUNDS)]

    assert not any(canary in each for each in shown)


async def test_the_diff_shows_what_the_agent_has_done_and_leaves_it_as_it_is(room: Room) -> None:
    checkout = await room.workspaces.prepare(room.run, room.project, BRANCH, room.remote)
    tree = Path(checkout.path)
    repositories.write(tree, {"a.txt": "2\n", "new/b.txt": "b\n", "sub/.git/HEAD": "x", "sub/c.txt": "c\n"})
    (tree / "link").symlink_to("/etc/passwd")
    os.mkfifo(tree / "pipe")

    shown = await room.workspaces.diff(checkout)

    assert [line for line in shown.splitlines() if line.startswith("+++")] == [
        "+++ b/a.txt",
        "+++ b/link",
        "+++ b/new/b.txt",
        "+++ b/sub/c.txt",
    ]
    assert "+/etc/passwd\n" in shown
    assert (tree / "sub/.git/HEAD").exists()
    assert not room.place.view.exists()
    change = await room.workspaces.publish(checkout, CommitMessage("All of it", ""), room.remote)
    assert change is not None
    assert sorted(repositories.files_on(room.bare, BRANCH)) == ["a.txt", "link", "new/b.txt", "sub/c.txt"]


async def test_folders_without_end_are_an_error_and_can_be_thrown_away(room: Room) -> None:
    checkout = await room.workspaces.prepare(room.run, room.project, BRANCH, room.remote)
    nest(Path(checkout.path), DEEP)

    with pytest.raises(WorkspaceError) as diff:
        await room.workspaces.diff(checkout)
    with pytest.raises(WorkspaceError) as publish:
        await room.workspaces.publish(checkout, CommitMessage("Deep", ""), room.remote)
    await room.workspaces.discard(room.run)

    assert len(str(diff.value)) < 600
    assert len(str(publish.value)) < 600
    assert not room.place.run.exists()


def test_a_folder_is_removed_without_following_links_whatever_its_modes_are(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("stays")
    doomed = tmp_path / "doomed"
    repositories.write(doomed, {"a/b/c": "1", "a/d": "2"})
    (doomed / "a" / "out").symlink_to(kept)
    (doomed / "a" / "b").chmod(0)

    remove_folder(doomed)
    remove_folder(doomed)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    assert (kept / "file").read_text() == "stays"


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "link").symlink_to(kept)

    remove_folder(tmp_path / "link")

    assert kept.is_dir()


def test_a_view_of_a_tree_that_is_a_link_is_refused(room: Room, tmp_path: Path) -> None:
    room.place.run.mkdir(parents=True)
    room.place.tree.symlink_to(tmp_path)

    with pytest.raises(OSError, match="tree"):
        lay_view(room.place)
