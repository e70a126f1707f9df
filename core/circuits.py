"""Circuits: an outside service that does not answer is left alone for a while, and calls to it fail at once.

Closed: calls go through. After OUTAGES of them in a row that met an outage it opens: nobody waits for the service any
more. After a pause, which grows to LONGEST_PAUSE, it is half open: one call goes through, and what becomes of that one
closes it or opens it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

import structlog

from core.model.errors import Unavailable
from core.ports import Clock

log = structlog.get_logger()

OUTAGES = 5
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(seconds=60)
TRIAL_SECONDS = 1.0
"""When to ask again while somebody else's call finds out whether the service is back."""


class CircuitState(IntEnum):
    """The value of the metric `circuit_state`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(slots=True)
class OneCircuit:
    """Fulfils `core.ports.Circuit`."""

    service: str
    name: str
    clock: Clock
    down_since: datetime | None = None
    """When the outage that opened it began; None: it is closed."""
    next_try: datetime | None = None
    """Set while it is not closed. It passes without a call if nobody has anything to ask."""
    reason: str = ""
    """What the last outage was."""
    _outages: int = 0
    _first: datetime | None = None
    _pause: timedelta = FIRST_PAUSE
    _is_tried: bool = False

    @property
    def state(self) -> CircuitState:
        if self.next_try is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self.clock.now() < self.next_try else CircuitState.HALF_OPEN

    def words(self) -> str:
        """As a person reads it; empty while it is closed."""
        if self.down_since is None or self.next_try is None:
            return ""
        says = f"{self.name} does not answer since {self.down_since:%H:%M} UTC"
        if self.state is CircuitState.HALF_OPEN:
            return f"{says}; the next call tries again."
        return f"{says}; I try again at {self.next_try:%H:%M:%S} UTC."

    def attempt(self) -> AbstractContextManager[None]:
        return self._attempt()

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        state = self.state
        if state is CircuitState.CLOSED:
            yield
            return
        if state is CircuitState.OPEN or self._is_tried:
            raise Unavailable(self.words(), self._wait())
        self._is_tried = True
        try:
            yield
        finally:
            self._is_tried = False

    def answered(self) -> None:
        if self.down_since is not None:
            seconds = (self.clock.now() - self.down_since).total_seconds()
            log.info("circuit.closed", service=self.service, after_seconds=round(seconds))
        self.down_since = self.next_try = self._first = None
        self._outages, self._pause = 0, FIRST_PAUSE

    def failed(self, why: str) -> None:
        now = self.clock.now()
        self._outages, self.reason = self._outages + 1, why
        self._first = self._first or now
        if self.next_try is None and self._outages < OUTAGES:
            return
        if self.down_since is None:
            self.down_since = self._first
            log.warning("circuit.opened", service=self.service, reason=why, seconds=self._pause.total_seconds())
        elif self.state is CircuitState.HALF_OPEN:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self.next_try = now + self._pause

    def _wait(self) -> float:
        assert self.next_try is not None
        return max(TRIAL_SECONDS, (self.next_try - self.clock.now()).total_seconds())


@dataclass(slots=True)
class AllCircuits:
    """Fulfils `core.ports.Circuits`."""

    clock: Clock
    _known: dict[str, OneCircuit] = field(default_factory=dict)

    def circuit(self, service: str, name: str) -> OneCircuit:
        return self._known.setdefault(service, OneCircuit(service, name, self.clock))

    def all(self) -> Sequence[OneCircuit]:
        return list(self._known.values())

    def troubles(self) -> list[str]:
        """A sentence for each that is not closed."""
        return [words for each in self._known.values() if (words := each.words())]
