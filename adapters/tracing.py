"""Traces to OpenTelemetry, over OTLP and HTTP; an extra: `pip install 'patchbay[otel]'`.

A trace has the 128 bits of a run's id. Its root is the delivery, whose span id is made from them as well: whatever is
done for the run later, in another task or another life of the bot, names that as its parent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from core.model.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter

ROOT = "delivery"
"""The name of the span with which a trace begins."""

LOW_BITS = (1 << 64) - 1
FLUSH_MILLISECONDS = 3_000
"""How long a stop waits for the collector."""
EXPORT_SECONDS = 5.0

_root: ContextVar[tuple[int, int] | None] = ContextVar("root", default=None)
"""Trace and span id of the root that is about to be made."""


class ClosingTracer(Protocol):
    """A Tracer that must send what it has."""

    def span(self, name: str, trace: str = "", **facts: str) -> AbstractContextManager[None]: ...

    async def close(self) -> None: ...


def open_tracer(endpoint: str) -> ClosingTracer:
    """`endpoint`: `http://127.0.0.1:4318/v1/traces`. ConfigError when the extra is not installed."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
    except ImportError as error:
        raise ConfigError(
            "tracing.endpoint is set, but OpenTelemetry is not installed: pip install 'patchbay[otel]'"
        ) from error
    return OtelTracer(OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS))


class OtelTracer:
    """Fulfils Tracer. Spans are sent in the background, in batches; a collector that is away costs spans alone."""

    def __init__(self, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415

        class Ids(RandomIdGenerator):
            def generate_trace_id(self) -> int:
                root = _root.get()
                return root[0] if root else super().generate_trace_id()

            def generate_span_id(self) -> int:
                root = _root.get()
                return root[1] if root else super().generate_span_id()

        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "patchbay"}), id_generator=Ids(), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("patchbay")

    @contextmanager
    def span(self, name: str, trace: str = "", **facts: str) -> Iterator[None]:
        from opentelemetry.trace import Status, StatusCode, use_span  # noqa: PLC0415 - an extra

        context, root = _place(name, trace)
        token = _root.set(root)
        try:
            span = self._tracer.start_span(name, context, attributes={f"patchbay.{key}": facts[key] for key in facts})
        finally:
            _root.reset(token)
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield
            except BaseException as error:  # its text may hold what people said
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._provider.force_flush(FLUSH_MILLISECONDS)
        self._provider.shutdown()


def _place(name: str, trace: str) -> tuple[Context, tuple[int, int] | None]:
    """The context that holds the parent, and the ids of a root that has none."""
    from opentelemetry import trace as otel  # noqa: PLC0415 - an extra
    from opentelemetry.context import Context, get_current  # noqa: PLC0415

    if not trace:
        return get_current(), None
    number = UUID(trace).int
    around = otel.get_current_span().get_span_context()
    if around.is_valid and around.trace_id == number:
        return get_current(), None
    ids = (number, number & LOW_BITS or 1)
    if name == ROOT:
        return Context(), ids
    parent = otel.SpanContext(*ids, is_remote=True, trace_flags=otel.TraceFlags(otel.TraceFlags.SAMPLED))
    return otel.set_span_in_context(otel.NonRecordingSpan(parent), Context()), None
