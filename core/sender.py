"""The sender: one chat, one call at a time, until what is wanted is shown. It alone calls `post` and `edit`.

When a call is refused for now, the chat waits as long as it was told to, and then what is most urgent goes first.
How one post comes to stand, whatever is lost on the way, is in `core.sending`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from core.alerts import AlertKind, Alerts
from core.meter import outcome_of
from core.model.chat import ChatRef, Post, PostKey, PostRef, Priority, ThreadRef
from core.model.errors import ChatBusy, ChatError, FileRefused, PostGone, SendUnknown
from core.pace import Pace, SharesEdits
from core.ports import ChatPlatform, Clock, Meter, Outboxes, Outgoing, Paced, SendState, Tracer
from core.rooms import Room
from core.sending import LOST, Opened, RefusedFile, Sending, TwiceUnknown, kept, notice, pause, worded
from core.tracing import NoTracer, trace_of_post

log = structlog.get_logger()

LEAST_BUSY_SECONDS = 0.1
"""A platform that asks to wait for no time at all is not asked again at once."""

SHARED_PROGRESS_AHEAD = 5
SHARED_LAST_WORDS_AHEAD = 10
"""Edits by which all chats together may be ahead, where they are counted so: what passes, and what is to stay."""


class Sender:
    """`work` must run for anything to be sent; what is queued before waits for it."""

    def __init__(self, store: Outboxes, platforms: Mapping[str, ChatPlatform], clock: Clock, meter: Meter) -> None:
        self._store, self._platforms, self._clock, self._meter = store, platforms, clock, meter
        self._sending = Sending(store, clock)
        self._rooms: dict[ChatRef, Room] = {}
        self._shared = {name: Pace(each.shared_edit_gap) for name, each in _sharing(platforms)}
        self._group: asyncio.TaskGroup | None = None
        self.settling: set[PostKey] = set()
        """Keys whose last words are being committed: no progress may come after them."""
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.on_opened: Opened | None = None
        self.on_refused_file: RefusedFile | None = None
        self.alerts = Alerts(clock)
        self.tracer: Tracer = NoTracer()
        self._since: dict[PostKey, datetime] = {}

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

    def sends_at_once(self, ref: ChatRef, priority: Priority) -> bool:
        """A post that is queued now is the next that is sent, and soon."""
        room = self._rooms.get(ref)
        return self._group is not None and (room is None or room.sends_at_once(priority, self._clock.now()))

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
        room = self._room(row.thread.room)
        room.push(row)
        self._wake(row.thread.room, room)

    def queue_edit(self, ref: ChatRef, key: PostKey, post: Post | None) -> None:
        if ref.platform not in self._platforms:
            log.warning("edit.no_platform", platform=ref.platform, key=key)
            return
        room = self._room(ref)
        room.want(key, post)
        self._wake(ref, room)

    def _room(self, ref: ChatRef) -> Room:
        room = self._rooms.get(ref)
        if room is None:
            room = self._rooms[ref] = Room(Pace(_gap(self._platforms[ref.platform], ref)))
        return room

    def _wake(self, ref: ChatRef, room: Room) -> None:
        if room.is_busy or self._group is None:
            return
        room.is_busy = True
        self._busy += 1
        self._quiet.clear()
        self._group.create_task(self._serve(ref, room))

    async def _serve(self, ref: ChatRef, room: Room) -> None:
        """One chat, one call at a time, until nothing waits."""
        platform = self._platforms[ref.platform]
        try:
            while room.posts or room.edits:
                row = room.next_post()
                if row is None:
                    await self._edit_next(platform, room)
                elif (wait := room.wait_to_post(row, self._clock.now())) > 0:
                    await self._rest(room, wait)
                else:
                    await self._send(platform, room, row)
        finally:
            room.is_busy = False
            self._busy -= 1
            if not self._busy:
                self._quiet.set()

    async def _rest(self, room: Room, seconds: float) -> None:
        """Until then, or until something comes in that need not wait so long."""
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

    # ---------------------------------------------------------------------------------------- posts

    async def _send(self, platform: ChatPlatform, room: Room, row: Outgoing) -> None:
        """One try. What was surely not sent, or may have been, stays at the head of its thread."""
        row = await self._newest(room, row)
        room.amend(row)
        room.pace.spend(self._clock.now())
        try:
            with self._span("post", platform, row):
                ref = await self._sending.send(platform, row)
        except TwiceUnknown:
            self._count(platform, "unknown")
            await self._give_up(row)
        except ChatError as error:
            self._count(platform, outcome_of(error))
            if not error.is_final:
                await self._hold(platform, room, row, error)
                return
            log.warning("post.rejected", key=row.key, reason=str(error))
            await self._say_instead(row, error)
            self._alert(row, f"was refused: {error}")
            await self._sending.mark(row.key, SendState.REJECTED)
        else:
            self._count(platform, "sent")
            await self._sending.mark(row.key, SendState.SENT, ref=ref, shown=row.version)
            await self.open(row, ref)
        room.failures = 0
        room.drop(row)
        self._since.pop(row.key, None)

    async def _newest(self, room: Room, row: Outgoing) -> Outgoing:
        """With the words that are wanted of it meanwhile, so that it needs no edit at once."""
        if row.key not in room.edits or row.key in self.settling or row.state is SendState.UNKNOWN:
            return row
        stored = await self._wanted(row.key, room.edits.pop(row.key))
        return replace(stored, state=row.state) if stored is not None else row

    async def _hold(self, platform: ChatPlatform, room: Room, row: Outgoing, error: ChatError) -> None:
        """No call to this chat, until the platform's time is over or the back-off is."""
        if isinstance(error, ChatBusy):
            seconds = max(error.seconds, LEAST_BUSY_SECONDS)
        else:
            seconds = pause(room.failures)
            room.failures += 1
        is_unsure = isinstance(error, SendUnknown)
        event = "post.unknown" if is_unsure else "post.delayed"
        log.warning(event, key=row.key, platform=platform.name, reason=str(error))
        room.amend(await self._sending.after(row, is_unsure=is_unsure))
        await self._clock.sleep(seconds)

    async def _give_up(self, row: Outgoing) -> None:
        """Said twice, and twice no answer: a third time could be one too many, so whoever reads there decides."""
        log.warning("post.given_up", key=row.key)
        self._alert(row, "may not have arrived: twice there was no answer. Whoever reads there can have it said again.")
        told = notice(row)
        if told is not None:
            for each in await kept(lambda: self._store.put_posts([told]), self._clock):
                self.queue(each)
        await self._sending.mark(row.key, SendState.REJECTED)

    async def _say_instead(self, row: Outgoing, error: ChatError) -> None:
        if isinstance(error, FileRefused) and self.on_refused_file is not None:
            say, reason = self.on_refused_file, str(error)
            await kept(lambda: say(row, reason), self._clock)

    async def open(self, row: Outgoing, ref: PostRef) -> None:
        if row.opens is None or self.on_opened is None:
            return
        opens, on_opened = row.opens, self.on_opened
        await kept(lambda: on_opened(opens, ref), self._clock)
        await kept(lambda: self._store.opened(row.key), self._clock)

    # ---------------------------------------------------------------------------------------- edits

    async def _edit_next(self, platform: ChatPlatform, room: Room) -> None:
        """One edit, when the pace allows; a new post that comes meanwhile goes first."""
        key, shared = room.next_edit(), self._shared.get(platform.name)
        wait = max(room.wait_to_edit(key, self._clock.now()), self._wait_with_all(shared, room.edits[key]))
        if wait > 0:
            await self._rest(room, wait)
            return
        post = room.edits.pop(key)
        if post is not None and key in self.settling:
            return  # `show` is about to say more
        if shared is not None:
            shared.spend(self._clock.now())  # before anything is awaited: other chats ask at the same moment
        row = await self._wanted(key, post)
        if row is not None and row.ref is not None and row.shown < row.version:
            room.pace.spend(self._clock.now())
            await self._edit(platform, room, row, post)

    def _wait_with_all(self, shared: Pace | None, post: Post | None) -> float:
        if shared is None:
            return 0.0
        calls = SHARED_LAST_WORDS_AHEAD if post is None else SHARED_PROGRESS_AHEAD
        return shared.wait(self._clock.now(), calls * shared.gap)

    async def _wanted(self, key: PostKey, post: Post | None) -> Outgoing | None:
        """The row with these words, or with those that are stored."""
        if post is None:
            return await kept(lambda: self._store.outgoing(key), self._clock)
        return await kept(lambda: self._store.want(key, post), self._clock)

    async def _edit(self, platform: ChatPlatform, room: Room, row: Outgoing, post: Post | None) -> None:
        assert row.ref is not None
        try:
            with self._span("edit", platform, row):
                await platform.edit(row.ref, worded(row))
        except PostGone:
            log.info("post.gone", key=row.key)
        except ChatError as error:
            self._count(platform, f"edit_{outcome_of(error)}")
            if not error.is_final:
                await self._hold_edit(platform, room, row, post, error)
                return
            log.warning("edit.rejected", key=row.key, reason=str(error))
        except Exception:  # a boundary: the posts of this chat must not suffer
            log.exception("edit.failed", key=row.key, platform=platform.name)
        else:
            self._count(platform, "edited")
        room.edit_failures = 0
        await self._sending.mark(row.key, SendState.SENT, shown=row.version)

    async def _hold_edit(
        self, platform: ChatPlatform, room: Room, row: Outgoing, post: Post | None, error: ChatError
    ) -> None:
        """It is wanted still, unless newer words are. Who is busy holds the chat; who fails holds its edits."""
        log.info("edit.delayed", key=row.key, reason=str(error))
        room.edits.setdefault(row.key, post)
        if isinstance(error, ChatBusy):
            seconds = max(error.seconds, LEAST_BUSY_SECONDS)
            if shared := self._shared.get(platform.name):
                shared.close(self._clock.now() + timedelta(seconds=seconds))
            await self._clock.sleep(seconds)
            return
        room.edits_rest_until = self._clock.now() + timedelta(seconds=pause(room.edit_failures))
        room.edit_failures += 1

    def _alert(self, row: Outgoing, what: str) -> None:
        """Not of what is an alert itself: whoever cannot be told cannot be told that either."""
        if not row.key.removeprefix(LOST).startswith("alert:"):
            room = row.thread.room
            self.alerts.raise_(AlertKind.POST_LOST, f"A post to `{room}` (`{row.key}`) {what}", str(room))

    def _span(self, name: str, platform: ChatPlatform, row: Outgoing) -> AbstractContextManager[None]:
        if isinstance(self.tracer, NoTracer):
            return self.tracer.span(name)  # on the hot way; the name of a trace takes longer than all else here
        return self.tracer.span(name, trace_of_post(row.key), platform=platform.name, key=row.key)

    def _count(self, platform: ChatPlatform, outcome: str) -> None:
        self._meter.count("posts", platform=platform.name, outcome=outcome)


def _gap(platform: ChatPlatform, ref: ChatRef) -> float:
    other: object = platform
    thread = ThreadRef(ref.platform, ref.tenant, ref.chat)
    return other.gap(thread) if isinstance(other, Paced) else platform.edit_gap


def _sharing(platforms: Mapping[str, object]) -> Iterator[tuple[str, SharesEdits]]:
    for name, each in platforms.items():
        if isinstance(each, SharesEdits):
            yield name, each
