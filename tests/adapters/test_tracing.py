"""Spans as OpenTelemetry has them: one trace for a run, on the SDK's own exporter and over OTLP to a listener."""

from __future__ import annotations

import asyncio
import gzip
import sys
from uuid import uuid4

import pytest
from aiohttp import web

from core.model.errors import ConfigError

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.tracing import OtelTracer, open_tracer


def ids(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


async def spans_of(tracer: OtelTracer, exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    await tracer.close()
    return {each.name: each for each in exporter.get_finished_spans()}


async def test_what_is_done_for_a_run_is_one_trace_wherever_it_is_done() -> None:
    exporter, run, other = InMemorySpanExporter(), uuid4(), uuid4()
    tracer = OtelTracer(exporter)

    async def later() -> None:
        with tracer.span("step", str(run), flow=str(run)), tracer.span("forge", forge="github"):
            pass

    delivery = tracer.span("delivery", str(run), cause="telegram:1:2:3")
    with delivery, tracer.span("inner", str(run)), tracer.span("post", str(other)):
        pass
    await asyncio.create_task(later())
    with tracer.span("alone"):
        pass
    spans = await spans_of(tracer, exporter)

    root = ids(spans["delivery"])
    assert root[0] == run.int
    assert spans["delivery"].parent is None
    assert {name: each.parent.span_id for name, each in spans.items() if each.parent} == {
        "inner": root[1],
        "step": root[1],
        "forge": ids(spans["step"])[1],
        "post": other.int & (1 << 64) - 1,
    }
    assert {name for name, each in spans.items() if ids(each)[0] == run.int} == {"delivery", "inner", "step", "forge"}
    assert ids(spans["post"])[0] == other.int
    assert dict(spans["forge"].attributes or {}) == {"patchbay.forge": "github"}


async def test_what_fails_is_marked_without_its_words() -> None:
    exporter = InMemorySpanExporter()
    tracer = OtelTracer(exporter)
    with pytest.raises(ValueError, match="hunter2"), tracer.span("step", str(uuid4())):
        raise ValueError("the password is hunter2")
    span = (await spans_of(tracer, exporter))["step"]

    assert (span.status.status_code.name, span.status.description) == ("ERROR", "ValueError")
    assert "hunter2" not in span.to_json()


async def test_spans_are_sent_over_otlp() -> None:
    taken: list[ExportTraceServiceRequest] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        taken.append(ExportTraceServiceRequest.FromString(body))
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    run = uuid4()
    tracer = open_tracer(f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces")
    with tracer.span("delivery", str(run), platform="telegram"):
        pass
    await tracer.close()
    await runner.cleanup()

    [sent] = [span for each in taken for of in each.resource_spans for scope in of.scope_spans for span in scope.spans]
    assert (sent.name, sent.trace_id) == ("delivery", run.bytes)
    [resource] = [of.resource for each in taken for of in each.resource_spans]
    assert "patchbay" in str(resource)


async def test_a_collector_that_is_away_costs_nothing_but_spans() -> None:
    tracer = open_tracer("http://127.0.0.1:9/v1/traces")
    with tracer.span("delivery", str(uuid4())):
        pass
    await tracer.close()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with pytest.raises(ConfigError, match=r"patchbay\[otel\]"):
        open_tracer("http://127.0.0.1:9/v1/traces")
