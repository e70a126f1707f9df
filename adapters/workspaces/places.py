"""Where the parts of a workspace lie, and the note beside a checkout that says how far its run has come."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from adapters.git import EMPTY_TREE, Git, GitError
from core.model.codec import from_json, to_json
from core.model.errors import WorkspaceError
from core.model.work import Checkout, ProjectKey, RunId
from core.ports import CommitMessage

SHOWN_PATH = 200
"""Characters of a path in the text of an error: an agent may have made it as long as it likes."""


@dataclass(frozen=True, slots=True)
class Meta:
    """`head` is the tip of this run's line, `remote` what the published branch is known to be (empty: not there).

    `start` is where the line left the base: what the branch changes is counted from it. `origin` is the commit that
    was checked out. `said` is the fingerprint of the last message that was committed, so that a publish which is
    taken again after a crash is told from one that has nothing to publish.
    """

    run: RunId
    project: ProjectKey
    branch: str
    base: str
    origin: str
    head: str
    tree: str
    start: str = EMPTY_TREE
    remote: str = ""
    said: str = ""

    @property
    def is_published(self) -> bool:
        return self.head == self.published

    @property
    def published(self) -> str:
        """The commit that the branch is known to be at, or begins from."""
        return self.remote or self.origin


def fingerprint(message: CommitMessage) -> str:
    return hashlib.sha256(json.dumps(to_json(message), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one run. What reads or writes here blocks: call it in a thread."""

    project: Path
    run: Path

    @property
    def store(self) -> Path:
        return self.project / "git"

    @property
    def tree(self) -> Path:
        return self.run / "tree"

    @property
    def index(self) -> Path:
        return self.run / "index"

    @property
    def git(self) -> Git:
        return Git(self.store, tree=self.tree, index=self.index)

    def checkout(self, meta: Meta) -> Checkout:
        return Checkout(meta.run, meta.project, str(self.tree), meta.branch, meta.base, meta.head)

    def read(self) -> Meta | None:
        """None: there is no checkout, or it was never finished. Locks of a git that was killed are taken away."""
        try:
            content = (self.run / "meta.json").read_text()
        except FileNotFoundError:
            return None
        self.index.with_name("index.lock").unlink(missing_ok=True)
        return from_json(Meta, json.loads(content))

    def write(self, meta: Meta) -> None:
        """The reference, made as git makes it, keeps the commit from git's housekeeping."""
        reference = self.store / "refs" / "runs" / meta.run / "head"
        reference.parent.mkdir(parents=True, exist_ok=True)
        _replace(reference, f"{meta.head}\n")
        _replace(self.run / "meta.json", json.dumps(to_json(meta)))

    def begin(self) -> None:
        """An empty tree; what an unfinished attempt has left is gone."""
        remove_folder(self.run)
        self.tree.mkdir(parents=True)
        (self.run / "readable").symlink_to(self.store / "objects")

    @property
    def view(self) -> Path:
        """The files of the tree in folders of ours."""
        return self.run / "view"

    def look(self) -> Git:
        """For git with a tree and an index of its own: those of the run are not touched."""
        shutil.copyfile(self.index, self.run / "index.view")
        return Git(self.store, tree=self.view, index=self.run / "index.view")


def place(data: Path, project: ProjectKey, run: RunId) -> Place:
    """WorkspaceError for a key or an id that is not one: they become names of folders."""
    if not re.fullmatch(r"[A-Z][A-Z0-9]{0,15}", project):
        raise WorkspaceError(f"{project!r} is not a project's key. It is 2-10 of A-Z and 0-9, a letter first.")
    folder = data / "workspaces" / project
    return Place(folder, folder / "runs" / check_run(run))


def check_run(run: RunId) -> RunId:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", run):
        raise WorkspaceError(f"{run!r} is not a run's id. Look it up with /status.")
    return run


def remove_folder(folder: Path) -> None:
    """Whatever the modes in it are. Symlinks in it are removed, never followed. No error when there is none.

    An agent can nest folders deeper than a path may be long, or than Python may call itself: so each is moved up to
    the top before it is emptied, and no path grows.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    pending = [os.fspath(folder)]
    emptied = []
    while pending:
        emptied.append(pending.pop())
        pending += _empty(emptied[-1], folder)
    for path in reversed(emptied):
        os.rmdir(path)  # noqa: PTH106 - os.scandir gives a str


def _empty(path: str, top: Path) -> list[str]:
    """The folders that were in it, and are now in `top`, under names of ours."""
    os.chmod(path, stat.S_IRWXU)  # noqa: PTH101 - os.scandir gives a str
    moved = []
    with os.scandir(path) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, stat.S_IRWXU)  # noqa: PTH101
            moved.append(os.fspath(top / f"gone-{uuid4().hex}"))
            os.rename(entry.path, moved[-1])  # noqa: PTH104
        else:
            os.unlink(entry.path)  # noqa: PTH108
    return moved


def _replace(path: Path, content: str) -> None:
    """Old or new, never half; on the disk when this returns."""
    draft = path.with_name(f"{path.name}.lock")
    with draft.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def translated() -> Iterator[None]:
    """Errors of git and of the disk become WorkspaceError."""
    try:
        yield
    except GitError as error:
        raise WorkspaceError(str(error)) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise WorkspaceError(
                "The disk of the bot's machine is full. Free some space in its data folder, then ask again."
            ) from error
        raise WorkspaceError(
            f"The workspace cannot be used ({error.strerror}: {str(error.filename)[:SHOWN_PATH]}). "
            "Check the owner and the rights of the bot's data folder, then ask again."
        ) from error
