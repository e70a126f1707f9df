"""What is on its way to one chat, and at which pace."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from core.model.chat import Post, PostKey, ThreadRef
from core.ports import Outgoing


@dataclass(slots=True)
class Room:
    """What is on its way to one chat, and its pace. Posts keep their order in a thread; edits wait for them."""

    posts: dict[ThreadRef, deque[Outgoing]] = field(default_factory=dict)
    edits: dict[PostKey, Post | None] = field(default_factory=dict)
    """The newest words wanted for a post; None: those that are stored."""
    is_busy: bool = False
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    """Rung when a post comes in, for a sender that waits to edit."""
    rests: bool = False
    """The sender waits to edit, and turns to a post at once."""
    next_edit_at: datetime | None = None

    @property
    def is_free(self) -> bool:
        """A post that comes in now is the next that is sent."""
        return not self.is_busy or (self.rests and not self.posts)

    def next_post(self) -> Outgoing | None:
        """The most urgent of those that head their threads."""
        heads = [line[0] for line in self.posts.values()]
        return min(heads, key=lambda each: (each.priority, each.seq)) if heads else None

    def drop(self, outgoing: Outgoing) -> None:
        line = self.posts[outgoing.thread]
        line.popleft()
        if not line:
            del self.posts[outgoing.thread]

    def push(self, outgoing: Outgoing) -> None:
        self.posts.setdefault(outgoing.thread, deque()).append(outgoing)
        self.bell.set()
