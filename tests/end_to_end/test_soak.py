"""The soak and the steady load in small: all is answered, and nothing stays that should be gone. No time is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak import __main__ as soak
from benchmarks.soak.verdict import judge, table
from benchmarks.soak.vitals import Vitals
from benchmarks.steady import __main__ as steady

QUIET = Vitals(
    at=0, rss=200, pss=180, fds=30, threads=15, children=0, checkouts=0, sessions=0, store=1, engine=1, log=1
)


@pytest.mark.timeout(120)
async def test_a_few_seconds_of_a_steady_life_leave_nothing_behind(tmp_path: Path) -> None:
    plan = soak.Plan(seconds=8, warm=0, every=2, seed=3, pace=5, gap=1.5, quiet=1)

    samples, counts = await soak.soak(tmp_path, plan, lambda _: None)

    assert counts.troubles == []
    assert counts.said == counts.answered > 10
    assert sum(counts.rounds.values()) >= 3
    end = samples[-1]
    assert (end.children, end.checkouts) == (0, 0)
    assert end.fds <= samples[0].fds + 20
    assert end.store > 0 < end.engine


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_a_few_seconds_of_a_busy_workspace(mode: str, tmp_path: Path) -> None:
    plan = steady.Plan(mode, seconds=4, seed=5, runs=2, pause=0.001)

    measured, loop = await steady.steady(tmp_path, plan)

    assert (measured.troubles, measured.refused, measured.unanswered) == ([], 0, 0)
    assert len(measured.acks) == 4 * 17
    assert 20 < len(measured.answers) < 68
    assert measured.runs >= 2
    assert sum(loop.beats.values()) > 0
    assert mode in steady.told(mode, measured, loop)


def hours(**slopes: float) -> Sequence[Vitals]:
    """Two hours, one sample a minute; what is named grows by so much in an hour."""
    return [_after(minute, slopes) for minute in range(121)]


def _after(minute: int, slopes: Mapping[str, float]) -> Vitals:
    grown: dict[str, Any] = {name: getattr(QUIET, name) + each * minute / 60 for name, each in slopes.items()}
    return replace(QUIET, at=minute * 60.0, **grown)


def test_memory_that_grows_is_seen_and_a_peak_is_not() -> None:
    assert judge(hours(), 1200).faults == ()
    peak = [replace(each, rss=400) if each.at == 3600 else each for each in hours(rss=2)]
    assert judge(peak, 1200).faults == ()
    grown = judge(hours(rss=10), 1200)
    assert 0.05 < grown.growth < 0.09
    assert len(grown.faults) == 1


@pytest.mark.parametrize("what", ["fds", "threads", "children", "checkouts"])
def test_what_is_never_given_back_is_seen_and_what_comes_and_goes_is_not(what: str) -> None:
    leaks = judge(hours(**{what: 10}), 1200)
    goes: dict[str, Any] = {what: 40}
    comes_and_goes = [replace(each, **goes) if each.at % 120 else each for each in hours()]

    assert [what in each for each in leaks.faults] == [True]
    assert judge(comes_and_goes, 1200).faults == ()
    assert table(hours()).count("\n") == 26
