"""From samples to a verdict: does memory grow after the warm-up, and does anything stay that should be gone?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.soak.vitals import Vitals

MOST_GROWTH = 0.05
WINDOWS = 10
"""So many parts of equal length the time after the warm-up is cut into."""
FLOORS = ("fds", "threads", "children", "checkouts")
SLACK = {"fds": 2, "threads": 2}
"""Pools open and close by themselves; what leaks goes on and on."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`growth` of the memory from the beginning to the end of the fit, 0.05 is 5 %; `faults` empty: all is well."""

    growth: float
    first: float
    last: float
    faults: tuple[str, ...]


def judge(samples: Sequence[Vitals], warm_seconds: float) -> Verdict:
    """Memory by a line through the medians of windows (Theil-Sen); what is counted by the least in a window.

    A count that leaks never comes down again: its least in the last window is above that in the first.
    """
    warm = [each for each in samples if each.at >= warm_seconds]
    windows = [part for part in _cut(warm) if part]
    points = [
        (statistics.median(each.at for each in part), statistics.median(each.rss for each in part)) for part in windows
    ]
    first, last = fit(points)
    growth = last / first - 1
    faults = [f"memory grew by {growth:.1%}"] if growth > MOST_GROWTH else []
    for name in FLOORS:
        least = [min(getattr(each, name) for each in part) for part in windows]
        if least[-1] > least[0] + SLACK.get(name, 0):
            said = f"{name} never came below {least[-1]} at the end, {least[0]} at the beginning"
            faults.append(f"{said}: {_more(windows)}" if name == "fds" else said)
    return Verdict(growth, first, last, tuple(faults))


def fit(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Where a line through the points begins and ends: by the median of all slopes, so one odd point moves nothing."""
    slopes = [(later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in combinations(points, 2)]
    slope = statistics.median(slopes) if slopes else 0.0
    start = statistics.median(value - slope * at for at, value in points)
    return start + slope * points[0][0], start + slope * points[-1][0]


def table(samples: Sequence[Vitals], rows: int = 24) -> str:
    """Every so-manieth sample, and the last."""
    every = max(1, len(samples) // rows)
    shown = [*samples[::every]] + ([samples[-1]] if (len(samples) - 1) % every else [])
    head = "| min | RSS MB | PSS MB | fds | threads | children | checkouts | sessions | store MB | engine MB | lag ms |"
    return "\n".join([head, "|---" * 11 + "|", *map(row, shown)])


def row(each: Vitals) -> str:
    lag = "" if each.lag is None else f"{each.lag:.0f}"
    counts = f"{each.fds} | {each.threads} | {each.children} | {each.checkouts} | {each.sessions}"
    sizes = f"{each.store:.1f} | {each.engine:.1f}"
    return f"| {each.at / 60:.1f} | {each.rss:.1f} | {each.pss:.1f} | {counts} | {sizes} | {lag} |"


def _cut(samples: Sequence[Vitals]) -> list[list[Vitals]]:
    begin, length = samples[0].at, (samples[-1].at - samples[0].at) / WINDOWS or 1.0
    parts: list[list[Vitals]] = [[] for _ in range(WINDOWS)]
    for each in samples:
        parts[min(WINDOWS - 1, int((each.at - begin) / length))].append(each)
    return parts


def _more(windows: Sequence[Sequence[Vitals]]) -> str:
    """Of which kinds there are more than there were."""
    first, last = (
        {kind: min(each.open.get(kind, 0) for each in part) for kind in part[0].open}
        for part in (windows[0], windows[-1])
    )
    return ", ".join(
        f"{kind} +{count - first.get(kind, 0)}" for kind, count in last.items() if count > first.get(kind, 0)
    )
