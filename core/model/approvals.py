"""What an agent wants to do, what is asked about it, and what was decided."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from core.model.chat import ChatRef, Person, PostKey, ThreadRef
from core.model.work import ProjectKey, RunId

ApprovalId = NewType("ApprovalId", str)
"""Opaque: ten characters of 0-9 and a-f."""


class ActKind(StrEnum):
    RUN = "run"
    READ = "read"
    EDIT = "edit"
    FETCH = "fetch"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that an agent is about to do.

    `argv`: the program and its arguments; `command`: the line that it gives to a shell, where it does (then the last
    of `argv`). `folder`: the working directory. `environment`: names of what is set besides what the sandbox always
    sets. `target`: the path that is read or edited, relative to the checkout, or the domain that is called. `before`
    and `content`: of an edit, the whole text as it is and as it shall be. `reason`: the agent's own words.
    """

    kind: ActKind
    title: str
    argv: tuple[str, ...] = ()
    command: str = ""
    folder: str = ""
    environment: tuple[str, ...] = ()
    target: str = ""
    before: str = ""
    content: str = ""
    reason: str = ""
    is_configured: bool = False
    """The owner has written it: a step of a recipe."""

    @property
    def digest(self) -> str:
        """Of exactly this act; neither the title nor the reason belongs to it."""
        exact = (self.kind, self.command, self.folder, self.target, self.before, self.content)
        return _digest("act.v1", exact, self.argv, self._names)

    def likeness(self, root: str) -> str:
        """Of every act that a wider yes counts for: the same command, or any edit of the same file.

        `root` is the checkout, which is another in each run.
        """
        is_inside = self.folder == root or self.folder.startswith(f"{root}/")
        folder = ("inside", self.folder[len(root) :]) if is_inside else ("outside", self.folder)
        words = () if self.kind is ActKind.EDIT else (self.title if self.kind is ActKind.OTHER else "", self.content)
        return _digest("like.v1", (self.kind, self.command, *folder, self.target, *words), self.argv, self._names)

    @property
    def _names(self) -> list[str]:
        return sorted(set(self.environment))


def _digest(version: str, *parts: Iterable[str]) -> str:
    """SHA-256 over every word with its length before it, so that no two lists of words are written alike."""
    whole = hashlib.sha256(version.encode())
    for words in parts:
        encoded = [word.encode("utf-8", "surrogatepass") for word in words]
        whole.update(b"(%d" % len(encoded))
        for word in encoded:
            whole.update(b":%d:" % len(word))
            whole.update(word)
    return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason`: why not, for the agent to read. `by`: the name of who decided; empty: nobody was asked."""

    granted: bool
    reason: str = ""
    by: str = ""


class Extent(StrEnum):
    """What a yes counts for."""

    ONCE = "once"
    RUN = "run"
    """What is alike, until the run is over."""
    ALWAYS = "always"
    """What is alike, in this chat and project, until the rule is removed."""


class ApprovalState(StrEnum):
    OPEN = "open"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    """Nobody answered in time, or the run ended."""
    SPENT = "spent"
    """Granted, and used."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A question about one act of one run. `shown`: what of the act people were shown, without secrets.

    `needs_second`: two people must say yes, and the second is not who asked for the run. `first`: who said the first
    of these. `life`: the life of the bot that asked last; `asked`: how often it has been asked, after restarts too.
    """

    id: ApprovalId
    run: RunId
    turn: int
    digest: str
    likeness: str
    title: str
    shown: str
    requester: Person
    thread: ThreadRef
    project: ProjectKey
    asked_at: datetime
    until: datetime
    needs_second: bool = False
    life: str = ""
    asked: int = 1
    state: ApprovalState = ApprovalState.OPEN
    extent: Extent = Extent.ONCE
    first: Person | None = None
    by: Person | None = None
    decided_at: datetime | None = None
    reason: str = ""
    reason_until: datetime | None = None
    """Until then who denied it may still say why."""

    @property
    def keys(self) -> tuple[PostKey, ...]:
        """Of the posts that ask it; after a restart there may be one more."""
        again = (PostKey(f"approval:{self.id}:{number}") for number in range(2, self.asked + 1))
        return (PostKey(f"approval:{self.id}"), *again)

    @property
    def whole_key(self) -> PostKey:
        """Of the post with all of an act that the question cannot hold."""
        return PostKey(f"approval-whole:{self.id}")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says to a question. `extent` of a yes; `reason` of a no, which may come until `reason_until`."""

    granted: bool
    person: Person
    extent: Extent = Extent.ONCE
    reason: str = ""
    reason_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StandingRule:
    """What somebody allowed for good in a chat, for a project. `id` is that of the approval it came from."""

    id: ApprovalId
    room: ChatRef
    project: ProjectKey
    likeness: str
    title: str
    by: Person
    at: datetime = field(compare=False)
