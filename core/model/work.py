"""Projects, tasks, work and runs: what the team wants done, and what the bot does about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from core.model.chat import Cause, ChatRef, Person, ThreadRef

ProjectKey = NewType("ProjectKey", str)
"""`DEMO`: 2-10 of A-Z and 0-9, a letter first."""

TaskKey = NewType("TaskKey", str)
"""`DEMO-1`."""

RunId = NewType("RunId", str)
"""A UUID made from the cause of the run."""

WorkId = NewType("WorkId", str)
"""The id of the run that began the work."""


@dataclass(frozen=True, slots=True)
class RepoRef:
    """Where a project's code is published. `forge`: a name of the table FORGES.

    `path` for github: `owner/name`. For local: empty (a new repository), or the absolute path of a git repository
    on the bot's machine from which the bot takes its copy.
    """

    forge: str
    path: str = ""

    def __str__(self) -> str:
        return self.path or "a new local repository"


@dataclass(frozen=True, slots=True)
class Project:
    """`base` is the branch that pull requests go to; empty: the repository's default. `agent` empty: the bot's."""

    key: ProjectKey
    name: str
    repo: RepoRef
    base: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A chat (`root` empty) or a thread, and the project it talks about. `agent` empty: the project's."""

    thread: ThreadRef
    project: ProjectKey
    agent: str = ""


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What a chat has chosen. Empty means: as the link, the project or the configuration says.

    `quiet`: `22:00-07:00` in `zone`, or empty. `language`: `en`, `de`, …. `zone`: an IANA name.
    """

    chat: ChatRef
    agent: str = ""
    model: str = ""
    language: str = ""
    quiet: str = ""
    zone: str = ""


class TaskState(StrEnum):
    TODO = "To Do"
    IN_PROGRESS = "In Progress"
    IN_REVIEW = "In Review"
    DONE = "Done"


@dataclass(frozen=True, slots=True)
class Task:
    key: TaskKey
    project: ProjectKey
    title: str
    state: TaskState
    created_by: Person
    created_at: datetime


class PullState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """`url` is a web address, or for the local forge a path. `branch` is its head."""

    number: int
    url: str
    title: str
    branch: str
    base: str
    state: PullState = PullState.OPEN


@dataclass(frozen=True, slots=True)
class Work:
    """One branch with its session, pull request and thread. `session` is the agent's own name for its memory."""

    id: WorkId
    project: ProjectKey
    branch: str
    thread: ThreadRef
    task: TaskKey | None = None
    session: str = ""
    session_agent: str = ""
    """The agent that `session` belongs to; another agent starts afresh."""
    pull: PullRequest | None = None
    is_open: bool = True


class RunState(StrEnum):
    PENDING = "PENDING"
    PLANNING = "PLANNING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_over(self) -> bool:
        return self in {RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED}


@dataclass(frozen=True, slots=True)
class Usage:
    """`cost` in US dollars, None when the price is not known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        known = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            sum(known) if known else None,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """What the bot does for one ask, with its turns. `title` is shown; the prompt of each turn is in the turn.

    `error` is what the person read when it FAILED. `stop_asked_by`: the name of who asked to stop, or empty.
    """

    id: RunId
    work: WorkId
    thread: ThreadRef
    agent: str
    asked_by: Person
    title: str
    created_at: datetime
    model: str = ""
    state: RunState = RunState.PENDING
    started_at: datetime | None = None
    ended_at: datetime | None = None
    usage: Usage = field(default_factory=Usage)
    error: str = ""
    stop_asked_by: str = ""
    message: str = ""
    """The platform's id of the message that asked for it, for signs; empty where there is none."""
    asks: str = ""
    """While it is WAITING: the key of the post that asks what it waits for."""
    parked_until: datetime | None = None
    """While it is WAITING for a provider's usage cap: when that ends, and the run goes on by itself."""
    step: str = ""
    """What it was last at, and in `attempts` how often that was begun: more than once, a restart cut it."""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class RunChange:
    """A state that a run took, and when."""

    state: RunState
    at: datetime


class TurnState(StrEnum):
    QUEUED = "queued"
    OPEN = "open"
    """An attempt has been recorded; found after a restart it was cut."""
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said to the agent. `number` counts from 1 in its run; `cause` is that of what was said."""

    run: RunId
    number: int
    cause: Cause
    text: str
    person: Person
    state: TurnState = TurnState.QUEUED


@dataclass(frozen=True, slots=True)
class FileChange:
    """Lines added and removed; both None for a binary file."""

    path: str
    added: int | None
    removed: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """What a publish has put on the branch, against the base of the work."""

    commit: str
    branch: str
    base: str
    files: tuple[FileChange, ...]

    @property
    def added(self) -> int:
        return sum(each.added or 0 for each in self.files)

    @property
    def removed(self) -> int:
        return sum(each.removed or 0 for each in self.files)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A workspace that is ready. `path` is the folder the agent works in; `base` and `head` are branch and commit."""

    run: RunId
    project: ProjectKey
    path: str
    branch: str
    base: str
    head: str


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """When a chat gets its digest. `cron` is five fields, Monday is 1; `zone` an IANA name; `next_at` aware UTC."""

    thread: ThreadRef
    cron: str
    zone: str
    next_at: datetime
