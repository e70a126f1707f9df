"""git for the adapters that need it: never a shell string, never a stranger's configuration, failures told apart."""

from __future__ import annotations

from adapters.git.bare import make_bare
from adapters.git.faults import Fault, GitError
from adapters.git.merge import EMPTY_TREE, MergeConflictError, is_ancestor, merge_base, merge_trees
from adapters.git.process import LOCAL_SECONDS, REMOTE_SECONDS, Git, Identity

__all__ = [
    "EMPTY_TREE",
    "LOCAL_SECONDS",
    "REMOTE_SECONDS",
    "Fault",
    "Git",
    "GitError",
    "Identity",
    "MergeConflictError",
    "is_ancestor",
    "make_bare",
    "merge_base",
    "merge_trees",
]
