"""What of a tree is held back, and why: each changed path is judged by itself, wherever it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.guard.names import is_odd, plain
from core.guard.policy import GuardAction, GuardPolicy
from core.guard.rules import RULES, GuardClass, matcher
from core.model.tree import PathChange, Staged

EXECUTABLE, SYMLINK, SUBMODULE, GONE = "100755", "120000", "160000", "000000"


@dataclass(frozen=True, slots=True)
class Finding:
    """A path and the classes it falls in; `why` is for people. `action` is the strictest of them."""

    change: PathChange
    classes: tuple[GuardClass, ...]
    action: GuardAction

    @property
    def why(self) -> str:
        return ", ".join(_WORDS[each] for each in self.classes)


def judge(staged: Staged, policy: GuardPolicy, holds_secret: Callable[[str], bool]) -> tuple[Finding, ...]:
    """Those that are not simply allowed. `holds_secret` is asked about the added text of each, and about its name."""
    extra = matcher(policy.extra)
    found = []
    for change in staged.changes:
        classes = [each for each, rule in RULES.items() if rule.search(plain(change.path))]
        if extra.search(plain(change.path)):
            classes.append(GuardClass.EXTRA)
        classes += _by_kind(change, policy)
        if staged.is_cut and change.size and not change.added and GuardClass.BIG not in classes:
            classes.append(GuardClass.BIG)
        if holds_secret(change.added) or holds_secret(change.path):
            classes.append(GuardClass.SECRETS)
        held = tuple(each for each in classes if policy.action(each) is not GuardAction.ALLOW)
        if held:
            found.append(Finding(change, held, max((policy.action(each) for each in held), key=_STRICT.index)))
    return tuple(found)


def _by_kind(change: PathChange, policy: GuardPolicy) -> list[GuardClass]:
    """What its mode, its size and its name say."""
    is_there = change.mode != GONE
    signs = {
        GuardClass.SUBMODULES: SUBMODULE in {change.mode, change.old_mode},
        GuardClass.SYMLINKS: change.mode == SYMLINK and leaves(change.path, change.target),
        GuardClass.EXECUTABLES: change.mode == EXECUTABLE and change.old_mode not in {EXECUTABLE, GONE},
        GuardClass.BINARIES: is_there and change.is_binary and change.size > policy.binary_bytes,
        GuardClass.BIG: is_there and change.size > policy.big_bytes,
        GuardClass.NAMES: is_there and is_odd(change.path),
    }
    return [each for each, is_so in signs.items() if is_so]


def leaves(path: str, target: str) -> bool:
    """Whether a link may lead out of the tree, or into git's own folder. Links on its way are not looked at, so that
    a target which goes down and then up again may.
    """
    names = [each for each in target.replace("\\", "/").split("/") if each not in {"", "."}]
    ups = 0
    while ups < len(names) and names[ups] == "..":
        ups += 1
    is_absolute = target.startswith(("/", "\\", "~")) or ":" in target
    is_in_git = ".git" in plain("/".join(names)).split("/")
    return is_absolute or not names or ups > path.count("/") or ".." in names[ups:] or is_in_git


_STRICT = [GuardAction.ALLOW, GuardAction.ASK, GuardAction.EXPRESSLY, GuardAction.DENY]

_WORDS = {
    GuardClass.WORKFLOWS: "runs in a build service",
    GuardClass.LOCKS: "says which code of others is taken",
    GuardClass.HOOKS: "runs as a git hook",
    GuardClass.AGENTS: "configures an agent",
    GuardClass.EDITORS: "runs when the folder is opened",
    GuardClass.REPOSITORY: "changes how the repository is treated",
    GuardClass.SUBMODULES: "a submodule",
    GuardClass.SYMLINKS: "a link that leads out of the tree",
    GuardClass.EXECUTABLES: "becomes executable",
    GuardClass.BINARIES: "a large binary",
    GuardClass.BIG: "a large file",
    GuardClass.SECRETS: "**holds a secret**",
    GuardClass.NAMES: "a name that other systems read differently",
    GuardClass.EXTRA: "named in the bot's configuration",
}
