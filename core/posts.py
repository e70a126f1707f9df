"""What the bot says: the outbox. How it gets there is in `core.sender`.

Nothing durable is said but through here: the intent is committed under a key, then sent, then the receipt is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from core.alerts import Alerts
from core.blackened import blackened
from core.files import file_of, in_brief, joined, shown
from core.meter import NoMeter
from core.model.chat import FILE, ChatRef, Post, PostKey, Priority, ThreadRef
from core.model.codec import Json
from core.ports import ChatPlatform, Clock, Filing, Meter, Outboxes, Outgoing, Redact, SendState, Tracer
from core.sender import Sender
from core.sending import Opened

log = structlog.get_logger()

MOST_PIECES = 4
"""Messages that one post may become; what is longer is a file where the platform takes files."""

MOST_CHARACTERS = 40_000
"""No platform shows more in so many messages, so it need not be asked."""


class Posts:
    """`work` must run for anything to be sent; `say`, `show` and `progress` may be called before."""

    def __init__(
        self,
        store: Outboxes,
        platforms: Mapping[str, ChatPlatform],
        clock: Clock,
        redact: Redact = str,
        is_quiet: Callable[[ChatRef], Awaitable[bool]] | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._store, self._platforms, self._redact, self._is_quiet = store, platforms, redact, is_quiet
        self._sender = Sender(store, platforms, clock, meter or NoMeter())
        self._sender.on_refused_file = self._say_instead

    def when_opened(self, call: Opened) -> None:
        """What to do when a post that opens a thread stands."""
        self._sender.on_opened = call

    def watched_by(self, alerts: Alerts, tracer: Tracer) -> None:
        """Who is told of posts that are lost, and how long each call takes."""
        self._sender.alerts, self._sender.tracer = alerts, tracer

    async def say(
        self,
        key: PostKey,
        thread: ThreadRef,
        post: Post,
        priority: Priority = Priority.ANSWER,
        *,
        opens: Json = None,
    ) -> None:
        """Committed under `key` when this returns; said once, however often it is called with the same key."""
        platform = self._platforms.get(thread.platform)
        if platform is None:
            log.warning("post.no_platform", platform=thread.platform, key=key)
            return
        silent = self._is_quiet is not None and await self._is_quiet(thread.room)
        parts = await self._prepared(platform, replace(post, silent=silent))
        starts_now = self._sender.sends_at_once(thread.room, priority)
        rows = [
            Outgoing(
                key=PostKey(f"{key}{suffix}"),
                thread=thread,
                post=part,
                priority=priority,
                state=SendState.SENDING if starts_now and not suffix else SendState.NEW,
                opens=None if suffix else opens,
            )
            for suffix, part in parts
        ]
        await self._put(rows)

    async def _prepared(self, platform: ChatPlatform, post: Post) -> list[tuple[str, Post]]:
        """In a thread if it is long: looking through a megabyte takes a tenth of a second."""

        def prepare() -> list[tuple[str, Post]]:
            return _parts(platform, blackened(post, self._redact))

        is_long = len(post.text) + (len(post.file.text) if post.file else 0) > MOST_CHARACTERS
        return await asyncio.to_thread(prepare) if is_long else prepare()

    async def _put(self, rows: Sequence[Outgoing]) -> None:
        for row in await self._store.put_posts(rows):
            self._sender.queue(row)

    async def _say_instead(self, row: Outgoing, reason: str) -> None:
        """The words of a file that the platform does not take, in as many messages as they need."""
        assert row.post.file is not None
        text = f"📎 `{row.post.file.name}` could not be sent as a file. {reason} Here it is in words:"
        pieces = self._platforms[row.thread.platform].split(
            replace(row.post, text=f"{text}\n\n{shown(row.post.file)}", file=None)
        )
        await self._put(
            [
                Outgoing(PostKey(f"{row.key}{suffix}"), row.thread, piece, row.priority)
                for suffix, piece in _numbered(pieces, "#1")
            ]
        )

    async def show(self, key: PostKey, post: Post) -> None:
        """Other words for a post, committed when this returns; the platform shows them when its pace allows."""
        self._sender.settling.add(key)
        try:
            post = joined(blackened(post, self._redact))
            wanted = await self._store.want(key, post)
        finally:
            self._sender.settling.discard(key)
        if wanted is not None:
            self._sender.queue_edit(wanted.thread.room, key, None)

    def progress(self, key: PostKey, room: ChatRef, post: Post) -> None:
        """Other words for a post, as far as there is time: only the newest is shown, and nothing is kept."""
        if not self._sender.awaits_more(room, key):
            self._sender.queue_edit(room, key, blackened(post, self._redact))

    async def take_up(self, platform: str) -> None:
        """What an earlier life of the bot left on its way to this platform. Before anything new is said there."""
        known = self._sender.waiting()
        for row in await self._store.unsent():
            if row.key in known or row.thread.platform != platform:
                continue
            if row.state is not SendState.SENT:
                doubtful = row.state is SendState.SENDING and not row.is_twice
                self._sender.queue(replace(row, state=SendState.UNKNOWN) if doubtful else row)
            elif row.ref is not None and row.opens is not None:
                await self._sender.open(row, row.ref)
            else:
                self._sender.queue_edit(row.thread.room, row.key, None)

    async def work(self) -> None:
        """Send until cancelled."""
        await self._sender.work()

    def is_quiet(self) -> bool:
        return self._sender.is_quiet()

    async def until_quiet(self) -> None:
        """Nothing is on its way that could be sent now."""
        await self._sender.until_quiet()

    def depth(self) -> int:
        """Posts and edits that wait."""
        return self._sender.depth()

    def oldest(self) -> datetime | None:
        """Since when the oldest of the posts that are not sent waits, in this life of the bot."""
        return self._sender.oldest()


def _parts(platform: ChatPlatform, post: Post) -> list[tuple[str, Post]]:
    """What is sent, in order, each with the end of its key: the whole, or what is long of it as a file."""
    whole = joined(post)
    if len(whole.text) <= MOST_CHARACTERS and len(pieces := platform.split(whole)) <= MOST_PIECES:
        return _numbered(pieces)
    other = _as_object(platform)
    if not (isinstance(other, Filing) and other.takes_files):
        return _numbered(platform.split(whole))
    pieces = platform.split(in_brief(post))
    if len(pieces) > MOST_PIECES:  # what stands around the file is long itself
        post = whole
        pieces = platform.split(in_brief(post))
    return [*_numbered(pieces), (FILE, Post("", silent=post.silent, file=file_of(post)))]


def _numbered(pieces: Sequence[Post], first: str = "") -> list[tuple[str, Post]]:
    return [(f"#{number}" if number > 1 else first, piece) for number, piece in enumerate(pieces, 1)]


def _as_object(platform: ChatPlatform) -> object:
    return platform
