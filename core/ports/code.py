"""Where code lives, where it is worked on, and what holds an agent in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from core.model.events import Readiness
from core.model.tree import Staged
from core.model.work import (
    Change,
    Checkout,
    Project,
    PullRequest,
    RepoRef,
    RunId,
)


@dataclass(frozen=True, slots=True)
class Remote:
    """Where to fetch and push. `authorization`: the value of an HTTP header for that URL alone, or empty.

    `email`: of who commits there; empty: nobody's.
    """

    url: str
    authorization: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class PullDraft:
    """A pull request to be. `marker` names the run in the body, unseen by a reader."""

    branch: str
    base: str
    title: str
    body: str
    marker: str


class Forge(Protocol):
    """Where repositories and pull requests live."""

    @property
    def name(self) -> str: ...

    def parse(self, text: str) -> RepoRef | None:
        """Pure. What a person typed, as a repository of this forge; None: not one of ours. BadAsk: ours, but wrong."""

    async def ensure(self, project: Project) -> str:
        """The repository is there (a new local one is made); returns its base branch. ForgeError."""

    def remote(self, project: Project) -> Remote: ...

    async def open_pull_request(self, project: Project, draft: PullDraft) -> PullRequest:
        """Or the one already open for the branch. ForgeError."""

    async def pull_request(self, project: Project, number: int) -> PullRequest:
        """As it is now. ForgeError."""

    async def merge(self, project: Project, number: int) -> PullRequest:
        """Merged, once. ForgeError when it conflicts or is refused."""


@runtime_checkable
class Closing(Protocol):
    """A forge that holds sockets or threads."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CommitMessage:
    """`subject` up to 72 characters; `trailers` each one line, last in the message."""

    subject: str
    description: str
    trailers: tuple[str, ...] = ()
    author: str = "Patchbay"
    email: str = ""


class Workspaces(Protocol):
    """Checkouts of a project's code, one for each run. git is asked by us, over a private git directory."""

    async def prepare(self, run: RunId, project: Project, branch: str, remote: Remote) -> Checkout:
        """The checkout of this run on `branch`; the one that stands is kept with what is in it. WorkspaceError."""

    async def diff(self, checkout: Checkout) -> str:
        """What the checkout changes against its base, as a unified diff; empty: nothing."""

    async def branch_diff(self, project: Project, branch: str, remote: Remote) -> str:
        """What a published branch changes against the base."""

    async def staged(self, checkout: Checkout) -> Staged:
        """What a publish would change on the branch now. WorkspaceError."""

    async def staged_diff(self, checkout: Checkout, tree: str, paths: Sequence[str]) -> str:
        """Of these paths, from what is published to `tree`, a tree of `staged`, as a unified diff."""

    async def publish(
        self,
        checkout: Checkout,
        message: CommitMessage,
        remote: Remote,
        *,
        tree: str = "",
        without: Sequence[str] = (),
    ) -> Change | None:
        """Commit what changed and push the branch; None: nothing changed since the last publish of the branch.

        Doing it twice is doing it once. `tree`: this and nothing else; WorkspaceMoved when it is another by now.
        `without`: these paths stay as they are published, and as they are in the checkout. WorkspaceError.
        """

    async def discard(self, run: RunId) -> None:
        """Forget the checkout; no error when there is none."""


class Access(StrEnum):
    """What a sandboxed process may do with the workspace."""

    READ = "read"
    WRITE = "write"


class CommandWatch(Protocol):
    """Looks after one sandboxed command, and ends it when it uses too much."""

    @property
    def seconds(self) -> float:
        """The most it may take."""

    @property
    def output_bytes(self) -> int:
        """The most it may write to its output."""

    async def look(self, pid: int) -> str:
        """`pid`: what was started. Returns when a limit is passed: which one, as people read it; else never."""

    async def ended(self) -> None:
        """Returns when nothing of it runs any more; called once what was started is over."""

    def told_by(self, code: int) -> str:
        """Which limit its exit code tells of; empty: none."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """What to start instead: the whole environment is `environment`. `watch` None: nobody looks after it."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    watch: CommandWatch | None = None


class Sandbox(Protocol):
    """The door every agent process goes through."""

    @property
    def name(self) -> str: ...

    async def probe(self) -> Readiness:
        """Start something in it that must fail to get out."""

    def wrap(
        self,
        argv: Sequence[str],
        workspace: str,
        access: Access,
        environment: Mapping[str, str],
        *,
        project: str = "",
        opened: Sequence[str] = (),
        socket: str = "",
    ) -> Wrapped:
        """`environment` is all the process sees beside PATH, HOME, LANG and TERM, which are ours. SandboxError.

        `project`: whose configuration says what is opened of the paths that are guarded. `opened`: those that a person
        opened for this one command; relative to the workspace, a folder with all that is in it. `socket`: a unix socket
        of the bot's, the one thing outside that the process can reach.
        """
