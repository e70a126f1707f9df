"""Durable functions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from core.model.codec import Json

T = TypeVar("T")


class Flow(Protocol):
    """What a flow is given: everything that must not happen twice goes through `step`."""

    @property
    def id(self) -> str: ...

    async def step(self, name: str, returns: type[T], call: Callable[..., Awaitable[T]], *args: Any) -> T:  # noqa: ANN401
        """Run `call(*args)` and keep its result; after a restart the kept result comes back instead.

        At least once. A result is anything `core.model.codec` can keep; `returns` is its type, read back by it.
        A BotError of the call is kept and raised again on replay.
        """

    async def wait(self, topic: str, seconds: float) -> Json:
        """The next value signalled under `topic`; None when the time is over. Survives restarts. Not in a step."""

    async def sleep_until(self, when: datetime) -> None: ...


FlowFunction = Callable[[Flow, Json], Awaitable[Json]]


class FlowState(StrEnum):
    OPEN = "open"
    DONE = "done"
    BROKEN = "broken"


class Engine(Protocol):
    """Durable work. What was started goes on after a crash, from its last step."""

    async def launch(self, flows: Mapping[str, FlowFunction]) -> None:
        """Register every flow under its name (`run.v1`), then go on with what was open."""

    async def start(self, flow: str, id: str, args: Json) -> None:  # noqa: A002 - the field's word
        """Once for each id, whatever it is called again with. Returns when it will surely run."""

    async def signal(self, id: str, topic: str, value: Json, key: str) -> None:  # noqa: A002
        """Once for each key. NotFound: no such flow."""

    async def state(self, id: str) -> FlowState | None:  # noqa: A002
        """None: never started, or forgotten."""

    async def prune(self, before: datetime) -> int:
        """Forget flows that ended before then; their number. Started again, such an id runs again. StoreError."""

    async def close(self, seconds: float) -> None:
        """Let steps reach their end for that long, then leave the rest for the next start."""
