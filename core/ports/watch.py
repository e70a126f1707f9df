"""What stands before and beside the calls to the outside world."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, runtime_checkable


class Circuit(Protocol):
    """Stands before one outside service. While that does not answer, nobody waits for it: calls fail at once.

    For the loop's thread alone. What counts as an outage: no connection, no answer in time, a lost answer, HTTP 5xx;
    never a refusal, and never a request to wait.
    """

    def attempt(self) -> AbstractContextManager[None]:
        """Around one call. Unavailable when it is not to be made; inside, say `answered` or `failed`, or nothing."""

    def answered(self) -> None:
        """The service is there, whatever it said. May be told outside of an attempt."""

    def failed(self, why: str) -> None:
        """An outage. May be told outside of an attempt, by who waits for the service in a way of his own."""


class Lives(Protocol):
    """Since when the bot is away, known after it has come back."""

    async def beat(self, at: datetime) -> None:
        """It is alive."""

    async def last_beat(self) -> datetime | None:
        """None: it never was."""


@runtime_checkable
class Forgetting(Protocol):
    """A platform that drops presses which the bot does not fetch in time, and tells nobody."""

    @property
    def press_seconds(self) -> float:
        """How long it keeps them."""


class Circuits(Protocol):
    """Every outside service has its circuit, shared by all who call it."""

    def circuit(self, service: str, name: str) -> Circuit:
        """`service`: a short label without secrets (`telegram`, `api.github.com`); `name`: as a person reads it."""


class Tracer(Protocol):
    """Tells how long each piece of work took, and what it was part of, to who collects traces."""

    def span(self, name: str, trace: str = "", **facts: str) -> AbstractContextManager[None]:
        """Around one piece of work; an exception marks it as failed and goes on.

        `trace`: the run it is for, or would be (`core.tracing`); empty: of the span around it, else one of its own.
        `facts`: ids and kinds, never what people said.
        """
