"""What a command is: a pure parser, and an answer of the same name."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.approvals.desk import ApprovalDesk
from core.authority.roles import Roles
from core.budgets.budgets import Budgets
from core.digests import Digests
from core.model.chat import Cause, Mention, Person, Post, ThreadRef
from core.model.people import Role
from core.model.work import ChatSettings, Link, ProjectKey
from core.ports import Agent, Clock, Forge, Secrets, Store, Workspaces
from core.posts import Posts
from core.projects import ProjectDesk
from core.runs.desk import RunDesk
from core.runs.steps import RunSteps

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Line:
    """The words after a command. `rest(n)` keeps the spaces that the person typed."""

    text: str
    is_bare: bool = False
    """Said as plain words after a mention, so that it may be no command at all: a parser is then strict."""

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.text.split())

    def rest(self, after: int) -> str:
        """What follows the first `after` words."""
        parts = self.text.split(maxsplit=after)
        return parts[after].strip() if len(parts) > after else ""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a command was given, by whom, and what the chat has chosen.

    `role`: of the person, for what is asked here; `everywhere`: for the whole bot.
    `in_thread`: inside a thread or topic that already stood. `opens_thread`: it carries no thread at all.
    """

    cause: Cause
    thread: ThreadRef
    person: Person
    role: Role
    link: Link | None
    settings: ChatSettings
    in_thread: bool = False
    opens_thread: bool = False
    message: str = ""
    everywhere: Role = Role.STRANGER
    is_direct: bool = False
    chat_title: str = ""
    mentions: tuple[Mention, ...] = ()
    answers: Person | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """`replaces`: when it was a press, the post that carried the button is shown anew instead of a new one.

    `is_private`: for who asked alone; said in a group, it is told in the direct chat.
    """

    post: Post
    replaces: bool = False
    is_private: bool = False


def say(text: str, *rows: tuple[Any, ...], replaces: bool = False, is_private: bool = False) -> Reply:
    return Reply(Post(text, tuple(row for row in rows if row)), replaces, is_private)


def new_code() -> str:
    """32 random bytes, in letters that Telegram takes in a link as well."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a command may use."""

    store: Store
    posts: Posts
    runs: RunDesk
    steps: RunSteps
    projects: ProjectDesk
    digests: Digests
    agents: Mapping[str, Agent]
    forges: Mapping[str, Forge]
    workspaces: Workspaces
    clock: Clock
    roles: Roles
    platforms: Mapping[str, object]
    """By name; what is asked of them is in optional protocols."""
    secrets: Secrets
    approvals: ApprovalDesk
    new_code: Callable[[], str] = new_code
    zone: str = "UTC"
    language: str = "en"
    troubles: Callable[[], Sequence[str]] = list
    """A sentence for each outside service that does not answer."""
    budgets: Budgets | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What an ask is about; nothing said: what is worked on in its thread, else what the chat is linked to.

    `name`: a task, a work or a run as it was typed. `moves_link`: also about the project that is linked until then.
    `is_alone`: only what was granted for exactly this project, or with none for this chat, counts.
    `is_everywhere`: only what was granted for the whole bot counts.
    """

    project: ProjectKey | None = None
    name: str = ""
    moves_link: bool = False
    is_alone: bool = False
    is_everywhere: bool = False


WHOLE_BOT = About(is_everywhere=True)


@dataclass(frozen=True, slots=True)
class Command(Generic[A]):
    """A row of the table. `parse` is pure and raises BadAsk; `answer` may return None when it has said all itself.

    `hidden`: not listed, what a button says. `names`: it shows or keeps who said it, so the name must be known.
    `links`: it links the chat. `needs_thread`: what it starts lives in a thread, so that where the
    platform gave none a post of ours opens one first.

    Who may: `role` at the least, and where it depends on the words what `needs` says; counted at what it is `about`.
    `is_general`: about nothing in particular, so that whoever has a role anywhere may. `approves`: heard in a chat
    that nobody has approved yet, and there from admins of the whole bot alone.
    """

    word: str
    usage: str
    summary: str
    parse: Callable[[Line], A]
    answer: Callable[[A, Scene, Desk], Awaitable[Reply | None]]
    hidden: bool = False
    needs_thread: bool = False
    names: bool = False
    links: bool = False
    role: Role = Role.DEVELOPER
    needs: Callable[[A], Role] | None = None
    about: Callable[[A], About] | None = None
    is_general: bool = False
    approves: bool = False
