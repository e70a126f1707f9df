"""The watch: looks again and again at what nobody may be asking just now, and raises alerts when it changes.

The database: it must take a write, for only then is anything acknowledged. The room for the data. The circuits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from core.alerts import AlertKind, Alerts
from core.circuits import AllCircuits, CircuitState, OneCircuit
from core.model.errors import StoreError
from core.ports import Clock, Inboxes

log = structlog.get_logger()

LOOK_SECONDS = 10.0
ANSWER_SECONDS = 3.0
"""The most that the database may take before it counts as silent; watchers commonly wait for ten."""
FRESH = timedelta(seconds=1)
"""How long an answer of the database counts, whoever asks."""
PATIENCE = timedelta(minutes=5)
"""How long a service may be silent before the owners are told."""
ENOUGH = 1.1
"""There must be so much more room than the least before its next shortage is told."""

PROOF = "watch"
"""A cursor of no platform: the smallest write there is."""

Room = Callable[[], Awaitable[int | None]]
"""Bytes that are free for the data; None: nobody knows."""


class Watch:
    """`least_room`: bytes below which the owners are told."""

    def __init__(
        self, alerts: Alerts, circuits: AllCircuits, store: Inboxes, room: Room, clock: Clock, least_room: int
    ) -> None:
        self._alerts, self._circuits, self._store, self._clock = alerts, circuits, store, clock
        self._room, self._least_room = room, least_room
        self._store_down_since: datetime | None = None
        self._asked_at: datetime | None = None
        self._asking = asyncio.Lock()
        self._is_low = False
        self._silent: set[str] = set()
        self.free_bytes: int | None = None

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # a boundary: the bot does not end because it could not be looked at
                log.exception("watch.failed")
            await self._clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        await self.store_takes_writes()
        await self._look_at_room()
        for circuit in self._circuits.all():
            self._look_at(circuit)

    async def store_takes_writes(self) -> bool:
        """Asked at most once a second, whoever wants to know."""
        async with self._asking:
            if self._asked_at is None or self._clock.now() - self._asked_at >= FRESH:
                trouble = await self._prove()
                self._asked_at = self._clock.now()
                self._note_store(trouble)
            return self._store_down_since is None

    async def _prove(self) -> str:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._store.accept((), PROOF, self._clock.now().isoformat())
        except StoreError as error:
            return str(error)
        except TimeoutError:
            return f"The database gave no answer in {ANSWER_SECONDS:g} s."
        return ""

    def _note_store(self, trouble: str) -> None:
        now, since = self._clock.now(), self._store_down_since
        if trouble and since is None:
            self._store_down_since = now
            log.error("store.down", reason=trouble)
            words = f"Since {now:%H:%M} UTC nothing can be kept, so nothing that is said is taken. {trouble}"
            self._alerts.raise_(AlertKind.STORE_DOWN, words)
        elif since is not None and not trouble:
            self._store_down_since = None
            log.info("store.back", after_seconds=round((now - since).total_seconds()))
            words = f"The database takes writes again. It took none from {since:%H:%M} to {now:%H:%M} UTC."
            self._alerts.raise_(AlertKind.STORE_BACK, words)

    async def _look_at_room(self) -> None:
        free = self.free_bytes = await self._room()
        if free is None:
            return
        if free < self._least_room and not self._is_low:
            self._is_low = True
            words = f"Only {free // 1_000_000} MB are free where the bot keeps its data. Make room: once it is full, "
            self._alerts.raise_(AlertKind.DISK_LOW, f"{words}nothing that is said is taken.")
        elif free >= self._least_room * ENOUGH:
            self._is_low = False

    def _look_at(self, circuit: OneCircuit) -> None:
        since, service = circuit.down_since, circuit.service
        if since is not None and service not in self._silent and self._clock.now() - since >= PATIENCE:
            self._silent.add(service)
            words = f"{circuit.words()} The last try: {circuit.reason}."
            self._alerts.raise_(AlertKind.SERVICE_DOWN, words, service)
        elif circuit.state is CircuitState.CLOSED and service in self._silent:
            self._silent.discard(service)
            self._alerts.raise_(AlertKind.SERVICE_BACK, f"{circuit.name} answers again.", service)
