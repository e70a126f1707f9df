"""Every protocol that the core asks of the world. Read this first.

`bot/wiring.py` alone knows which adapter fulfils which; the tables PLATFORMS, AGENTS and FORGES list them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar, runtime_checkable

from core.model.chat import (
    ButtonToken,
    Cause,
    ChatEvent,
    ChatRef,
    Delivery,
    Person,
    Post,
    PostKey,
    PostRef,
    Priority,
    SignKind,
    ThreadRef,
)
from core.model.codec import Json
from core.model.events import AgentEvent, Readiness, TurnAsk, TurnResult
from core.model.work import (
    Change,
    ChatSettings,
    Checkout,
    DigestPlan,
    Link,
    Project,
    ProjectKey,
    PullRequest,
    PullState,
    RepoRef,
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
from core.watchers import Lives

T = TypeVar("T")

# ---------------------------------------------------------------------------------------------- chat


class Take(Protocol):
    """Given to a platform: returns once deliveries and cursor are committed. StoreError: acknowledge nothing."""

    async def __call__(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None: ...


class ChatPlatform(Protocol):
    """A chat service. `connect` comes first; `listen` and `post` may then run side by side."""

    @property
    def name(self) -> str:
        """`telegram`, `slack`, `console`: the `platform` of every ref."""

    @property
    def tenant(self) -> str:
        """The bot's or workspace's id, as in every ref; known after `connect`."""

    @property
    def edit_gap(self) -> float:
        """Seconds that each post and each edit takes of a chat's pace; edits keep to it. See `core.pace`."""

    async def connect(self) -> None:
        """Learn who we are, register commands. ChatError says what is wrong with the token or the address."""

    async def listen(self, take: Take, cursor: str | None) -> None:
        """Receive until cancelled. `cursor` is what the last committed `take` was given. Outages are waited out."""

    def read(self, raw: bytes) -> ChatEvent | None:
        """Pure. None: nothing for us. Never raises, whatever the bytes are."""

    def split(self, post: Post) -> Sequence[Post]:
        """Pure. The same words in posts that each fit one message; buttons on the last. At least one."""

    async def post(self, thread: ThreadRef, post: Post, key: PostKey) -> PostRef:
        """Send one message. ChatBusy, SendFailed, SendUnknown or a final ChatError."""

    async def edit(self, ref: PostRef, post: Post) -> None:
        """Show other words in place. The same words twice is no error. PostGone, ChatBusy, SendFailed, ChatError."""

    async def find(self, thread: ThreadRef, key: PostKey) -> PostRef | None:
        """The post that was sent under `key`, or None if there surely is none. NotSupported."""

    async def close(self) -> None:
        """Give back sockets."""


@runtime_checkable
class Signing(Protocol):
    """A platform that can put a sign on a message, and answer a press. Both best effort: they never raise."""

    async def sign(self, thread: ThreadRef, message: str, kind: SignKind) -> None: ...

    async def answer_press(self, handle: str, text: str) -> None: ...


@runtime_checkable
class Paced(Protocol):
    """A platform whose chats do not all bear the same pace: used instead of `edit_gap`."""

    def gap(self, thread: ThreadRef) -> float:
        """Seconds that each post and each edit takes of this chat's pace."""


@runtime_checkable
class Naming(Protocol):
    """A platform whose messages do not say how their sender is called."""

    async def name_of(self, person: Person) -> str:
        """To be shown; remembered. Best effort: empty when it cannot be found out soon. Never raises."""


@runtime_checkable
class Advising(Protocol):
    """A platform on which some chats serve the bot badly until a person changes them."""

    def advice(self, thread: ThreadRef) -> str:
        """Pure. Said once in a chat that is linked; empty: nothing to say."""


@runtime_checkable
class Reaching(Protocol):
    """A platform on which the bot can write to a person first."""

    async def direct(self, person: str) -> ThreadRef:
        """Where to write to this person alone, by the platform's own id. ChatError; final: it can't be done."""


@runtime_checkable
class Filing(Protocol):
    """A platform that takes files: `post` sends one, its key ends in FILE, `find` finds it. FileRefused: not this."""

    @property
    def takes_files(self) -> bool:
        """False once it has turned out that it does not."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What goes back over HTTP."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"


@runtime_checkable
class Webhooked(Protocol):
    """A platform that is called over HTTP at `webhook_path` (empty: it is not, in this configuration)."""

    @property
    def webhook_path(self) -> str: ...

    async def receive(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Check the signature on the raw bytes, take, answer. Malformed input is 401 or 400, never raised."""


@dataclass(frozen=True, slots=True)
class CommandWord:
    """A command as a platform registers it."""

    word: str
    usage: str
    summary: str


# -------------------------------------------------------------------------------------------- agents

Note = Callable[[AgentEvent], None]
"""Called by an agent for each event of its turn, in order; returns at once."""


class Approve(Protocol):
    """Awaited by an agent before a risky act. False: not allowed, and the agent goes on without it."""

    async def __call__(self, title: str, detail: str) -> bool: ...


class Agent(Protocol):
    """What does the work of a turn, in a checkout, in the sandbox."""

    @property
    def name(self) -> str: ...

    @property
    def can_repeat(self) -> bool:
        """A turn that was cut may be taken again: the session resumes, or the recipe is marked `repeatable`."""

    async def ready(self) -> Readiness:
        """Whether it can be used now; asks the network at most a few seconds. Never raises."""

    async def take_turn(self, turn: TurnAsk, note: Note, approve: Approve) -> TurnResult:
        """Returning is the one way to finish. AgentError and its kin; when cancelled, every child is dead on return."""


# ----------------------------------------------------------------------------------- code and forges


@dataclass(frozen=True, slots=True)
class Remote:
    """Where to fetch and push. `authorization`: the value of an HTTP header for that URL alone, or empty."""

    url: str
    authorization: str = ""


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


class Workspaces(Protocol):
    """Checkouts of a project's code, one for each run. git is asked by us, over a private git directory."""

    async def prepare(self, run: RunId, project: Project, branch: str, remote: Remote) -> Checkout:
        """The checkout of this run on `branch`; the one that stands is kept with what is in it. WorkspaceError."""

    async def diff(self, checkout: Checkout) -> str:
        """What the checkout changes against its base, as a unified diff; empty: nothing."""

    async def branch_diff(self, project: Project, branch: str, remote: Remote) -> str:
        """What a published branch changes against the base."""

    async def publish(self, checkout: Checkout, message: CommitMessage, remote: Remote) -> Change | None:
        """Commit what changed and push the branch; None: nothing changed since the last publish of the branch.

        Doing it twice is doing it once. WorkspaceError.
        """

    async def discard(self, run: RunId) -> None:
        """Forget the checkout; no error when there is none."""


class Access(StrEnum):
    """What a sandboxed process may do with the workspace."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """What to start instead: the whole environment is `environment`."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


class Sandbox(Protocol):
    """The door every agent process goes through."""

    @property
    def name(self) -> str: ...

    async def probe(self) -> Readiness:
        """Start something in it that must fail to get out."""

    def wrap(self, argv: Sequence[str], workspace: str, access: Access, environment: Mapping[str, str]) -> Wrapped:
        """`environment` is all the process sees beside PATH, HOME, LANG and TERM, which are ours. SandboxError."""


# --------------------------------------------------------------------------------------------- store


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
    """Links and settings of chats, and who was paired."""

    async def link(self, thread: ThreadRef) -> Link | None:
        """The thread's own, else the chat's."""

    async def links(self, room: ChatRef) -> list[Link]: ...

    async def put_link(self, link: Link) -> None: ...

    async def drop_link(self, thread: ThreadRef) -> bool:
        """Of exactly this thread (or chat); False: there was none."""

    async def settings(self, room: ChatRef) -> ChatSettings: ...

    async def put_settings(self, settings: ChatSettings) -> None: ...

    async def offer_pairing(self, platform: str, code: str, until: datetime) -> None:
        """A code that makes who says it on `platform` an owner; kept as a hash. It replaces an older one."""

    async def pair(self, code: str, person: Person, now: datetime) -> bool:
        """Once, before it expires."""

    async def owners(self) -> list[Person]:
        """Those who were paired."""


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

    async def amend_turn(self, cause: Cause, text: str) -> bool:
        """Correct the words of a turn that is still queued; False: too late, or no such turn."""

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


class Store(Inboxes, Outboxes, Chats, Projects, Pulls, Runs, DigestPlans, Lives, Protocol):
    """What must outlive a restart. It settles races by returning what stands."""

    async def open(self) -> None:
        """Migrated, exclusive. StoreBusy: another process has it. ConfigError: it must be migrated first."""

    async def prune(self, before: datetime) -> int:
        """Forget what was handled and sent before then; the number of rows. What is still on its way stays."""

    async def close(self) -> None: ...


# -------------------------------------------------------------------------------------------- engine


class Flow(Protocol):
    """What a flow is given: everything that must not happen twice goes through `step`."""

    @property
    def id(self) -> str: ...

    async def step(self, name: str, returns: type[T], call: Callable[..., Awaitable[T]], *args: Any) -> T:  # noqa: ANN401
        """Run `call(*args)` and keep its result; after a restart the kept result comes back instead.

        At least once. A result is anything `core.model.codec` can keep; `returns` is its type, read back by it.
        A BotError of the call is kept and raised again on replay.
        """

    async def wait(self, topic: str, seconds: float) -> Json:
        """The next value signalled under `topic`; None when the time is over. Survives restarts. Not in a step."""

    async def sleep_until(self, when: datetime) -> None: ...


FlowFunction = Callable[[Flow, Json], Awaitable[Json]]


class FlowState(StrEnum):
    OPEN = "open"
    DONE = "done"
    BROKEN = "broken"


class Engine(Protocol):
    """Durable work. What was started goes on after a crash, from its last step."""

    async def launch(self, flows: Mapping[str, FlowFunction]) -> None:
        """Register every flow under its name (`run.v1`), then go on with what was open."""

    async def start(self, flow: str, id: str, args: Json) -> None:  # noqa: A002 - the field's word
        """Once for each id, whatever it is called again with. Returns when it will surely run."""

    async def signal(self, id: str, topic: str, value: Json, key: str) -> None:  # noqa: A002
        """Once for each key. NotFound: no such flow."""

    async def state(self, id: str) -> FlowState | None:  # noqa: A002
        """None: never started, or forgotten."""

    async def prune(self, before: datetime) -> int:
        """Forget flows that ended before then; their number. Started again, such an id runs again. StoreError."""

    async def close(self, seconds: float) -> None:
        """Let steps reach their end for that long, then leave the rest for the next start."""


# --------------------------------------------------------------------------------------------- world


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""

    async def sleep(self, seconds: float) -> None: ...


class Meter(Protocol):
    """What happens, in numbers, for whoever watches over the bot. Labels take few values, and no names of people."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """So much more. Returns at once."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """One measurement among many: its distribution is told. Returns at once."""


Redact = Callable[[str], str]
"""The same text with every live secret blacked out."""
