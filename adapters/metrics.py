"""What the core counts, kept in plain numbers and told in Prometheus' text format when somebody asks.

Counting happens for each message, on the event loop, and takes about a microsecond; so prometheus-client is not on that
way. It is imported, in a thread, when /metrics is asked for the first time, and then writes the text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

PREFIX = "patchbay_"

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Sorted by name."""


@dataclass(frozen=True, slots=True)
class Said:
    """`buckets`: upper bounds in seconds, ascending."""

    about: str
    buckets: Sequence[float] = ()


COUNTERS = {
    "deliveries_taken": Said("Deliveries committed to the inbox, each cause once."),
    "deliveries_handled": Said("Deliveries that were handled."),
    "deliveries_set_aside": Said("Deliveries that failed three times; see `patchbay inbox list`."),
    "posts": Said(
        "Calls that show posts, by what became of them: sent, edited, delayed (429), failed, unknown, rejected."
    ),
    "alerts": Said("What whoever runs the bot must know, by kind; the log has the words."),
    "tokens": Said("Tokens of the agents' models."),
    "cost_dollars": Said("Cost of the agents' models in US dollars, where the price is known."),
    "gateway_requests": Said("Requests to models, by upstream and by what became of them: ok, error, outage, refused."),
    "gateway_tokens": Said("Tokens that went through the gateway, by upstream and direction."),
    "gateway_cost_dollars": Said("What the gateway counted in US dollars, by upstream, where the price is known."),
}
HISTOGRAMS = {
    "handling_seconds": Said(
        "From the moment a delivery is the next of its thread until it is settled.",
        (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    ),
    "loop_lag_seconds": Said(
        "How late the event loop comes back to what is due; more than a moment: something blocks it.",
        (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    ),
    "turn_seconds": Said(
        "How long agents' turns take, by how they end.", (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
    ),
}
GAUGES = {
    "inbox_depth": Said("Deliveries that wait to be handled."),
    "outbox_depth": Said("Posts and edits that wait to be shown."),
    "oldest_unsent_seconds": Said("How long the oldest post that is not sent waits; 0: none does."),
    "runs": Said("Runs by state."),
    "database_up": Said("1: the database takes a write."),
    "disk_free_bytes": Said("What is free where the data folder is."),
    "circuit_state": Said("Of each outside service. 0: closed, it answers; 1: half open, a try is due; 2: open."),
    "platform_connected": Said("1: it was reached since the start, and has not been lost."),
    "engine_launched": Said("1: runs and digests are being worked on."),
}

Gauges: TypeAlias = Mapping[str, Mapping[Labels, float]]


@dataclass(slots=True)
class _Spread:
    """`counts`: how many measurements fell into each bucket alone; one more than there are bounds."""

    counts: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Tally:
    """Fits `core.ports.Meter`. KeyError for a name that is in no table above. For the event loop's thread alone."""

    _counts: dict[str, dict[Labels, float]] = field(default_factory=lambda: {name: {} for name in COUNTERS})
    _spreads: dict[str, dict[Labels, _Spread]] = field(default_factory=lambda: {name: {} for name in HISTOGRAMS})

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        key, series = tuple(sorted(labels.items())), self._counts[name]
        series[key] = series.get(key, 0.0) + amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        key, series, buckets = tuple(sorted(labels.items())), self._spreads[name], HISTOGRAMS[name].buckets
        spread = series.get(key)
        if spread is None:
            spread = series[key] = _Spread([0] * (len(buckets) + 1))
        spread.counts[bisect_left(buckets, value)] += 1
        spread.total += value

    def copy(self) -> Tally:
        """As it is now, for another thread to read."""
        spreads = {
            name: {key: _Spread(list(each.counts), each.total) for key, each in series.items()}
            for name, series in self._spreads.items()
        }
        return Tally({name: dict(series) for name, series in self._counts.items()}, spreads)


def exposed(tally: Tally, gauges: Gauges) -> tuple[bytes, str]:
    """The text and its type, with what the process uses. Imports, and reads files: call it in a thread."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415 - imported when used
    from prometheus_client.process_collector import ProcessCollector  # noqa: PLC0415
    from prometheus_client.registry import Collector, CollectorRegistry  # noqa: PLC0415

    class Told(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _counters(tally)
            yield from _histograms(tally)
            yield from _gauges(gauges)

    registry = CollectorRegistry()
    registry.register(Told())
    ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def _counters(tally: Tally) -> Iterator[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily  # noqa: PLC0415 - imported when used

    for name, series in tally._counts.items():  # noqa: SLF001 - this is its other half
        family = CounterMetricFamily(PREFIX + name, COUNTERS[name].about)
        for labels, value in series.items():
            family.add_sample(f"{PREFIX}{name}_total", dict(labels), value)
        yield family


def _histograms(tally: Tally) -> Iterator[Metric]:
    from prometheus_client.metrics_core import HistogramMetricFamily  # noqa: PLC0415 - imported when used

    for name, series in tally._spreads.items():  # noqa: SLF001 - this is its other half
        family = HistogramMetricFamily(PREFIX + name, HISTOGRAMS[name].about)
        for labels, spread in series.items():
            below = 0
            for bound, count in zip((*HISTOGRAMS[name].buckets, float("inf")), spread.counts, strict=True):
                below += count
                said = "+Inf" if bound == float("inf") else str(float(bound))
                family.add_sample(f"{PREFIX}{name}_bucket", {**dict(labels), "le": said}, below)
            family.add_sample(f"{PREFIX}{name}_count", dict(labels), below)
            family.add_sample(f"{PREFIX}{name}_sum", dict(labels), spread.total)
        yield family


def _gauges(gauges: Gauges) -> Iterator[Metric]:
    from prometheus_client.metrics_core import GaugeMetricFamily  # noqa: PLC0415 - imported when used

    for name, series in gauges.items():
        family = GaugeMetricFamily(PREFIX + name, GAUGES[name].about)
        for labels, value in series.items():
            family.add_sample(PREFIX + name, dict(labels), value)
        yield family
