"""Time while this process runs: a machine that stands still, or stops us, must not be taken for a bot that hangs."""

from __future__ import annotations

from time import monotonic

MOST_SECONDS = 1.0
"""Between two looks; whatever is more was not our time."""


class Awake:
    """Look at it often; `seconds` since it was made."""

    def __init__(self) -> None:
        self.seconds, self._last = 0.0, monotonic()

    def look(self) -> float:
        now = monotonic()
        self.seconds += min(now - self._last, MOST_SECONDS)
        self._last = now
        return self.seconds
