"""What is on its way to one chat, what of it comes next, and at which pace."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from core.model.chat import Post, PostKey, Priority, ThreadRef
from core.pace import Pace
from core.ports import Outgoing

PROGRESS_AHEAD = 1
LAST_WORDS_AHEAD = 2
"""Calls by which an edit may be ahead of the chat's pace: what passes, and what is to stay."""

ANCHOR_AHEAD_SECONDS = 30.0
"""A run's first sign waits for a chat that is so far ahead: half of a Telegram group's minute is left to answers."""


@dataclass(slots=True)
class Room:
    """Posts keep their order in a thread; between threads the most urgent goes first; edits wait for them all."""

    pace: Pace
    posts: dict[ThreadRef, deque[Outgoing]] = field(default_factory=dict)
    edits: dict[PostKey, Post | None] = field(default_factory=dict)
    """The newest words wanted for a post; None: those that are stored, which are to stay."""
    is_busy: bool = False
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    """Rung when something comes in that a sender at rest may send sooner than what it waits for."""
    rests: bool = False
    """The sender waits for the pace, and turns to a post at once."""
    failures: int = 0
    """Tries to post since the last that was answered."""
    edit_failures: int = 0
    edits_rest_until: datetime | None = None

    def sends_at_once(self, priority: Priority, now: datetime) -> bool:
        """A post that comes in now is the next that is sent, and soon."""
        if self.is_busy and not (self.rests and not self.posts):
            return False
        return priority is not Priority.PROGRESS or self.pace.wait(now, ANCHOR_AHEAD_SECONDS) <= 0

    def next_post(self) -> Outgoing | None:
        """One that heads its thread: of those that hold up the most urgent, the most urgent, then the oldest."""
        if not self.posts:
            return None
        lines = iter(self.posts.values())
        if len(self.posts) == 1:
            return next(lines)[0]
        line = min(lines, key=lambda each: (min(post.priority for post in each), each[0].priority, each[0].seq))
        return line[0]

    def wait_to_post(self, row: Outgoing, now: datetime) -> float:
        """Seconds; only what shows progress, and holds up nothing else, waits for the pace."""
        if row.priority is not Priority.PROGRESS:
            return 0.0
        is_urgent = any(each.priority is not Priority.PROGRESS for each in self.posts[row.thread])
        return 0.0 if is_urgent else self.pace.wait(now, ANCHOR_AHEAD_SECONDS)

    def next_edit(self) -> PostKey:
        """What is to stay goes before what passes."""
        lasting = (key for key, post in self.edits.items() if post is None)
        return next(lasting, next(iter(self.edits)))

    def wait_to_edit(self, key: PostKey, now: datetime) -> float:
        """Seconds."""
        calls = LAST_WORDS_AHEAD if self.edits[key] is None else PROGRESS_AHEAD
        rest = (self.edits_rest_until - now).total_seconds() if self.edits_rest_until else 0.0
        return max(rest, self.pace.wait(now, calls * self.pace.gap))

    def push(self, row: Outgoing) -> None:
        self.posts.setdefault(row.thread, deque()).append(row)
        self.bell.set()

    def want(self, key: PostKey, post: Post | None) -> None:
        self.edits[key] = post
        if post is None:
            self.bell.set()

    def amend(self, row: Outgoing) -> None:
        """What heads its thread is now as `row` says."""
        self.posts[row.thread][0] = row

    def drop(self, row: Outgoing) -> None:
        line = self.posts[row.thread]
        line.popleft()
        if not line:
            del self.posts[row.thread]
