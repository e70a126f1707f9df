"""What must outlive a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from core.model.chat import (
    ButtonToken,
    Cause,
    ChatRef,
    Delivery,
    Person,
    Post,
    PostKey,
    PostRef,
    Priority,
    ThreadRef,
)
from core.model.codec import Json
from core.model.secrets import Sealed
from core.model.work import (
    ChatSettings,
    DigestPlan,
    Link,
    Project,
    ProjectKey,
    PullRequest,
    PullState,
    Run,
    RunChange,
    RunId,
    RunState,
    Task,
    TaskKey,
    TaskState,
    Turn,
    Usage,
    Work,
    WorkId,
)
from core.ports.approvals import Approvals
from core.ports.audit import Audits
from core.ports.budgets import Spending
from core.ports.code import PullDraft
from core.ports.people import People
from core.ports.secrets import SealedSecrets
from core.ports.watch import Lives


class SendState(StrEnum):
    NEW = "new"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A post and what the platform shows of it.

    `version` counts the wanted contents from 1, `shown` is the last one the platform accepted (0: none yet).
    `is_twice`: its first try has an unknown fate and the platform cannot be asked, so it is said again, and says so.
    `opens`: an ask (JSON) that waits for the thread which this post opens, else None. `seq` orders a thread.
    """

    key: PostKey
    thread: ThreadRef
    post: Post
    priority: Priority
    state: SendState = SendState.NEW
    version: int = 1
    shown: int = 0
    is_twice: bool = False
    ref: PostRef | None = None
    opens: Json = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery under the key by which it is one: its cause, else its id."""

    key: str
    delivery: Delivery
    sealed: Sealed | None = None
    """A secret that was said in it, to be kept if the arrival is new."""


@dataclass(frozen=True, slots=True)
class StoredButton:
    """What a token stands for: the command line, and the post it hangs on."""

    says: str
    key: PostKey
    thread: ThreadRef


@dataclass(frozen=True, slots=True)
class Aside:
    """A delivery that is not tried again by itself: it failed `tries` times, the last time with `error`."""

    arrival: Arrival
    came_at: datetime
    tries: int
    error: str


class Inboxes(Protocol):
    """What was said and is not yet answered."""

    async def accept(self, arrivals: Sequence[Arrival], platform: str, cursor: str | None) -> set[str]:
        """Commit (FULL), in groups; the keys that were not known before. StoreError."""

    async def settle(self, key: str) -> None:
        """It has been handled."""

    async def fail(self, key: str, error: str) -> int:
        """It could not be handled; the number of tries until now."""

    async def set_aside(self, key: str, error: str) -> None:
        """It is not tried again by itself."""

    async def asides(self) -> list[Aside]:
        """Those that were set aside, in the order they came."""

    async def replay(self, key: str) -> bool:
        """Unsettled again, as if it had never been tried. False: nothing is set aside under this key."""

    async def drop(self, key: str) -> bool:
        """Settled, and its content forgotten; that it came stays known. False: nothing is set aside under this key."""

    async def unsettled(self) -> list[Arrival]:
        """In the order they came."""

    async def cursor(self, platform: str) -> str | None: ...


class Outboxes(Protocol):
    """What the bot says, and what is still on its way."""

    async def put_posts(self, posts: Sequence[Outgoing]) -> list[Outgoing]:
        """Commit (FULL) those whose key is new, in order; these, as they are stored: with `seq` and buttons' tokens."""

    async def want(self, key: PostKey, post: Post) -> Outgoing | None:
        """Other words for a post: version + 1, buttons replaced. None: no such post."""

    async def mark(
        self,
        key: PostKey,
        state: SendState,
        *,
        ref: PostRef | None = None,
        shown: int | None = None,
        is_twice: bool = False,
    ) -> None:
        """What is not given stays as it is; what is twice stays so."""

    async def opened(self, key: PostKey) -> None:
        """The ask that waited for this post has begun."""

    async def outgoing(self, key: PostKey) -> Outgoing | None: ...

    async def unsent(self) -> list[Outgoing]:
        """New, sending, unknown, shown in an old version, or sent with an ask that still waits; in order."""

    async def button(self, token: ButtonToken) -> StoredButton | None: ...


class Chats(Protocol):
    """Links and settings of chats."""

    async def link(self, thread: ThreadRef) -> Link | None:
        """The thread's own, else the chat's."""

    async def links(self, room: ChatRef) -> list[Link]: ...

    async def put_link(self, link: Link) -> None: ...

    async def drop_link(self, thread: ThreadRef) -> bool:
        """Of exactly this thread (or chat); False: there was none."""

    async def settings(self, room: ChatRef) -> ChatSettings: ...

    async def put_settings(self, settings: ChatSettings) -> None: ...


class Projects(Protocol):
    async def projects(self) -> list[Project]: ...

    async def project(self, key: ProjectKey) -> Project | None: ...

    async def add_project(self, project: Project, cause: Cause) -> Project:
        """What stands under that key."""

    async def put_project(self, project: Project) -> None: ...

    async def tasks(self, project: ProjectKey) -> list[Task]: ...

    async def task(self, key: TaskKey) -> Task | None: ...

    async def add_task(self, project: ProjectKey, title: str, by: Person, at: datetime, cause: Cause) -> Task:
        """Under the next number; the same cause twice is the same task."""

    async def put_task_state(self, key: TaskKey, state: TaskState) -> None: ...


class Pulls(Protocol):
    """The pull requests of the local forge."""

    async def add_pull(self, project: ProjectKey, draft: PullDraft, url: str) -> PullRequest:
        """Or the one open for that branch. Numbers count from 1 in a project; `{number}` in `url` is filled in."""

    async def pull(self, project: ProjectKey, number: int) -> PullRequest | None: ...

    async def put_pull_state(self, project: ProjectKey, number: int, state: PullState) -> PullRequest: ...


class Runs(Protocol):
    """Work, runs, their turns and lanes. Each method is one transaction."""

    async def start_run(self, run: Run, work: Work, first: Turn) -> Run:
        """What stands under `run.id`: a repeated cause starts nothing. The work is added if it is new."""

    async def take_lanes(self, run: RunId) -> bool:
        """The run's thread and its project's branch together, or neither. True also when it holds them already."""

    async def run(self, run: RunId) -> Run | None: ...

    async def find_run(self, prefix: str) -> Run | None:
        """By the first characters of its id (at least 4); None when none or several."""

    async def count_runs(self) -> dict[RunState, int]:
        """In each state that there is a run in."""

    async def open_runs(self, room: ChatRef | None = None) -> list[Run]:
        """Not over, oldest first; of one chat, or of all."""

    async def run_in(self, thread: ThreadRef) -> Run | None:
        """The one that holds the thread's lane, else the oldest that waits for it."""

    async def runs_of(self, room: ChatRef, limit: int) -> list[Run]:
        """Newest first."""

    async def runs_since(self, room: ChatRef, since: datetime) -> list[Run]:
        """Those that began or ended since then, oldest first."""

    async def last_run(self, work: WorkId) -> Run | None: ...

    async def changes(self, run: RunId) -> list[RunChange]: ...

    async def move(self, run: RunId, state: RunState, at: datetime) -> Run:
        """Every change is kept with its time; the same state again is no change; what is over stays as it is.

        A change ends what `park` has set.
        """

    async def park(self, run: RunId, at: datetime, asks: PostKey, until: datetime | None = None) -> Run:
        """WAITING, for an answer to the post `asks`, or `until` then. What is over stays as it is."""

    async def begin_step(self, run: RunId, step: str) -> int:
        """How often this step of the run was begun, this time included; another one than the last counts from 1."""

    async def end_run(self, run: RunId, state: RunState, at: datetime, error: str = "") -> bool:
        """Free its lanes. False, and nothing is done: COMPLETED was asked for while a turn is queued."""

    async def ask_stop(self, run: RunId, by: str) -> Run | None:
        """Remember that it shall stop; None: it is over."""

    async def add_turn(self, thread: ThreadRef, cause: Cause, text: str, person: Person) -> Turn | None:
        """Queued behind the run that holds the thread's lane; the same cause twice is one turn. None: no such run."""

    async def next_turn(self, run: RunId) -> Turn | None:
        """The open one, else the first that is queued."""

    async def queued_turns(self, run: RunId) -> list[Turn]: ...

    async def has_turn(self, cause: Cause) -> bool: ...

    async def turn_of(self, cause: Cause) -> Turn | None:
        """What this cause was taken up as."""

    async def amend_turn(self, cause: Cause, text: str) -> bool:
        """Correct the words of a turn that is still queued. False: too late, and they are others; or no such turn."""

    async def begin_turn(self, run: RunId, number: int, attempt: int = 1) -> bool:
        """Record the attempt. False: this one, or a later one, was recorded before and has no end: it was cut."""

    async def finish_turn(self, run: RunId, number: int, usage: Usage) -> None:
        """The turn is over; its usage is added to the run's, once."""

    async def work(self, work: WorkId) -> Work | None: ...

    async def open_work(self, task: TaskKey) -> Work | None: ...

    async def open_work_in(self, thread: ThreadRef) -> Work | None:
        """The newest."""

    async def open_works(self) -> list[Work]: ...

    async def works(self, task: TaskKey) -> list[Work]:
        """Oldest first."""

    async def open_pulls(self, room: ChatRef) -> list[Work]:
        """Works of this chat whose pull request is open."""

    async def put_session(self, work: WorkId, agent: str, session: str) -> None: ...

    async def put_pull(self, work: WorkId, pull: PullRequest) -> None: ...

    async def close_work(self, work: WorkId) -> None: ...


class DigestPlans(Protocol):
    async def digest(self, room: ChatRef) -> DigestPlan | None: ...

    async def put_digest(self, plan: DigestPlan) -> None:
        """One for each chat."""

    async def drop_digest(self, room: ChatRef) -> bool: ...

    async def due_digests(self, now: datetime) -> list[DigestPlan]: ...

    async def advance_digest(self, plan: DigestPlan, next_at: datetime) -> bool:
        """False: it is no longer as `plan` says (changed, dropped, or advanced by another)."""


class Store(
    Inboxes,
    Outboxes,
    Chats,
    Projects,
    Pulls,
    Runs,
    DigestPlans,
    Lives,
    People,
    SealedSecrets,
    Spending,
    Approvals,
    Audits,
    Protocol,
):
    """What must outlive a restart. It settles races by returning what stands."""

    async def open(self) -> None:
        """Migrated, exclusive. StoreBusy: another process has it. ConfigError: it must be migrated first."""

    async def prune(self, before: datetime) -> int:
        """Forget what was handled and sent before then; the number of rows. What is still on its way stays."""

    async def close(self) -> None: ...
