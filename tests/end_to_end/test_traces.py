"""A bot that is told where traces go sends one for a run: from what was said to the pull request and the last post."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.end_to_end.stage import ADA, stage
from tests.end_to_end.test_talk import link, post
from tests.fakes.llm import Use, Words

SECRET = "the-word-nobody-may-read"


class Collector:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.endpoint = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        for of in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.spans += [span for scope in of.scope_spans for span in scope.spans]
        return web.Response()


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    made, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    try:
        yield made
    finally:
        await runner.cleanup()


async def test_a_run_is_one_trace(tmp_path: Path) -> None:
    async with collector() as traces, stage(tmp_path) as scene:
        scene.more["tracing"] = {"endpoint": traces.endpoint}
        scene.llm.script([Use("edit", path="a.txt", old="", new="a"), Words("Written.")])
        async with scene.bot("telegram") as bot:
            await link(scene)
            scene.telegram.say(ADA, f"Write a.txt {SECRET}")
            await post(scene, "✅", "Written.")
        names = told(traces)

    assert names[:1] == ["delivery"]
    assert {"step prepare", "step turn", "step publish", "step finish", "forge", "post"} <= set(names)
    assert SECRET not in str(traces.spans)
    assert "Traceback" not in bot.log


def told(traces: Collector) -> list[str]:
    """The names of the spans of the trace with most of them, in the order they began."""
    by_trace: dict[bytes, list[Span]] = {}
    for each in traces.spans:
        by_trace.setdefault(each.trace_id, []).append(each)
    most = max(len(each) for each in by_trace.values())
    longest = next(each for each in by_trace.values() if len(each) == most)
    return [each.name for each in sorted(longest, key=lambda span: span.start_time_unix_nano)]
