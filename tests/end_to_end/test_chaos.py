"""Killed at known points, again and again: the small form; `python -m benchmarks.chaos` is the large one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchmarks.chaos.controls import CONTROLS
from benchmarks.chaos.episode import episode, make_template, try_control
from benchmarks.chaos.lives import Lives
from benchmarks.chaos.plan import Plan, Report

LIVES = 40

pytestmark = pytest.mark.timeout(600)


async def test_killed_at_forty_points_nothing_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    report = Report()
    async with _lives(tmp_path) as (lives, template):
        await episode(Plan(seed=1, number=0, lives=LIVES), lives, tmp_path / "episode", template, report)

    assert report.faults == [], report.table()
    assert report.lives == LIVES
    assert len(report.points) > LIVES / 2


async def test_a_fault_that_is_built_in_turns_it_red(tmp_path: Path) -> None:
    async with _lives(tmp_path) as (lives, template):
        reports = {name: await try_control(name, 1, lives, tmp_path, template) for name in CONTROLS}

    seen = {name: CONTROLS[name].is_seen(report.faults) for name, report in reports.items()}
    assert seen == dict.fromkeys(CONTROLS, True)


@asynccontextmanager
async def _lives(folder: Path) -> AsyncIterator[tuple[Lives, Path]]:
    lives = await Lives.begin()
    try:
        yield lives, await make_template(lives, folder / "template")
    finally:
        await lives.close()
