"""What is said in chats, by whom and where, and what the bot says back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NewType, Self

Cause = NewType("Cause", str)
"""Names what a person did, once, however often it arrives: `slack:T1:C1:1700.1`, `telegram:42:-100:7`."""

PostKey = NewType("PostKey", str)
"""Names a post of ours before the first try to send it: `reply:<cause>`, `anchor:<run id>`."""

FILE = "#file"
"""Ends the key of a post that is sent as a file."""

ButtonToken = NewType("ButtonToken", str)
"""Random and opaque; stands for a stored command. Bot API: callback_data, 1-64 bytes."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival from outside. `id` only tells arrivals apart; `raw` is the kind and the canonical payload."""

    platform: str
    id: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class ChatRef:
    """A room: group, channel or direct message. `tenant` is the workspace or bot that it belongs to."""

    platform: str
    tenant: str
    chat: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.tenant}:{self.chat}"


@dataclass(frozen=True, slots=True)
class ThreadRef:
    """One line of talk. `root` is Slack's root ts, Telegram's topic id, or empty for the chat itself."""

    platform: str
    tenant: str
    chat: str
    root: str = ""

    @property
    def room(self) -> ChatRef:
        return ChatRef(self.platform, self.tenant, self.chat)

    def __str__(self) -> str:
        return f"{self.platform}:{self.tenant}:{self.chat}:{self.root}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The opposite of `str`. Only `root` may hold a colon."""
        platform, tenant, chat, root = text.split(":", 3)
        return cls(platform, tenant, chat, root)


@dataclass(frozen=True, slots=True)
class PostRef:
    """A post that the platform has accepted; `id` is the platform's own (Slack: ts, Telegram: message id)."""

    thread: ThreadRef
    id: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who speaks. Only `platform`, `tenant` and `id` identify; `name` is for showing and may change."""

    platform: str
    tenant: str
    id: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.platform}:{self.tenant}:{self.id}"


class Author(StrEnum):
    """What the platform says of who speaks. Bots, channels and anonymous administrators are no authors at all."""

    PERSON = "person"
    GUEST = "guest"
    """Of the workspace, but let into some of its channels only."""
    EXTERNAL = "external"
    """Of another workspace."""


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody is named in a message. `words`: as they stand in its text."""

    words: str
    person: Person


class Style(StrEnum):
    PLAIN = "plain"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Button:
    """`says` is the command line that a press stands for; an adapter never sees it, only the `token`.

    A button with a `url` opens it and is not a press. `label`: up to 40 characters, plain text.
    """

    label: str
    says: str = ""
    style: Style = Style.PLAIN
    url: str = ""
    token: ButtonToken = ButtonToken("")


@dataclass(frozen=True, slots=True)
class File:
    """`name` ends in what it is: `.md` is CommonMark, anything else is code."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Post:
    """`text` is CommonMark with tables; rows of buttons stand below it. `silent`: no sound, where that exists.

    `file` is a long part, said between `text` and `below` where a few messages hold it, else sent as a file. To a
    platform a post with a file is that file, and `text` what stands beside it.
    """

    text: str
    buttons: tuple[tuple[Button, ...], ...] = ()
    silent: bool = False
    file: File | None = None
    below: str = ""


class Priority(IntEnum):
    """Who goes first when a chat is slow: the smaller."""

    FINAL = 0
    APPROVAL = 1
    ANSWER = 2
    PROGRESS = 3


class SignKind(StrEnum):
    """A best-effort mark on a person's message: a reaction, a typing notice, a status line."""

    SEEN = "seen"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Said:
    """A person said something. `text` has the mention of the bot taken out.

    `is_addressed`: it is meant for the bot (direct chat, mention, command, reply to a post of ours).
    `is_command`: the platform itself took it as a command (a slash command, a leading `/`), or it follows a mention
    and may be one. `in_thread`: said inside a thread or topic that already stood, not at the top of the chat.
    `opens_thread`: the thread cannot be known yet (Slack's slash command): a post of ours must open it.
    `message` is the platform's id of what was said, empty where there is none.
    """

    cause: Cause
    thread: ThreadRef
    person: Person
    text: str
    is_addressed: bool = True
    is_direct: bool = False
    in_thread: bool = False
    opens_thread: bool = False
    message: str = ""
    chat_title: str = ""
    corrects: Cause | None = None
    """For an edited message: the cause of the original."""
    author: Author = Author.PERSON
    mentions: tuple[Mention, ...] = ()
    """People who are named in it by a true mention; the bot itself is left out."""
    answers: Person | None = None
    """Whose message it replies to, where that is a person."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button was pressed. `handle` is what the platform wants back to stop its spinner, empty where nothing."""

    cause: Cause
    thread: ThreadRef
    person: Person
    token: ButtonToken
    post: PostRef
    handle: str = ""
    is_direct: bool = False
    author: Author = Author.PERSON


@dataclass(frozen=True, slots=True)
class Halted:
    """The platform's own Stop was used in a thread."""

    cause: Cause
    thread: ThreadRef
    person: Person
    is_direct: bool = False
    author: Author = Author.PERSON


@dataclass(frozen=True, slots=True)
class Joined:
    """The bot was added to a chat; `person` did it."""

    cause: Cause
    thread: ThreadRef
    person: Person
    chat_title: str = ""


ChatEvent = Said | Pressed | Halted | Joined
