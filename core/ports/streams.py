"""What an agent is saying and doing just now, and a platform that can show it beside the posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from core.model.chat import (
    Person,
    ThreadRef,
)


@dataclass(frozen=True, slots=True)
class Doing:
    """One action. `title` is plain text in one line, with no backtick; `ok` is None while it goes on."""

    id: str
    title: str
    ok: bool | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A turn as far as it has come; without secrets.

    `text` is CommonMark that may stop anywhere but inside a word; what is long begins later. `doing` are the last few
    actions, `plan` the agent's own list: (words, done). `person` is who asked.
    """

    title: str
    person: Person
    text: str = ""
    doing: tuple[Doing, ...] = ()
    plan: tuple[tuple[str, bool], ...] = ()


@runtime_checkable
class Streaming(Protocol):
    """A platform that can show a turn as it goes, in some chats. Best effort, outside the outbox: never raises.

    What it shows is gone when `end_stream` is done: the answer is a post, and says all of it.
    """

    async def stream(self, thread: ThreadRef, key: str, view: View) -> float | None:
        """Show this under `key`, in place of what was shown before. It comes again and again, changed or not.

        Seconds until the next may come, so that the posts of the chat keep their pace; None: no more under this key.
        """

    async def end_stream(self, thread: ThreadRef, key: str) -> None:
        """Take away what is shown under `key`, if anything is. May take its time."""
