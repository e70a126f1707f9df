"""Which trace work belongs to, and that where nothing is traced nothing happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.model.chat import Cause, PostKey
from core.model.codec import Json
from core.ports import Flow
from core.runs.desk import run_id
from core.tracing import NoTracer, trace_of, trace_of_post, traced
from tests.fakes.clock import FakeClock
from tests.fakes.engine import FakeEngine

CAUSE = Cause("telegram:42:-100:7")
RUN = run_id(CAUSE)


class Noted:
    """Fulfils Tracer."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, dict[str, str]]] = []

    @contextmanager
    def span(self, name: str, trace: str = "", **facts: str) -> Iterator[None]:
        self.spans.append((name, trace, facts))
        yield


def test_what_a_run_came_from_is_in_its_trace() -> None:
    assert trace_of(CAUSE) == RUN


@pytest.mark.parametrize(
    "key", [f"answer:{RUN}:2", f"anchor:{RUN}", f"cut:{RUN}:1#2", f"reply:{CAUSE}", f"open:{CAUSE}#3"]
)
def test_a_post_is_in_the_trace_of_what_it_is_for(key: str) -> None:
    assert trace_of_post(PostKey(key)) == RUN


def test_where_nothing_is_traced_a_span_is_nothing() -> None:
    tracer = NoTracer()
    with tracer.span("delivery", RUN, cause=CAUSE), tracer.span("step"):
        pass

    assert tracer.span("a") is tracer.span("b")


@pytest.mark.parametrize(("flow", "trace"), [(str(RUN), str(RUN)), ("digest-1", trace_of(Cause("digest-1")))])
async def test_each_step_of_a_flow_has_a_span_and_the_flow_goes_on_as_before(flow: str, trace: str) -> None:
    tracer, engine = Noted(), FakeEngine(FakeClock())
    ends: list[Json] = []

    async def double(number: int) -> int:
        return 2 * number

    async def body(flow: Flow, args: Json) -> Json:
        first = await flow.step("turn-1", int, double, 4)
        await flow.sleep_until(FakeClock().now())
        said = await flow.wait("word", 60)
        ends.append([first, said, flow.id, await flow.step("finish", int, double, 1)])
        return None

    await engine.launch({"run.v1": traced(body, tracer)})
    await engine.start("run.v1", flow, {})
    await engine.signal(flow, "word", "go", "k")
    await engine.settled()
    await engine.close(1)

    assert ends == [[8, "go", flow, 2]]
    assert tracer.spans == [
        ("step turn", trace, {"flow": flow, "step": "turn-1"}),
        ("step finish", trace, {"flow": flow, "step": "finish"}),
    ]
