"""Keeps a library from filling the log: what comes from the same place again is told once a minute, with its count.

A database server that is away would else be told of ten times a second, for as long as that lasts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

SECONDS = 60.0
MOST_PLACES = 1000
"""That are remembered; places in code, of which there are not so many."""


class Damped(logging.Filter):
    """For a handler. Errors always pass. `now`: seconds of a steady clock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._lock = threading.Lock()
        self._told: dict[tuple[str, int], float] = {}
        self._held: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            return True
        place = (record.pathname, record.lineno)
        with self._lock:
            now = self._now()
            if now - self._told.get(place, -SECONDS) < SECONDS:
                self._held[place] = self._held.get(place, 0) + 1
                return False
            if len(self._told) >= MOST_PLACES:
                self._told.clear()
                self._held.clear()
            self._told[place], count = now, self._held.pop(place, 0)
        if count:
            record.msg = f"{record.getMessage()} (and {count} times more since it was last told)"
            record.args = None
        return True
