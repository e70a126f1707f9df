"""The port Workspaces: prepare, diff, publish, discard. What changed is asked of git by us, never of the agent."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

from adapters.git import Git, Identity, MergeConflictError, is_ancestor, merge_base, merge_trees
from adapters.straight import NoCircuits
from adapters.system import Ended
from adapters.workspaces import guest, remotes, staged
from adapters.workspaces.outside import Outside
from adapters.workspaces.places import Meta, Place, check_run, fingerprint, place, remove_folder, translated
from core.model.errors import WorkspaceError, WorkspaceMoved
from core.model.tree import Staged
from core.model.work import Change, Checkout, FileChange, Project, ProjectKey, RunId
from core.ports import Circuits, Clock, CommitMessage, Remote

PUSH_TRIES = 3
"""Between two of them someone else has pushed to the same branch."""

VIEW = "view"
"""Owns what was fetched to be looked at alone."""

DIFF = ("--no-color", "--no-ext-diff", "--no-textconv", "-M")


class GitWorkspaces:
    """`data` is the bot's data folder."""

    def __init__(self, data: Path, clock: Clock, circuits: Circuits | None = None) -> None:
        self._data = Path(os.path.normpath(data.absolute()))
        self._clock = clock
        self._outside = Outside(circuits or NoCircuits())
        self._lookout = remotes.Lookout(self._outside)
        self._projects: defaultdict[ProjectKey, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._runs: WeakValueDictionary[RunId, asyncio.Lock] = WeakValueDictionary()

    async def prepare(self, run: RunId, project: Project, branch: str, remote: Remote) -> Checkout:
        async with self._alone(project.key, run) as here:
            meta = await asyncio.to_thread(here.read)
            if meta is None:
                meta = await self._check_out(here, run, project, branch, remote)
            return here.checkout(meta)

    async def diff(self, checkout: Checkout) -> str:
        """Also while the agent works: it looks through a view and an index of its own and takes nothing away."""
        async with self._alone(checkout.project, checkout.run) as here:
            meta = await self._meta(here)
            async with self._looked(here) as git:
                return _words(await git.run("diff", "--cached", *DIFF, meta.start))

    async def branch_diff(self, project: Project, branch: str, remote: Remote) -> str:
        git = Git(place(self._data, project.key, RunId(VIEW)).store)
        with translated():
            async with self._projects[project.key]:
                seen = await self._lookout.look(git, remote, project.base, branch, VIEW)
            if not seen.branch_commit:
                raise WorkspaceError(f"There is no branch {branch} in {remote.url}. Run the task first.")
            start = await merge_base(git, seen.base_commit, seen.branch_commit)
            return _words(await git.run("diff", *DIFF, start, seen.branch_commit))

    async def staged(self, checkout: Checkout) -> Staged:
        async with self._alone(checkout.project, checkout.run) as here:
            meta = await self._meta(here)
            return await staged.look(here.git, meta.published, await self._stage(here))

    async def staged_diff(self, checkout: Checkout, tree: str, paths: Sequence[str]) -> str:
        async with self._alone(checkout.project, checkout.run) as here:
            meta = await self._meta(here)
            return await staged.diff(here.git, meta.published, tree, paths)

    async def publish(
        self,
        checkout: Checkout,
        message: CommitMessage,
        remote: Remote,
        *,
        tree: str = "",
        without: Sequence[str] = (),
    ) -> Change | None:
        async with self._alone(checkout.project, checkout.run) as here:
            meta = await self._meta(here)
            committed = await self._commit(here, meta, message, tree, without)
            if committed.is_published:
                return await self._change(here, committed) if committed.said == fingerprint(message) else None
            published = await self._push(here, committed, remote)
            return await self._change(here, published)

    async def discard(self, run: RunId) -> None:
        for folder in await self._folders(check_run(run)):
            async with self._alone(ProjectKey(folder.parent.parent.name), run) as here:
                await asyncio.to_thread(remove_folder, here.run)
                async with self._projects[ProjectKey(here.project.name)]:
                    await remotes.forget(Git(here.store), run)
                    await remotes.tidy(Git(here.store))

    async def kept(self) -> list[RunId]:
        return [RunId(each.name) for each in await self._folders("*")]

    async def has_unpublished(self, run: RunId) -> bool:
        for folder in await self._folders(check_run(run)):
            async with self._alone(ProjectKey(folder.parent.parent.name), run) as here:
                meta = await asyncio.to_thread(here.read)
                if meta is not None and (not meta.is_published or await self._tree(here) != meta.tree):
                    return True
        return False

    async def tidy(self) -> None:
        for store in await asyncio.to_thread(lambda: list(self._data.glob("workspaces/*/git"))):
            with translated():
                async with self._projects[ProjectKey(store.parent.name)]:
                    await remotes.forget(Git(store), VIEW)
                    await remotes.tidy(Git(store))

    async def _folders(self, run: str) -> list[Path]:
        return await asyncio.to_thread(lambda: list(self._data.glob(f"workspaces/*/runs/{run}")))

    async def _tree(self, here: Place) -> str:
        """What would be committed now; the run's own index is not touched."""
        async with self._looked(here) as git:
            return await git.ask("write-tree")

    @asynccontextmanager
    async def _looked(self, here: Place) -> AsyncIterator[Git]:
        """Everything is in the index of a view, also while the agent works."""
        try:
            await asyncio.to_thread(guest.lay_view, here)
            git = await asyncio.to_thread(here.look)
            await git.run("add", "--all", "--ignore-errors", accept=(0, 1))
            yield git
        finally:
            await asyncio.to_thread(remove_folder, here.view)

    @asynccontextmanager
    async def _alone(self, project: ProjectKey, run: RunId) -> AsyncIterator[Place]:
        """One thing at a time for a run; its errors are WorkspaceErrors."""
        here = place(self._data, project, run)
        lock = self._runs.setdefault(run, asyncio.Lock())
        with translated():
            async with lock:
                yield here

    async def _meta(self, here: Place) -> Meta:
        meta = await asyncio.to_thread(here.read)
        if meta is None:
            raise WorkspaceError("The workspace of this run is gone. What was published is on its branch; ask again.")
        return meta

    async def _check_out(self, here: Place, run: RunId, project: Project, branch: str, remote: Remote) -> Meta:
        await asyncio.to_thread(here.begin)
        async with self._projects[project.key]:
            seen = await self._lookout.look(Git(here.store), remote, project.base, branch, run)
        origin = seen.origin
        start = await merge_base(here.git, seen.base_commit, origin) if seen.branch_commit else origin
        await here.git.run("read-tree", "-u", "--reset", origin)
        meta = Meta(run, project.key, branch, seen.base, origin, origin, seen.tree, start, seen.branch_commit)
        await asyncio.to_thread(guest.write_git, here, meta)
        await _leave_links_alone(here)
        await asyncio.to_thread(here.write, meta)
        return meta

    async def _stage(self, here: Place) -> str:
        """The tree as it is; git's name for it."""
        await asyncio.to_thread(guest.remove_nested_git, here.tree)
        await here.git.run("add", "--all")
        return await here.git.ask("write-tree")

    async def _commit(
        self, here: Place, meta: Meta, message: CommitMessage, wanted: str, without: Sequence[str]
    ) -> Meta:
        """The tree as it is, on top of the run's line. It is noted before it is pushed.

        What is left out must not be in a commit below either: one that was not pushed is taken out of the line.
        """
        tree = await self._stage(here)
        if wanted and tree != wanted:
            raise WorkspaceMoved("The files of this run have changed meanwhile. Ask again.")
        if without:
            tree = await staged.without(here.git, meta.published, tree, without)
        if tree == meta.tree:
            return meta
        if without and tree == await here.git.ask("rev-parse", f"{meta.published}^{{tree}}"):
            emptied = replace(meta, head=meta.published, tree=tree, said="")
            await asyncio.to_thread(here.write, emptied)
            return emptied
        head = await self._write_commit(here, tree, (meta.published if without else meta.head,), message)
        committed = replace(meta, head=head, tree=tree, said=fingerprint(message))
        await asyncio.to_thread(here.write, committed)
        return committed

    async def _write_commit(self, here: Place, tree: str, parents: tuple[str, ...], message: CommitMessage) -> str:
        who = Identity(message.author, self._clock.now(), message.email)
        given = [word for parent in parents for word in ("-p", parent)]
        return await here.git.ask(
            "commit-tree", tree, *given, "-F", "-", stdin=_message(message), environment=who.environment()
        )

    async def _push(self, here: Place, meta: Meta, remote: Remote) -> Meta:
        for _ in range(PUSH_TRIES):
            if await remotes.push(self._outside, here.git, remote, meta.head, meta.branch, meta.remote):
                published = replace(meta, remote=meta.head)
                await asyncio.to_thread(here.write, published)
                return published
            meta = await self._take_in(here, meta, remote)
            if meta.is_published:
                return meta
        raise WorkspaceError(
            f"Others keep pushing to {meta.branch}. The commit is kept in the workspace; ask again when it is calm."
        )

    async def _take_in(self, here: Place, meta: Meta, remote: Remote) -> Meta:
        """What someone else has pushed to the branch becomes part of the run's line and of its tree.

        The tree first, then the note: cut between them, the next publish finds their changes in the tree as well as
        on the branch, and merges the two without a conflict.
        """
        async with self._projects[meta.project]:
            seen = await self._lookout.look(Git(here.store), remote, meta.base, meta.branch, meta.run)
        if not seen.branch_commit:
            return replace(meta, remote="")
        head, tree = await self._joined(here, meta, seen, remote)
        await here.git.run("read-tree", "-m", "-u", meta.head, head)
        await _leave_links_alone(here)
        start = await merge_base(here.git, seen.base_commit, head)
        joined = replace(meta, head=head, tree=tree, remote=seen.branch_commit, start=start)
        await asyncio.to_thread(here.write, joined)
        return joined

    async def _joined(self, here: Place, meta: Meta, seen: remotes.Seen, remote: Remote) -> tuple[str, str]:
        """A commit that has both, and its tree."""
        theirs = seen.branch_commit
        if await is_ancestor(here.git, meta.head, theirs):
            return theirs, seen.tree
        try:
            tree = await merge_trees(here.git, meta.head, theirs)
        except MergeConflictError as conflict:
            aside = f"{meta.branch}-{meta.head[:8]}"
            await remotes.push(self._outside, here.git, remote, meta.head, aside, "")
            raise WorkspaceError(
                f"Someone pushed to {meta.branch} meanwhile, and it conflicts with this run in {conflict}. "
                f"Nothing is lost: this run's commit is on the branch {aside}. Merge the two by hand, then ask again."
            ) from conflict
        words = CommitMessage(f"Merge what was pushed to {meta.branch} meanwhile"[:72], "")
        return await self._write_commit(here, tree, (meta.head, theirs), words), tree

    async def _change(self, here: Place, meta: Meta) -> Change:
        counted = await here.git.run("diff-tree", "-r", "-M", "-z", "--numstat", meta.start, meta.head)
        return Change(meta.head, meta.branch, meta.base, _files(counted.text))


async def _leave_links_alone(here: Place) -> None:
    """Then git never looks into a folder that it knows as a submodule: what is in there is the agent's."""
    if not await asyncio.to_thread(guest.may_hold_links, here):
        return
    rows = (await here.git.run("ls-files", "--stage", "-z")).output.split(b"\0")
    links = [row.partition(b"\t")[2] for row in rows if row.startswith(b"160000 ")]
    if links:
        await here.git.run("update-index", "--skip-worktree", "-z", "--stdin", stdin=b"\0".join(links) + b"\0")


def _message(message: CommitMessage) -> bytes:
    subject = " ".join(message.subject.split()) or "Change"
    trailers = "\n".join(" ".join(line.split()) for line in message.trailers)
    parts = (subject, message.description.strip(), trailers)
    return ("\n\n".join(part for part in parts if part) + "\n").replace("\0", "").encode(errors="replace")


def _files(counted: str) -> tuple[FileChange, ...]:
    """`added TAB removed TAB path NUL`; for a rename the path is empty and two more fields follow: old, new."""
    fields = iter(counted.split("\0"))
    found = []
    for field in fields:
        if not field:
            continue
        added, removed, path = field.split("\t", 2)
        if not path:
            next(fields)
            path = next(fields)
        found.append(FileChange(path, _count(added), _count(removed)))
    return tuple(found)


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


def _words(ended: Ended) -> str:
    return ended.text + ("\n… the rest of the diff is not shown: it is too long\n" if ended.is_cut else "")
