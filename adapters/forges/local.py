"""The local forge: bare repositories in the data folder, their pull requests in the store. It needs no account.

Whoever has access to the machine can clone, fetch and push there; a project made from a repository on this machine
works on a copy of its branches, and never writes to that repository.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog

from adapters.git import Fault, Git, GitError, Identity, MergeConflictError, is_ancestor, make_bare, merge_trees
from core.model.errors import BadAsk, ForgeError
from core.model.work import Project, ProjectKey, PullRequest, PullState, RepoRef
from core.ports import PullDraft, Pulls, Remote

NEW_BASE = "main"
"""Of a repository that the forge makes itself."""

AUTHOR = "Patchbay"

log = structlog.get_logger(__name__)


class Local:
    """`data`: the bot's data folder; `pulls`: where the pull requests are kept."""

    name = "local"

    def __init__(self, data: Path, pulls: Pulls) -> None:
        self._data = Path(os.path.normpath(data.absolute()))
        self._pulls = pulls
        self._locks: defaultdict[ProjectKey, asyncio.Lock] = defaultdict(asyncio.Lock)

    def parse(self, text: str) -> RepoRef | None:
        """Empty: a new repository. A path begins with `/`, `./`, `../` or `~`; it is looked at, nothing is run."""
        words = text.strip()
        if not words:
            return RepoRef(self.name)
        if not re.match(r"/|~|\.{1,2}(/|$)", words):
            return None
        if not re.fullmatch(r"[\w./@+~=, -]+", words):
            raise BadAsk("A path may hold letters, digits, spaces and . / @ + ~ = , - _ only. Rename the folder.")
        path = Path(os.path.realpath(os.path.expanduser(words)))  # noqa: PTH111 - Path.expanduser raises for `~nobody`
        if path.is_relative_to(os.path.realpath(self._data)):
            raise BadAsk("That folder belongs to the bot itself. Give a repository of yours.")
        if not _is_repository(path):
            raise BadAsk(f"{path} is not a git repository on the bot's machine. Give the top folder of one.")
        return RepoRef(self.name, str(path))

    async def ensure(self, project: Project) -> str:
        async with self._locks[project.key]:
            with _translated():
                bare = self._bare(project.key)
                await asyncio.to_thread(self._set_aside_other, bare, project.repo.path)
                if not await asyncio.to_thread(bare.exists):
                    await self._make(project, bare)
                elif project.repo.path:
                    await self._follow(project, bare)
                return await self._base(project, bare)

    def remote(self, project: Project) -> Remote:
        return Remote(str(self._bare(project.key)))

    async def open_pull_request(self, project: Project, draft: PullDraft) -> PullRequest:
        bare = self._bare(project.key)
        with _translated():
            await _tip(bare, draft.branch)
        return await self._pulls.add_pull(project.key, draft, f"{bare}#{{number}}")

    async def pull_request(self, project: Project, number: int) -> PullRequest:
        """One whose commits are on the base already, by whatever hand, is merged."""
        pull = await self._pulls.pull(project.key, number)
        if pull is None:
            raise ForgeError(f"{project.key} has no pull request #{number}. /pr shows those there are.")
        if pull.state is not PullState.OPEN:
            return pull
        with _translated():
            return await self._settled(project, pull) or pull

    async def merge(self, project: Project, number: int) -> PullRequest:
        async with self._locks[project.key]:
            pull = await self.pull_request(project, number)
            if pull.state is PullState.MERGED:
                return pull
            if pull.state is PullState.CLOSED:
                raise ForgeError(f"Pull request #{number} is closed. Run the task again to open a new one.")
            with _translated():
                await self._merge(self._bare(project.key), pull)
            return await self._pulls.put_pull_state(project.key, number, PullState.MERGED)

    def _bare(self, key: ProjectKey) -> Path:
        if not re.fullmatch(r"[A-Z][A-Z0-9]{0,15}", key):
            raise ForgeError(f"{key!r} is not a project's key. It is 2-10 of A-Z and 0-9, a letter first.")
        return self._data / "forge" / f"{key}.git"

    # ------------------------------------------------------------------------------ making and following

    async def _make(self, project: Project, bare: Path) -> None:
        """Made beside its place and then moved there: it is whole, or not there."""
        draft = await asyncio.to_thread(_draft, bare)
        try:
            if project.repo.path:
                head = await self._copy(project, draft)
            else:
                head = project.base or NEW_BASE
                await _begin(draft, project, head)
            await asyncio.to_thread(_finish, draft, bare, head, project.repo.path)
        finally:
            await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)

    async def _copy(self, project: Project, draft: Path) -> str:
        """All branches of the source; returns the one its HEAD names. Its hooks and its configuration do nothing."""
        source = Remote(project.repo.path)
        git = Git(draft, global_config=await asyncio.to_thread(_trust, self._data / "forge"))
        listed = (await git.run("ls-remote", "--quiet", "--symref", source.url, "HEAD", remote=source)).text
        named = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", listed, re.MULTILINE)
        if named is None:
            raise ForgeError(f"{source.url} has no commit yet, or no branch checked out. Commit something there first.")
        await git.run("fetch", "--quiet", "--no-tags", source.url, "+refs/heads/*:refs/heads/*", remote=source)
        return project.base or named[1]

    async def _follow(self, project: Project, bare: Path) -> None:
        """What is new on the source's base comes over, unless the two have gone different ways or it is gone."""
        source = Remote(project.repo.path)
        base = f"refs/heads/{await self._base(project, bare)}"
        git = Git(bare, global_config=await asyncio.to_thread(_trust, self._data / "forge"))
        try:
            await git.run("fetch", "--no-tags", source.url, f"{base}:{base}", remote=source)  # --quiet hides a refusal
        except GitError as error:
            if error.fault not in {Fault.MOVED, Fault.NOT_FOUND, Fault.NO_BRANCH}:
                raise
            log.info("forge.not_followed", project=project.key, source=source.url, reason=error.fault.value)

    def _set_aside_other(self, bare: Path, source: str) -> None:
        """A project that was given another repository begins anew; what was here stays beside it."""
        if bare.exists() and _source(bare).read_text() != source:
            at = datetime.now(UTC)
            bare.rename(bare.with_name(f"{bare.stem}-until-{at:%Y%m%d-%H%M%S-%f}.git"))

    async def _base(self, project: Project, bare: Path) -> str:
        base = project.base or await Git(bare).ask("symbolic-ref", "--short", "HEAD")
        if not await asyncio.to_thread(_stands, bare, base):
            await _tip(bare, base)
        return base

    # ------------------------------------------------------------------------------ pull requests

    async def _settled(self, project: Project, pull: PullRequest) -> PullRequest | None:
        bare = self._bare(project.key)
        base, head = await _find(bare, pull.base), await _find(bare, pull.branch)
        if not (base and head and await is_ancestor(Git(bare), head, base)):
            return None
        return await self._pulls.put_pull_state(project.key, pull.number, PullState.MERGED)

    async def _merge(self, bare: Path, pull: PullRequest) -> None:
        git = Git(bare)
        base, head = await _tip(bare, pull.base), await _tip(bare, pull.branch)
        try:
            tree = await merge_trees(git, base, head)
        except MergeConflictError as conflict:
            raise ForgeError(
                f"Pull request #{pull.number} conflicts with {pull.base} in {conflict}. Nothing was changed. "
                f"Ask for a run that merges {pull.base}, or merge {pull.branch} by hand."
            ) from conflict
        who = Identity(AUTHOR, datetime.now(UTC))
        words = f"Merge pull request #{pull.number} from {pull.branch}\n\n{pull.title}\n".encode()
        merged = await git.ask(
            "commit-tree", tree, "-p", base, "-p", head, "-F", "-", stdin=words, environment=who.environment()
        )
        await git.run("update-ref", f"refs/heads/{pull.base}", merged, base)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except GitError as error:
        raise ForgeError(str(error)) from error
    except OSError as error:
        raise ForgeError(
            f"The local forge cannot be used ({error.strerror}: {error.filename}). "
            "Check the space and the rights in the bot's data folder, then ask again."
        ) from error


async def _find(bare: Path, branch: str) -> str:
    """The branch's commit; empty: there is no such branch."""
    found = await Git(bare).run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}", accept=(0, 1))
    return found.text.strip()


def _stands(bare: Path, branch: str) -> bool:
    """The branch is there, as a plain file tells; False also when only git can tell."""
    try:
        return re.fullmatch(r"[0-9a-f]{40,64}\n", (bare / "refs" / "heads" / branch).read_text()) is not None
    except OSError:
        return False


async def _tip(bare: Path, branch: str) -> str:
    if commit := await _find(bare, branch):
        return commit
    raise ForgeError(f"There is no branch {branch!r} in {bare}. Check its name, or run the task again.")


async def _begin(bare: Path, project: Project, branch: str) -> None:
    """A first commit: a README that names the project."""
    git = Git(bare)
    readme = await git.ask("hash-object", "-w", "--stdin", stdin=f"# {' '.join(project.name.split())}\n".encode())
    tree = await git.ask("mktree", stdin=f"100644 blob {readme}\tREADME.md\n".encode())
    who = Identity(AUTHOR, datetime.now(UTC))
    commit = await git.ask("commit-tree", tree, "-m", "Begin", environment=who.environment())
    await git.run("update-ref", f"refs/heads/{branch}", commit)


def _is_repository(path: Path) -> bool:
    """Bare, with a `.git` folder, or a linked worktree, whose `.git` is a file."""
    parts = ("HEAD", "objects", "refs")
    found = [folder for folder in (path, path / ".git") if all((folder / name).exists() for name in parts)]
    return bool(found) or (path / ".git").is_file()


def _source(bare: Path) -> Path:
    return bare / "patchbay-source"


def _draft(bare: Path) -> Path:
    bare.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{bare.stem}-", dir=bare.parent))
    make_bare(draft, NEW_BASE)
    return draft


def _finish(draft: Path, bare: Path, head: str, source: str) -> None:
    (draft / "HEAD").write_text(f"ref: refs/heads/{head}\n")
    _source(draft).write_text(source)
    draft.rename(bare)


def _trust(folder: Path) -> Path:
    """For git, which refuses to read a repository of another owner unless told otherwise. It is only read."""
    path = folder / "trusted.gitconfig"
    if not path.exists():
        path.write_text("[safe]\n\tdirectory = *\n")
    return path
