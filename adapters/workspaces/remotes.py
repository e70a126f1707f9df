"""Fetching and pushing: always by explicit URL and explicit commits, never by the name of a remote."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from adapters.git import Fault, Git, GitError, make_bare
from adapters.workspaces.outside import Outside
from adapters.workspaces.places import remove_folder
from core.model.errors import WorkspaceError
from core.ports import Remote

FETCH = ("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")

LOOSE_IN_A_FOLDER, PACKS = 27, 50
"""git's own gc.auto and gc.autoPackLimit."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a remote has: the base branch's name and commit, and the commit of the work's branch (empty: none).

    `origin` is where work on the branch begins: its own commit, else the base's; `tree` is what is in it.
    """

    base: str
    base_commit: str
    branch_commit: str
    tree: str

    @property
    def origin(self) -> str:
        return self.branch_commit or self.base_commit


def check_branch(name: str) -> str:
    """The name itself; WorkspaceError for one that git, or an argument list, could read as something else."""
    is_plain = re.fullmatch(r"[A-Za-z0-9_][\w.+#/-]*", name) and not re.search(r"\.\.|//|/\.|\./|@\{|\.$|/$", name)
    if not is_plain or any(part.endswith(".lock") for part in name.split("/")):
        raise WorkspaceError(f"{name!r} cannot be the name of a branch. Choose letters, digits, - and / only.")
    return name


class Lookout:
    """Fetches. It remembers where bases stood: a repository on this machine that has not moved is not asked again."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._bases: dict[tuple[Path, str, str], Seen] = {}

    async def look(self, git: Git, remote: Remote, base: str, branch: str, owner: str) -> Seen:
        """Both branches are in the store then. The base must be there, the branch need not."""
        check_branch(branch)
        base = check_branch(base or await _default_branch(self._outside, git, remote))
        place = (git.directory, remote.url, base)
        known = self._bases.get(place)
        if known is not None and await asyncio.to_thread(_still_stands, git.directory, remote.url, known, branch):
            return known
        seen = await _fetch(self._outside, git, remote, base, branch, owner)
        if remote.url.startswith("/") and not seen.branch_commit:
            self._bases[place] = seen
        return seen


def _still_stands(store: Path, url: str, known: Seen, branch: str) -> bool:
    """The base is where it was and the branch is not there, as plain files tell; False also when they do not."""
    bare = Path(url)
    try:
        tip = (bare / "refs" / "heads" / known.base).read_text().strip()
        packed = (bare / "packed-refs").read_text() if (bare / "packed-refs").exists() else ""
    except OSError:
        return False
    is_there = (bare / "refs" / "heads" / branch).exists() or f" refs/heads/{branch}\n" in packed
    return tip == known.base_commit and not is_there and (store / "HEAD").exists()


async def _fetch(outside: Outside, git: Git, remote: Remote, base: str, branch: str, owner: str) -> Seen:
    await asyncio.to_thread(_make_ready, git.directory, owner)
    ours, theirs = f"refs/base/{base}", f"refs/runs/{owner}/branch/{branch}"
    await outside.run(
        git,
        *FETCH,
        remote.url,
        f"+refs/heads/{base}:{ours}",
        f"+refs/heads/{branch}*:{theirs}*",  # a pattern: no error when it is not there
        remote=remote,
    )
    rows = await git.ask("for-each-ref", "--format=%(refname) %(objectname) %(tree)", ours, theirs)
    found = {name: (commit, tree) for name, commit, tree in (row.split(" ") for row in rows.splitlines())}
    base_commit, base_tree = found[ours]
    branch_commit, tree = found.get(theirs, ("", base_tree))
    return Seen(base, base_commit, branch_commit, tree)


def _make_ready(store: Path, owner: str) -> None:
    """The store is there, and locks are gone that a git left which was killed: nobody else writes here now."""
    make_bare(store, "none")
    folders = (store / "refs" / "base", store / "refs" / "runs" / owner)
    for lock in (store / "packed-refs.lock", *(lock for folder in folders for lock in folder.rglob("*.lock"))):
        lock.unlink(missing_ok=True)


async def _default_branch(outside: Outside, git: Git, remote: Remote) -> str:
    listed = (await outside.run(git, "ls-remote", "--quiet", "--symref", remote.url, "HEAD", remote=remote)).text
    found = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", listed, re.MULTILINE)
    if found is None:
        raise WorkspaceError(
            f"{remote.url} has no default branch yet. Push a first commit to it, or name the project's base branch, "
            "then ask again."
        )
    return found[1]


async def push(outside: Outside, git: Git, remote: Remote, commit: str, branch: str, known: str) -> bool:
    """False, and nothing is changed: the branch is no longer at `known` (empty: not there)."""
    lease = f"--force-with-lease=refs/heads/{branch}:{known}"
    target = f"{commit}:refs/heads/{branch}"
    try:
        words = ("push", "--porcelain", "--no-verify", "--no-signed", lease, remote.url, target)
        await outside.run(git, *words, remote=remote)
    except GitError as error:
        if error.fault is Fault.MOVED:
            return False
        raise
    return True


async def forget(git: Git, owner: str) -> None:
    """Drop what was kept for `owner`. References that git has not packed are plain files of ours."""
    if await asyncio.to_thread(_forget_files, git.directory, owner):
        return
    rows = await git.run("for-each-ref", "--format=delete %(refname)", f"refs/runs/{owner}")
    if rows.output:
        await git.run("update-ref", "--stdin", stdin=rows.output)


def _forget_files(store: Path, owner: str) -> bool:
    """False: some of them are packed, and git itself must drop those."""
    packed = store / "packed-refs"
    if packed.exists() and f" refs/runs/{owner}/" in packed.read_text():
        return False
    remove_folder(store / "refs" / "runs" / owner)
    return True


async def tidy(git: Git) -> None:
    """Housekeeping, when git itself would find that there is something to do: else it is not asked."""
    if await asyncio.to_thread(_is_untidy, git.directory):
        await git.run("gc", "--auto", "--quiet")


def _is_untidy(store: Path) -> bool:
    """As `git gc --auto` guesses: of 6,700 loose objects about 27 are in each of 256 folders; or 50 packs."""
    loose, packs = store / "objects" / "17", store / "objects" / "pack"
    count = sum(1 for _ in loose.iterdir()) if loose.is_dir() else 0
    return count >= LOOSE_IN_A_FOLDER or sum(1 for _ in packs.glob("*.pack")) >= PACKS
