"""What a publish would change on the branch, path by path, as git tells it from two trees alone.

Asked over the private git directory without a working tree, so that no attribute of the checkout hides anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

from adapters.git import Git
from core.model.tree import PathChange, Staged

RAW = ("diff-tree", "-r", "--no-renames", "-z", "--raw", "--numstat", "--no-abbrev", "--ignore-submodules=none")
TEXT = (
    "diff-tree",
    "-r",
    "-p",
    "--no-renames",
    "--text",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--full-index",
)
MOST_SHOWN = 400
"""Paths that are asked for by name at once: more might not fit into an argument list."""

GONE, SYMLINK, SUBMODULE = "000000", "120000", "160000"


async def look(git: Git, published: str, tree: str) -> Staged:
    """`published`: the commit or tree that the branch is at. Nothing is left out for being binary or attributed."""
    bare = Git(git.directory)
    raw = (await bare.run(*RAW, published, tree)).output
    changes = _raw(raw)
    if not changes:
        return Staged(tree)
    sizes = await _sizes(bare, changes)
    ended = await bare.run(*TEXT, "--unified=0", published, tree)
    added = _added(ended.output)
    return Staged(
        tree,
        tuple(_filled(each, sizes, added.get((each.old_blob, each.blob), [])) for each in changes),
        is_cut=ended.is_cut,
    )


async def diff(git: Git, published: str, tree: str, paths: Sequence[str]) -> str:
    """Of these paths alone."""
    words = ("--unified=3", published, tree, "--", *(f":(literal){each}" for each in paths[:MOST_SHOWN]))
    return (await Git(git.directory).run(*TEXT, *words)).text


async def without(git: Git, published: str, tree: str, paths: Sequence[str]) -> str:
    """The tree with these paths as they are published; made in an index of its own."""
    scratch = Git(git.directory, index=(git.index or git.directory).with_name("index.part"))
    await scratch.run("read-tree", tree)
    changes = {each.path: each for each in _raw((await scratch.run(*RAW, published, tree)).output)}
    rows = b""
    for path in paths:
        was = changes[path]
        blob = was.old_blob if was.old_mode != GONE else "0" * len(was.old_blob)
        mode = was.old_mode if was.old_mode != GONE else "0"
        rows += f"{mode} {blob}\t".encode() + os.fsencode(path) + b"\0"
    await scratch.run("update-index", "-z", "--index-info", stdin=rows)
    return await scratch.ask("write-tree")


def _raw(output: bytes) -> list[PathChange]:
    """`:old_mode new_mode old new status NUL path NUL`, and after all of these `added TAB removed TAB path NUL`."""
    fields = iter(output.split(b"\0"))
    found: dict[bytes, PathChange] = {}
    for field in fields:
        if field.startswith(b":"):
            old_mode, mode, old_blob, blob, _ = field[1:].decode().split(" ")
            path = next(fields)
            found[path] = PathChange(os.fsdecode(path), mode, old_mode, blob, old_blob)
        elif field:
            added, _, path = field.split(b"\t", 2)
            found[path] = replace(found[path], is_binary=added == b"-")
    return list(found.values())


async def _sizes(git: Git, changes: Sequence[PathChange]) -> dict[str, int]:
    blobs = sorted({each.blob for each in changes if each.mode not in {GONE, SUBMODULE}})
    if not blobs:
        return {}
    listed = await git.ask("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin="\n".join(blobs).encode())
    return {name: int(size) for name, size in (row.split(" ") for row in listed.splitlines())}


def _added(output: bytes) -> dict[tuple[str, str], list[str]]:
    """The lines with a plus, under the names of both contents."""
    found: dict[tuple[str, str], list[str]] = {}
    here: list[str] = []
    is_head = True
    for line in output.split(b"\n"):
        if line.startswith(b"diff --git "):
            is_head, here = True, []
        elif is_head and (index := re.match(rb"index ([0-9a-f]+)\.\.([0-9a-f]+)", line)):
            here = found.setdefault((index[1].decode(), index[2].decode()), [])
        elif line.startswith(b"@@"):
            is_head = False
        elif not is_head and line.startswith(b"+"):
            here.append(line[1:].replace(b"\0", b"").decode(errors="replace"))
    return found


def _filled(change: PathChange, sizes: dict[str, int], added: Sequence[str]) -> PathChange:
    text = "\n".join(added)
    target = text if change.mode == SYMLINK else ""
    return replace(change, size=sizes.get(change.blob, 0), added=text, target=target)
