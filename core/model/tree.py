"""What a publish would put on a branch: the tree, and each path in which it differs from what is published there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathChange:
    """`mode` and `old_mode` are git's, `000000`: not there; `blob` and `old_blob` its names of the contents.

    A rename is two of these. `path`: bytes that are no UTF-8 stand as surrogates. `size` in bytes. `added`: the lines
    that are new, of a binary too, without NULs. `target`: of a symlink, where it points.
    """

    path: str
    mode: str = "100644"
    old_mode: str = "000000"
    blob: str = ""
    old_blob: str = ""
    size: int = 0
    is_binary: bool = False
    added: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Staged:
    """`tree` is git's name for all that would be published. `is_cut`: there was more new text than is read."""

    tree: str
    changes: tuple[PathChange, ...] = ()
    is_cut: bool = False
