"""Which paths of a checkout an agent may read but not change: what other programs would run, later and elsewhere.

The configuration of agents and editors, CI workflows and git hooks are shown read-only where they are. What is not
there yet cannot be held so without placing things in the checkout; a new one is caught by the guard over the diff
before anything is published, as are those deeper in the tree. `sandbox.writable` opens them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

AGENT_CONFIGURATION = (
    ".aider.conf.yml",
    ".amazonq",
    ".augment",
    ".claude",
    ".clinerules",
    ".codex",
    ".continue",
    ".cursor",
    ".cursorrules",
    ".gemini",
    ".github/copilot-instructions.md",
    ".goose",
    ".junie",
    ".kiro",
    ".mcp.json",
    ".opencode",
    ".roo",
    ".windsurf",
    "opencode.json",
)
EDITOR_CONFIGURATION = (".devcontainer", ".devcontainer.json", ".envrc", ".idea", ".vscode", ".zed")
WORKFLOWS = (
    ".buildkite",
    ".ci",
    ".circleci",
    ".cirrus.yml",
    ".drone.yml",
    ".forgejo/workflows",
    ".gitea/workflows",
    ".github/actions",
    ".github/workflows",
    ".gitlab-ci.yml",
    ".travis.yml",
    ".woodpecker",
    ".woodpecker.yml",
    "Jenkinsfile",
    "appveyor.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "cloudbuild.yaml",
)
HOOKS = (
    ".githooks",
    ".gitmodules",
    ".husky",
    ".lefthook.yml",
    ".pre-commit-config.yaml",
    "lefthook.yml",
)
OWN_GIT = (".git/config", ".git/config.worktree", ".git/hooks")
"""Of the agent's throw-away repository, which only the agent itself ever opens: what one turn leaves there is not run
in the next. Commits, branches, the index and the stash are its own to write.
"""

GUARDED = (*AGENT_CONFIGURATION, *EDITOR_CONFIGURATION, *WORKFLOWS, *HOOKS, *OWN_GIT)


@dataclass(frozen=True, slots=True)
class Guard:
    """A path that is there. `mark` is which file it is, by device and inode: what is shown must still be that one."""

    path: str
    mark: str
    is_writable: bool = False
    """Bound only so that it cannot be moved away with what is guarded below it."""


def find_guards(tree: str, opened: Sequence[str] = ()) -> list[Guard]:
    """Parents before what is below them. A link is left as it is: what it leads to is guarded under its own name."""
    found: dict[str, Guard] = {}
    for name in GUARDED:
        if is_opened(name, opened):
            continue
        parents = _parents(name)
        chain = [*((parent, True) for parent in parents), (name, False)]
        guards = [_look(tree, path, is_writable=is_writable) for path, is_writable in chain]
        for guard in guards if all(guards) else ():
            assert guard is not None
            if guard.path not in found:
                found[guard.path] = guard
    return list(found.values())


def is_opened(name: str, opened: Iterable[str]) -> bool:
    """`.github/workflows/**` opens the folder; a pattern that names a part of a folder opens all of it."""
    return any(
        fnmatchcase(name, pattern.removesuffix("/**").rstrip("/")) or pattern.startswith(f"{name}/")
        for pattern in opened
    )


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _look(tree: str, name: str, *, is_writable: bool) -> Guard | None:
    path = f"{tree}/{name}"
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return None
    return Guard(path, f"{found.st_dev}:{found.st_ino}:{path}", is_writable)
