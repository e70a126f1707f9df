"""A chat service, and what one of them may be able to do besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from core.model.chat import (
    ChatEvent,
    Delivery,
    Person,
    Post,
    PostKey,
    PostRef,
    SignKind,
    ThreadRef,
)
from core.model.forge import PullNews


class Take(Protocol):
    """Given to a platform: returns once deliveries and cursor are committed. StoreError: acknowledge nothing."""

    async def __call__(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None: ...


class Source(Protocol):
    """Where deliveries come from: a chat platform, or a forge that has news."""

    @property
    def name(self) -> str:
        """The `platform` of every delivery."""

    def read(self, raw: bytes) -> ChatEvent | PullNews | None:
        """Pure. None: nothing for us. Never raises, whatever the bytes are."""


@runtime_checkable
class NewsSource(Source, Protocol):
    """A forge that tells by itself what happens there."""

    def open(self, take: Take) -> None:
        """From now on what comes is taken so; before, it is refused."""


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
class Deleting(Protocol):
    """A platform on which the bot can take away what a person said."""

    async def delete(self, thread: ThreadRef, message: str) -> None:
        """By the platform's own id; what is gone already is no error. ChatError: it may not, or not here."""


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
