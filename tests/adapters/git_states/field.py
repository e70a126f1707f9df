"""One state after the other: planted in a real checkout, gone over by the bot, and by a git as people use it."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.system import SystemClock
from adapters.workspaces import GitWorkspaces
from adapters.workspaces.guest import GIT_NAME
from core.model.work import Project, ProjectKey, RepoRef, RunId
from core.ports import CommitMessage, Remote
from tests import repositories
from tests.adapters.git_states.bait import Bait
from tests.adapters.git_states.table import State
from tests.fakes.git_http import GitHttp

BRANCH = "task/DEMO-1"
PROJECT = Project(ProjectKey("DEMO"), "Demo", RepoRef("local"), "main")
Tree = dict[str, tuple[str, bytes]]
"""Mode and content of each path; of a symlink where it points, of a submodule nothing."""
SECONDS = 10

HABITS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("diff",),
    ("add", "--all"),
    ("commit", "--message", "x"),
    ("publish",),
    ("log", "-1", "-p"),
    ("fetch", "origin"),
    ("push", "origin", "HEAD:refs/heads/task/DEMO-1"),
    ("push", "origin"),
    ("push",),
)
"""Up to a push."""
FURTHER: tuple[tuple[str, ...], ...] = (
    ("commit", "--amend", "--no-edit"),
    ("commit", "--amend"),
    ("difftool", "--no-prompt", "main"),
    ("submodule", "update", "--init"),
    ("interpret-trailers", "--trailer", "sign=x", "a.py"),
    ("merge", "--no-edit", "side"),
    ("rebase", "--interactive", "HEAD~1"),
    ("merge", "--no-edit", "clash"),
    ("merge", "--abort"),
    ("checkout", "--force", "--detach", "HEAD~1"),
    ("ls-remote", "ssh://git@127.0.0.1:1/x"),
    ("ls-remote", "git://127.0.0.1:1/x"),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a state. `harm` is empty where none was done."""

    state: State
    harm: str


class Field:
    """`origin` is bare; `server` serves it by HTTP to who brings the token. Its base has a submodule, `module`."""

    def __init__(self, folder: Path, server: GitHttp, port: int) -> None:
        self._folder, self._server, self._port = folder, server, port
        source = repositories.make_repository(folder / "source", {"a.py": "x = 1\n", "b.py": "y = 1\n"})
        head = repositories.git(source, "rev-parse", "HEAD")
        repositories.git(source, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
        repositories.git(source, "commit", "--quiet", "--message", "A submodule")
        self._source = source
        self._count = 0

    def _bare(self) -> Path:
        """Fresh for each state."""
        self._count += 1
        bare = self._server.folder / f"ada/demo{self._folder.name}-{self._count}.git"
        bare.parent.mkdir(parents=True, exist_ok=True)
        repositories.git(self._source, "clone", "--quiet", "--bare", ".", str(bare))
        repositories.git(bare, "config", "http.receivepack", "true")
        return bare

    def _bait(self, origin: str) -> Bait:
        return Bait(self._folder / f"bait{self._count}", self._port, origin)

    def _url(self, bare: Path, who: str = "") -> str:
        return f"{self._server.base}/ada/{bare.name}".replace("://", f"://{who}")

    # ---------------------------------------------------------------------------------------- the bot

    async def bot(self, state: State, *, by_http: bool, authorization: str) -> Told:
        """Everything that the bot does with a checkout."""
        bare = self._bare()
        bait, remote = self._bait(str(bare)), Remote(self._url(bare), authorization) if by_http else Remote(str(bare))
        workspaces, run = GitWorkspaces(self._folder / f"data{self._count}", SystemClock()), RunId("run-1")
        before = repositories.git(bare, "for-each-ref")
        checkout = await workspaces.prepare(run, PROJECT, BRANCH, remote)
        tree = self._evil(state, Path(checkout.path), bait)
        await workspaces.diff(checkout)
        change = await workspaces.publish(checkout, CommitMessage("Change", ""), remote)
        await workspaces.branch_diff(PROJECT, BRANCH, remote)
        await workspaces.prepare(run, PROJECT, BRANCH, remote)
        harm = self._harm(bait, bare, _found(tree), before)
        await workspaces.discard(run)
        return Told(state, harm or ("" if change else "nothing was published"))

    def _evil(self, state: State, tree: Path, bait: Bait) -> Path:
        repositories.git(tree, "remote", "add", "origin", bait.origin)
        state.plant(tree, bait)
        repositories.write(tree, {"a.py": "x = 2\n", "x.sh": "#!/bin/sh\n"})
        (tree / "x.sh").chmod(0o755)
        (tree / "link").symlink_to("a.py")
        bait.mark.unlink(missing_ok=True)  # an agent may run its own programs
        self._victim = bait.victim.read_bytes() if bait.victim.exists() else b""
        return tree

    def _harm(self, bait: Bait, bare: Path, wanted: Tree, before: str) -> str:
        """A program that ran, a push that went elsewhere, or another tree than the one that the agent left."""
        if left := self._left_by(bait):
            return left
        refs = [row for row in repositories.git(bare, "for-each-ref").splitlines() if row not in before]
        if [row.split("\t")[1] for row in refs] != [f"refs/heads/{BRANCH}"]:
            return f"pushed: {refs}"
        if (published := _published(bare)) != wanted:
            return f"another tree: {sorted(published.items() ^ wanted.items())[:3]}"
        if repositories.git(bare, "rev-parse", f"{BRANCH}~1") != repositories.git(bare, "rev-parse", "main"):
            return "another history"
        return ""

    def _tried(self, bait: Bait, tree: Path, habits: Sequence[tuple[str, ...]]) -> str:
        """Until one of them has done harm."""
        for words in habits:
            _try(tree, words)
            if bait.mark.exists():
                break
        return self._left_by(bait)

    def _left_by(self, bait: Bait) -> str:
        if bait.mark.exists():
            return f"ran: {bait.mark.read_text()[:200]}"
        if repositories.git(bait.thief, "for-each-ref"):
            return "a thief has it"
        victim = bait.victim.read_bytes() if bait.victim.exists() else b""
        return "" if victim == self._victim else "wrote to another file"

    # --------------------------------------------------------------------------------------- a naive git

    def naive(self, state: State, token: str, calls: Callable[[], int]) -> Told:
        """git as people use it, in the checkout itself, with the token in the address."""
        bare, tree = self._bare(), self._folder / "naive"
        bait = self._bait(str(bare) if state.by_path else self._url(bare, f"x-access-token:{token}@"))
        repositories.git(self._source, "clone", "--quiet", str(bare), str(tree))
        for branch, name in (("side", "side"), ("clash", "a.py")):
            repositories.git(tree, "checkout", "--quiet", "-b", branch, "main")
            repositories.commit(tree, {name: "other\n"}, "Other")
        repositories.git(tree, "checkout", "--quiet", "-b", BRANCH, "main")
        repositories.git(tree, "remote", "remove", "origin")
        before = repositories.git(bare, "for-each-ref")
        self._evil(state, tree, bait)
        wanted = _found(tree)
        harm = self._tried(bait, tree, HABITS) or self._harm(bait, bare, wanted, before) or _shown(bare, tree)
        harm = harm or self._tried(bait, tree, (*FURTHER, ("ls-remote", self._url(bare))))
        if not harm:
            _try(bare, ("push", f"{tree}/.git", "main:refs/heads/pushed", "main:refs/heads/side"))
            harm = self._left_by(bait)
        return Told(state, harm or ("called" if calls() else ""))


def _shown(bare: Path, tree: Path) -> str:
    """Whoever looks in the checkout what the push has changed sees something else than that."""
    words = ("log", "-p", "--no-ext-diff", "--no-textconv", "--format=%s", BRANCH, "--")
    env = {**repositories.ENVIRONMENT, "GIT_OPTIONAL_LOCKS": "0"}
    looks = [
        subprocess.run(["git", "-C", each, *words], check=False, capture_output=True, env=env) for each in (bare, tree)
    ]
    return "" if looks[0].stdout == looks[1].stdout else "shows another change"


def _try(folder: Path, words: tuple[str, ...]) -> None:
    """At a terminal, as a person sits at one; what it says is nobody's concern."""
    main, side = pty.openpty()
    try:
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["git", *words],
                cwd=folder,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=side if words[0] == "log" else subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                env={**repositories.ENVIRONMENT, "GIT_TERMINAL_PROMPT": "0", "TERM": "dumb"},
            )
    finally:
        os.close(main)
        os.close(side)


def _published(bare: Path) -> Tree:
    modes, contents = repositories.modes_on(bare, BRANCH), repositories.files_on(bare, BRANCH)
    return {name: (mode, contents.get(name, b"")) for name, mode in modes.items()}


def _found(tree: Path) -> Tree:
    """What is in the folder, by plain looks: what should be published of it."""
    found = {"module": ("160000", b"")}
    for folder, folders, names in os.walk(tree):
        folders[:] = [
            name for name in folders if not GIT_NAME.fullmatch(name) and (Path(folder) / name) != tree / "module"
        ]
        for name in [*names, *(each for each in folders if (Path(folder) / each).is_symlink())]:
            path = Path(folder) / name
            if GIT_NAME.fullmatch(name) or path.is_fifo():
                continue
            if path.is_symlink():
                found[str(path.relative_to(tree))] = ("120000", os.fsencode(path.readlink()))
            else:
                mode = "100755" if path.stat().st_mode & 0o100 else "100644"
                found[str(path.relative_to(tree))] = (mode, path.read_bytes())
    return found
