"""Two commits become one tree, without a checkout of either."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from adapters.git.faults import Fault, GitError
from adapters.git.process import Git

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""git's name for a tree with nothing in it, in every SHA-1 repository."""


MERGE = ("merge-tree", "--write-tree", "--name-only", "-z", "--no-messages")


class MergeConflictError(Exception):
    """`paths`: the files that both sides changed in ways that do not go together."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(", ".join(paths))
        self.paths = paths


async def merge_base(git: Git, one: str, other: str) -> str:
    """The commit where they parted; the empty tree when they have nothing in common."""
    ended = await git.run("merge-base", one, other, accept=(0, 1))
    return ended.text.strip() or EMPTY_TREE


async def is_ancestor(git: Git, old: str, new: str) -> bool:
    return (await git.run("merge-base", "--is-ancestor", old, new, accept=(0, 1))).code == 0


async def merge_trees(git: Git, ours: str, theirs: str) -> str:
    """The merged tree. MergeConflictError."""
    try:
        ended = await git.run(*MERGE, ours, theirs, accept=(0, 1))
    except GitError as error:
        if error.fault is not Fault.OTHER:
            raise
        return await merge_by_index(git, ours, theirs)  # git before 2.38 knows no `--write-tree`
    tree, *paths = ended.text.rstrip("\0\n").split("\0")
    if ended.code:
        raise MergeConflictError(tuple(paths))
    return tree.strip()


async def merge_by_index(git: Git, ours: str, theirs: str) -> str:
    """The same for an older git: file by file, in an index and a folder that are thrown away."""
    base = await merge_base(git, ours, theirs)
    folder = await asyncio.to_thread(_folder, git.directory)
    try:
        side = Git(git.directory, tree=folder / "tree", index=folder / "index")
        await side.run("read-tree", "-i", "-m", "--aggressive", base, ours, theirs)
        await side.run("merge-index", "-o", "-q", "git-merge-one-file", "-a", accept=range(128))  # counts conflicts
        unmerged = (await side.run("ls-files", "--unmerged", "-z")).text
        if unmerged:
            raise MergeConflictError(tuple(sorted({row.partition("\t")[2] for row in unmerged.split("\0") if row})))
        return await side.ask("write-tree")
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _folder(directory: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="merge-", dir=directory))
    (folder / "tree").mkdir()
    return folder
