"""The sender: one chat, one call at a time, until what is wanted is shown. It alone calls `post` and `edit`.

A send whose fate is unknown is looked up, never blindly repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from core.meter import outcome_of
from core.model.chat import ChatRef, Post, PostKey, PostRef, ThreadRef
from core.model.codec import Json
from core.model.errors import ChatBusy, ChatError, NotSupported, PostGone, SendUnknown, StoreError
from core.ports import ChatPlatform, Clock, Meter, Outboxes, Outgoing, Paced, SendState
from core.rooms import Room

log = structlog.get_logger()

MAYBE_TWICE = "♻️ *The connection broke while I said this; you may have read it before.*\n\n"
BACK_OFF_SECONDS = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Between tries of one post; the last one repeats. No post is given up because the platform is down."""

KNOWN_LABELS = 1000
"""Of so many posts it is remembered whether they bear the label; of others the store is asked."""

EDIT_TRIES = 3
"""An edit that fails so often is left: the next one, or the final post, says more."""

Opened = Callable[[Json, PostRef], Awaitable[None]]
"""Called when a post that opens a thread stands: with the ask that waited for it. Idempotent."""


class Sender:
    """`work` must run for anything to be sent; what is queued before waits for it."""

    def __init__(self, store: Outboxes, platforms: Mapping[str, ChatPlatform], clock: Clock, meter: Meter) -> None:
        self._store, self._platforms, self._clock, self._meter = store, platforms, clock, meter
        self._rooms: dict[ChatRef, Room] = {}
        self._group: asyncio.TaskGroup | None = None
        self.settling: set[PostKey] = set()
        """Keys whose last words are being committed: no progress may come after them."""
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.on_opened: Opened | None = None
        self._labels: dict[PostKey, bool] = {}
        self._since: dict[PostKey, datetime] = {}
        self.unknown = 0
        """Sends whose fate could not be found out, since the start."""

    async def work(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for room, state in self._rooms.items():
                self._wake(room, state)
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    def is_quiet(self) -> bool:
        return self._quiet.is_set()

    async def until_quiet(self) -> None:
        await self._quiet.wait()

    def sends_at_once(self, ref: ChatRef) -> bool:
        """A post that is queued now is the next that is sent."""
        room = self._rooms.get(ref)
        return self._group is not None and (room is None or room.is_free)

    def awaits_more(self, ref: ChatRef, key: PostKey) -> bool:
        """Later words than any progress are on their way to this post."""
        room = self._rooms.get(ref)
        return key in self.settling or (room is not None and key in room.edits and room.edits[key] is None)

    def waiting(self) -> set[PostKey]:
        """Posts that are queued."""
        return {each.key for room in self._rooms.values() for line in room.posts.values() for each in line}

    def depth(self) -> int:
        """Posts and edits that wait."""
        return sum(len(each.edits) + sum(map(len, each.posts.values())) for each in self._rooms.values())

    def oldest(self) -> datetime | None:
        """Since when the oldest of the posts that are not sent waits, in this life of the bot."""
        return min(self._since.values(), default=None)

    def queue(self, row: Outgoing) -> None:
        self._since[row.key] = self._clock.now()
        room = self._rooms.setdefault(row.thread.room, Room())
        room.push(row)
        self._wake(row.thread.room, room)

    def queue_edit(self, ref: ChatRef, key: PostKey, post: Post | None) -> None:
        room = self._rooms.setdefault(ref, Room())
        room.edits[key] = post
        self._wake(ref, room)

    def _wake(self, ref: ChatRef, room: Room) -> None:
        if room.is_busy or self._group is None:
            return
        room.is_busy = True
        self._quiet.clear()
        self._group.create_task(self._serve(ref, room))

    async def _serve(self, ref: ChatRef, room: Room) -> None:
        """One chat, one call at a time, until nothing waits."""
        platform = self._platforms[ref.platform]
        try:
            while room.posts or room.edits:
                row = room.next_post()
                if row is not None:
                    await self._send(platform, room, row)
                else:
                    await self._edit(platform, room)
        finally:
            room.is_busy = False
            if not any(each.is_busy for each in self._rooms.values()):
                self._quiet.set()

    async def _sleep_unless_post(self, room: Room, seconds: float) -> None:
        room.bell.clear()
        room.rests = True
        waits = {asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(room.bell.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            room.rests = False
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _send(self, platform: ChatPlatform, room: Room, row: Outgoing) -> None:
        """One post, to its end: sent, or refused for good. Back-off inside holds this chat alone."""
        tries = 0
        while True:
            try:
                ref = await self._try(platform, row)
            except ChatError as error:
                self._count(platform, outcome_of(error))
                if error.is_final:
                    log.warning("post.rejected", key=row.key, reason=str(error))
                    await self._mark(row.key, SendState.REJECTED)
                    break
                row = await self._after(platform, row, error)
                await self._clock.sleep(_pause(error, tries))
                tries += 1
            else:
                self._count(platform, "sent")
                await self._mark(row.key, SendState.SENT, ref=ref, shown=row.version)
                await self.open(row, ref)
                break
        room.drop(row)
        self._since.pop(row.key, None)

    async def _try(self, platform: ChatPlatform, row: Outgoing) -> PostRef:
        """A boundary: an adapter that fails in a way of its own has sent it, or has not."""
        try:
            return await self._post(platform, row)
        except (ChatError, StoreError):
            raise
        except Exception as error:
            log.exception("post.failed", key=row.key, platform=platform.name)
            raise SendUnknown(f"something went wrong inside the bot ({type(error).__name__})") from error

    async def _post(self, platform: ChatPlatform, row: Outgoing) -> PostRef:
        if row.state is SendState.UNKNOWN:
            return await self._reconcile(platform, row)
        if row.state is SendState.NEW:
            await self._mark(row.key, SendState.SENDING)
        return await platform.post(row.thread, row.post, row.key)

    async def _after(self, platform: ChatPlatform, row: Outgoing, error: ChatError) -> Outgoing:
        """What to do with a post that was not surely sent: NEW, to be tried again, or UNKNOWN, to be looked up."""
        if isinstance(error, SendUnknown):
            log.warning("post.unknown", key=row.key, platform=platform.name)
            await self._mark(row.key, SendState.UNKNOWN)
            return replace(row, state=SendState.UNKNOWN)
        log.warning("post.delayed", key=row.key, platform=platform.name, reason=str(error))
        if row.state is SendState.UNKNOWN:
            return row
        await self._mark(row.key, SendState.NEW)
        return replace(row, state=SendState.NEW)

    async def _reconcile(self, platform: ChatPlatform, row: Outgoing) -> PostRef:
        """Adopt the post if it is there; where one can't look, say it again, and that it may be the second time."""
        try:
            found = await platform.find(row.thread, row.key)
        except NotSupported:
            labelled = _labelled(row.post)
            self._labels[row.key] = True
            stored = await self._store.want(row.key, labelled)
            return await self._post_labelled(platform, replace(row, post=stored.post if stored else labelled))
        if found is not None:
            log.info("post.adopted", key=row.key)
            return found
        return await platform.post(row.thread, row.post, row.key)

    async def with_label(self, key: PostKey, post: Post) -> Post:
        """What may be there twice keeps saying so, whatever else it comes to say."""
        if key not in self._labels:
            row = await self._store.outgoing(key)
            while len(self._labels) >= KNOWN_LABELS:
                del self._labels[next(iter(self._labels))]
            self._labels[key] = row is not None and row.post.text.startswith(MAYBE_TWICE)
        return _labelled(post) if self._labels[key] else post

    async def _post_labelled(self, platform: ChatPlatform, row: Outgoing) -> PostRef:
        log.warning("post.maybe_twice", key=row.key, platform=platform.name)
        try:
            return await platform.post(row.thread, row.post, row.key)
        except SendUnknown as error:
            self.unknown += 1
            raise ChatError(f"two tries without an answer: {error}") from error

    async def open(self, row: Outgoing, ref: PostRef) -> None:
        if row.opens is None or self.on_opened is None:
            return
        opens, on_opened = row.opens, self.on_opened
        await self._kept(lambda: on_opened(opens, ref))
        await self._kept(lambda: self._store.opened(row.key))

    async def _edit(self, platform: ChatPlatform, room: Room) -> None:
        """The oldest wanted edit, when the pace allows; a new post that comes meanwhile goes first."""
        wait = (room.next_edit_at - self._clock.now()).total_seconds() if room.next_edit_at else 0.0
        if wait > 0:
            await self._sleep_unless_post(room, wait)
            return
        key = next(iter(room.edits))
        post = room.edits.pop(key)
        if post is not None and key in self.settling:
            return  # `show` is about to say more
        wants = self._store.outgoing(key) if post is None else self._store.want(key, await self.with_label(key, post))
        row = await wants
        if row is None or row.ref is None or row.shown >= row.version:
            return
        for attempt in range(EDIT_TRIES):
            room.next_edit_at = self._clock.now() + timedelta(seconds=_gap(platform, row.thread))
            if await self._try_edit(platform, row, attempt):
                return
            if room.posts or key in room.edits:
                room.edits.setdefault(key, None)
                return

    async def _try_edit(self, platform: ChatPlatform, row: Outgoing, attempt: int) -> bool:
        """True: there is no more to do."""
        assert row.ref is not None
        try:
            await platform.edit(row.ref, row.post)
        except PostGone:
            log.info("post.gone", key=row.key)
        except ChatError as error:
            self._count(platform, f"edit_{outcome_of(error)}")
            if not error.is_final:
                log.info("edit.delayed", key=row.key, reason=str(error))
                await self._clock.sleep(_pause(error, attempt))
                return False
            log.warning("edit.rejected", key=row.key, reason=str(error))
        except Exception:  # a boundary: the posts of this chat must not suffer
            log.exception("edit.failed", key=row.key, platform=platform.name)
        else:
            self._count(platform, "edited")
        await self._mark(row.key, SendState.SENT, shown=row.version)
        return True

    def _count(self, platform: ChatPlatform, outcome: str) -> None:
        self._meter.count("posts", platform=platform.name, outcome=outcome)

    async def _mark(
        self, key: PostKey, state: SendState, *, ref: PostRef | None = None, shown: int | None = None
    ) -> None:
        """A store that cannot write is waited for: what was sent must not be forgotten."""
        await self._kept(lambda: self._store.mark(key, state, ref=ref, shown=shown))

    async def _kept(self, write: Callable[[], Awaitable[None]]) -> None:
        tries = 0
        while True:
            try:
                await write()
            except StoreError as error:
                log.warning("store.busy", reason=str(error))
                await self._clock.sleep(BACK_OFF_SECONDS[min(tries, len(BACK_OFF_SECONDS) - 1)])
                tries += 1
            else:
                return


def _gap(platform: ChatPlatform, thread: ThreadRef) -> float:
    other: object = platform
    return other.gap(thread) if isinstance(other, Paced) else platform.edit_gap


def _labelled(post: Post) -> Post:
    return replace(post, text=MAYBE_TWICE + post.text.removeprefix(MAYBE_TWICE))


def _pause(error: ChatError, tries: int) -> float:
    if isinstance(error, ChatBusy):
        return error.seconds
    return BACK_OFF_SECONDS[min(tries, len(BACK_OFF_SECONDS) - 1)]
