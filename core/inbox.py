"""What was said and is not yet answered: committed before it is acknowledged, handled in the order of its thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from core.alerts import AlertKind, Alerts
from core.meter import NoMeter
from core.model.chat import Cause, ChatEvent, Delivery
from core.model.errors import StoreError
from core.model.forge import PullNews
from core.model.secrets import Cleaned
from core.ports import Arrival, Clock, Inboxes, Meter, Source, Take, Tracer
from core.tracing import NoTracer, trace_of

log = structlog.get_logger()

TRIES = 3
"""A delivery that could not be handled so often is set aside, so that its thread goes on."""

LONGEST_NAME = 600
"""Bytes of a cause, a thread or a person; the platforms' own have up to two hundred. PostgreSQL: 2,704 in an index."""

REMINDER = "at start"
HOW_TO_REPLAY = "`patchbay inbox list` tells what they are, with the bot stopped."

RETRY_SECONDS = 1.0
STORE_RETRY_SECONDS = 2.0

Event = ChatEvent | PullNews

Hear = Callable[[ChatEvent], Awaitable[None]]
Learn = Callable[[PullNews], Awaitable[None]]
Clean = Callable[[Source, Delivery, Event], Awaitable[Cleaned]]
"""Makes of a delivery what may be stored."""
SetAside = Callable[[ChatEvent, str], Awaitable[None]]
"""Tells the person; given the id under which the delivery is kept."""


@dataclass(frozen=True, slots=True)
class _Item:
    key: str
    event: Event

    @property
    def cause(self) -> Cause:
        return self.event.cause

    @property
    def lane(self) -> str:
        """What is handled one after another."""
        return self.event.lane if isinstance(self.event, PullNews) else str(self.event.thread)

    @property
    def source(self) -> str:
        return self.event.repo.forge if isinstance(self.event, PullNews) else self.event.thread.platform


class Inbox:
    """`take_for(platform)` is given to the platform's `listen`; `work` handles what was taken."""

    def __init__(
        self,
        store: Inboxes,
        clock: Clock,
        hear: Hear,
        set_aside: SetAside,
        meter: Meter | None = None,
        alerts: Alerts | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._store, self._clock, self._meter = store, clock, meter or NoMeter()
        self._alerts, self._tracer = alerts or Alerts(clock), tracer or NoTracer()
        self._hear, self._set_aside = hear, set_aside
        self._learn: Learn = _not_interested
        self._clean: Clean = _as_it_is
        self._lanes: dict[str, deque[_Item]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()

    def when_news(self, learn: Learn) -> None:
        """Who hears what forges tell. Before anything is taken from them."""
        self._learn = learn

    def clean_by(self, clean: Clean) -> None:
        """What looks through each delivery before it is stored. Before anything is taken."""
        self._clean = clean

    def take_for(self, platform: Source) -> Take:
        async def take(deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
            read = [await self._read(platform, delivery) for delivery in deliveries]
            items = [each for each in read if each is not None]
            arrivals = [arrival for arrival, _ in items]
            fresh = await self._store.accept(arrivals, platform.name, cursor)
            self._meter.count("deliveries_taken", len(fresh), platform=platform.name)
            for arrival, event in items:
                if arrival.key in fresh:
                    fresh.discard(arrival.key)
                    self._enqueue(_Item(arrival.key, event))

        return take

    async def _read(self, platform: Source, delivery: Delivery) -> tuple[Arrival, Event] | None:
        """Whoever reads it again, from the database, reads the same."""
        event = platform.read(delivery.raw)
        if event is None or not _is_sound(event):
            return None
        cleaned = await self._clean(platform, delivery, event)
        if cleaned.delivery is not delivery:
            event = platform.read(cleaned.delivery.raw)
            if event is None:
                return None
        return Arrival(str(event.cause), cleaned.delivery, cleaned.sealed), event

    async def cursor(self, platform: str) -> str | None:
        return await self._store.cursor(platform)

    async def until_quiet(self) -> None:
        """Everything that was taken has been handled."""
        await self._quiet.wait()

    async def work(self) -> None:
        """Handle until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for name in self._lanes:
                self._start(name)
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    async def remind(self) -> None:
        """What earlier lives have set aside is still there. StoreError."""
        keys = [each.arrival.key for each in await self._store.asides()]
        if keys:
            words = f"Still set aside: {len(keys)}, the last one `{keys[-1]}`. {HOW_TO_REPLAY}"
            self._alerts.raise_(AlertKind.SET_ASIDE, words, REMINDER)

    async def take_up(self, platform: Source) -> None:
        """What an earlier life of the bot took from this platform and did not settle. After `connect`."""
        known = {item.key for lane in self._lanes.values() for item in lane}
        for arrival in await self._store.unsettled():
            if arrival.delivery.platform != platform.name or arrival.key in known:
                continue
            event = platform.read(arrival.delivery.raw)
            if event is not None:
                self._enqueue(_Item(arrival.key, event))

    def depth(self) -> int:
        return sum(map(len, self._lanes.values()))

    def _enqueue(self, item: _Item) -> None:
        self._quiet.clear()
        name = item.lane
        lane = self._lanes.get(name)
        if lane is not None:
            lane.append(item)
            return
        self._lanes[name] = deque([item])
        self._start(name)

    def _start(self, name: str) -> None:
        if self._group is not None:
            self._group.create_task(self._serve(name))

    async def _serve(self, name: str) -> None:
        """One thread's deliveries, one after another."""
        lane = self._lanes[name]
        while lane:
            await self._handle(lane[0])
            lane.popleft()
        del self._lanes[name]
        if not self._lanes:
            self._quiet.set()

    async def _handle(self, item: _Item) -> None:
        """A boundary: whatever goes wrong with one delivery is logged, tried again, and set aside in the end."""
        is_settled, began = False, self._clock.now()
        while not is_settled:
            try:
                is_settled = await self._try(item)
            except StoreError as error:
                log.error("inbox.store", key=item.key, reason=str(error))  # noqa: TRY400 - the reason is the line
                await self._clock.sleep(STORE_RETRY_SECONDS)
        seconds = (self._clock.now() - began).total_seconds()
        self._meter.observe("handling_seconds", seconds, platform=item.source)

    async def _try(self, item: _Item) -> bool:
        """False: it is to be tried again. StoreError: nothing can be kept just now, not even that it failed."""
        try:
            with self._tracer.span("delivery", trace_of(item.cause), cause=item.cause, platform=item.source):
                await self._dispatch(item.event)
        except StoreError:
            raise
        except Exception as error:  # a boundary: the next delivery must not suffer
            log.exception("inbox.failed", key=item.key)
            tries = await self._store.fail(item.key, repr(error))
            if tries < TRIES:
                await self._clock.sleep(RETRY_SECONDS * tries)
                return False
            await self._give_up(item, error)
        else:
            await self._store.settle(item.key)
            self._meter.count("deliveries_handled", platform=item.source)
        return True

    async def _dispatch(self, event: Event) -> None:
        await (self._learn(event) if isinstance(event, PullNews) else self._hear(event))

    async def _give_up(self, item: _Item, error: Exception) -> None:
        await self._store.set_aside(item.key, repr(error))
        self._alerts.raise_(AlertKind.SET_ASIDE, _aside_words(item.key, type(error).__name__), item.key)
        self._meter.count("deliveries_set_aside", platform=item.source)
        if isinstance(item.event, PullNews):
            return  # nobody in a chat asked for it; the owners are told
        try:
            await self._set_aside(item.event, item.key)
        except Exception:  # a boundary: telling is tried once
            log.exception("inbox.untold", key=item.key)


async def _not_interested(_news: PullNews) -> None:
    """Until somebody says who is."""


def _aside_words(key: str, error: str) -> str:
    return (
        f"A delivery failed three times ({error}) and is set aside as `{key}`; the log has the trace. "
        f"With the bot stopped, `patchbay inbox replay {key}` has it handled at the next start."
    )


async def _as_it_is(_source: Source, delivery: Delivery, _event: Event) -> Cleaned:
    return Cleaned(delivery)


def _is_sound(event: Event) -> bool:
    """Names of any length end up in keys, and one that no database takes would fail all that is committed with it."""
    names = [event.cause, event.lane] if isinstance(event, PullNews) else _names(event)
    return all(len(name.encode(errors="replace")) <= LONGEST_NAME for name in names)


def _names(event: ChatEvent) -> list[str]:
    return [event.cause, str(event.thread), str(event.person)]
