"""How much a chat bears over time, and what edits leave of that to posts. No platform says it exactly.

So a post is never held on a guess: it goes at once, and if that was too much the platform says for how long to wait.
Every post and every edit is counted all the same, and edits keep behind: the burst that a chat allows is the posts'.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

MOST_CALLS_AHEAD = 15
"""What was sent faster than that is forgiven; in a Telegram group, where a call takes 4 s, this is its minute."""


@runtime_checkable
class SharesEdits(Protocol):
    """A platform that also counts the edits of all its chats together, and when it refuses one it means all."""

    @property
    def shared_edit_gap(self) -> float:
        """Seconds for each edit, whatever chat it is in."""


@dataclass(slots=True)
class Pace:
    """`gap`: the seconds that each call takes. Calls add up: two at once take two gaps to be made up for."""

    gap: float
    _even_at: datetime | None = None
    _closed_until: datetime | None = None

    def spend(self, now: datetime) -> None:
        """A call is made."""
        start = max(now, self._even_at or now)
        most = now + timedelta(seconds=self.gap * MOST_CALLS_AHEAD)
        self._even_at = min(start + timedelta(seconds=self.gap), most)

    def close(self, until: datetime) -> None:
        """The platform bears none before then."""
        self._closed_until = max(until, self._closed_until or until)

    def wait(self, now: datetime, ahead: float) -> float:
        """Seconds until what was sent is at most `ahead` seconds ahead of the pace; 0: it is."""
        even = self._even_at or now
        closed = self._closed_until or now
        return max(0.0, (even - now).total_seconds() - ahead, (closed - now).total_seconds())
