"""Which trace a piece of work belongs to: that of the run, whose id is made from the cause of its first message.

So what is heard, done and said is one trace without anything being handed on, also over a restart.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

from core.model.chat import Cause, PostKey
from core.model.codec import Json
from core.ports import Flow, FlowFunction, Tracer

T = TypeVar("T")

_NOTHING = nullcontext()


class NoTracer:
    """Fulfils Tracer, and costs nothing."""

    def span(self, name: str, trace: str = "", **facts: str) -> AbstractContextManager[None]:
        del name, trace, facts
        return _NOTHING


def trace_of(cause: Cause) -> str:
    """The id of the run that this cause starts, if it does."""
    return str(uuid5(NAMESPACE_URL, f"patchbay:run:{cause}"))


def trace_of_post(key: PostKey) -> str:
    """`answer:<run>:1` belongs to the run, `reply:<cause>` to what was said."""
    run = _RUN.search(key)
    return run[0] if run else trace_of(Cause(key.partition(":")[2].partition("#")[0]))


def traced(function: FlowFunction, tracer: Tracer) -> FlowFunction:
    """The same flow, with a span around each step that is really done; one that is replayed has none."""

    async def watched(flow: Flow, args: Json) -> Json:
        return await function(_TracedFlow(flow, tracer), args)

    return watched


class _TracedFlow:
    """Fulfils Flow."""

    def __init__(self, flow: Flow, tracer: Tracer) -> None:
        self._flow, self._tracer = flow, tracer
        self._trace = flow.id if _RUN.fullmatch(flow.id) else trace_of(Cause(flow.id))

    @property
    def id(self) -> str:
        return self._flow.id

    async def step(self, name: str, returns: type[T], call: Callable[..., Awaitable[T]], *args: Any) -> T:  # noqa: ANN401
        async def watched(*given: Any) -> T:  # noqa: ANN401
            with self._tracer.span(f"step {name.rstrip('-0123456789')}", self._trace, flow=self.id, step=name):
                return await call(*given)

        return await self._flow.step(name, returns, watched, *args)

    async def wait(self, topic: str, seconds: float) -> Json:
        return await self._flow.wait(topic, seconds)

    async def sleep_until(self, when: datetime) -> None:
        await self._flow.sleep_until(when)


_RUN = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
