"""Time, figures and secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""

    async def sleep(self, seconds: float) -> None: ...


class Meter(Protocol):
    """What happens, in numbers, for whoever watches over the bot. Labels take few values, and no names of people."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """So much more. Returns at once."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """One measurement among many: its distribution is told. Returns at once."""


Find = Callable[[str], Sequence[str]]
"""Every secret in a text, live or of a known shape, as it stands there."""

Redact = Callable[[str], str]
"""The same text with every live secret blacked out."""
