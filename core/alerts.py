"""Alerts: what whoever runs the bot must know. Each is counted and logged at once; `core.owners` tells the owners.

    alerts.raise_(AlertKind.RUN_BROKEN, f"“{run.title}” (run `{run.id[:8]}`) could not go on: …", subject=run.id)

No storm: one message for each kind and subject in an hour, with a count of what came meanwhile; and where a kind has
MOST_SUBJECTS subjects in an hour, whatever else is of that kind shares one more message.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from core.meter import NoMeter
from core.ports import Clock, Meter

log = structlog.get_logger()

QUIET = timedelta(hours=1)
"""How long nothing more is told of the same."""

MOST_SUBJECTS = 5
OTHERS = "others"
"""The subject of all that is beyond those of its kind."""


class AlertKind(StrEnum):
    """The label of the metric `alerts_total`."""

    SET_ASIDE = "set_aside"
    """A delivery that failed three times. Subject: its id."""
    POST_LOST = "post_lost"
    """A post was refused for good, or twice nobody knows whether it arrived. Subject: the chat."""
    RUN_QUARANTINED = "run_quarantined"
    """A run took the bot down again and again, and is not taken up any more. Subject: its id."""
    RUN_BROKEN = "run_broken"
    """A run ended by a fault of ours. Subject: its id."""
    SERVICE_DOWN = "service_down"
    """An outside service has not answered for minutes. Subject: the service."""
    SERVICE_BACK = "service_back"
    CHECKPOINT = "checkpoint"
    """No trouble: a signed checkpoint of the audit, where the owners want them. Subject: its entry."""
    DISK_LOW = "disk_low"
    """Little room is left for the data."""
    STORE_DOWN = "store_down"
    """The database takes nothing: nothing is acknowledged."""
    STORE_BACK = "store_back"


@dataclass(frozen=True, slots=True)
class Alert:
    """`words`: Markdown, as the owner reads it, the newest of `count`. `since`: when the first of them came."""

    kind: AlertKind
    subject: str
    words: str
    since: datetime
    count: int = 1


class Alerts:
    """Who only raises needs nothing else: without anybody to tell, alerts are counted and logged."""

    def __init__(self, clock: Clock, meter: Meter | None = None) -> None:
        self._clock, self._meter = clock, meter or NoMeter()
        self._waiting: dict[tuple[AlertKind, str], Alert] = {}
        self._told: dict[tuple[AlertKind, str], datetime] = {}
        self._raised = asyncio.Event()

    def raise_(self, kind: AlertKind, words: str, subject: str = "") -> None:
        """Returns at once and never raises. From the loop's thread. `words` say what happened and the next step."""
        self._meter.count("alerts", kind=kind.value)
        log.warning("alert", kind=kind.value, subject=subject, words=words)
        now = self._clock.now()
        key = (kind, self._fold(kind, subject, now))
        waiting = self._waiting.get(key)
        self._waiting[key] = (
            replace(waiting, words=words, count=waiting.count + 1) if waiting else Alert(*key, words, now)
        )
        self._raised.set()

    async def until_raised(self) -> None:
        """Something came since the last call."""
        await self._raised.wait()
        self._raised.clear()

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting)

    def due(self) -> list[Alert]:
        """Those to be told now, oldest first; told or not, they are quiet for an hour from now on."""
        now = self._clock.now()
        self._told = {key: at for key, at in self._told.items() if now - at < QUIET}
        ready = [key for key in self._waiting if key not in self._told]
        self._told |= dict.fromkeys(ready, now)
        return [self._waiting.pop(key) for key in ready]

    def _fold(self, kind: AlertKind, subject: str, now: datetime) -> str:
        """The subject under which it is told."""
        recent = {key for key, at in self._told.items() if now - at < QUIET} | self._waiting.keys()
        known = {each for of, each in recent if of is kind}
        return subject if subject in known or len(known) < MOST_SUBJECTS else OTHERS
