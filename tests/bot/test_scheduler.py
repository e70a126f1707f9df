"""The clock ticks, and goes on after an error."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot import scheduler


async def test_what_is_due_is_asked_again_and_again_even_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "TICK_SECONDS", 0.05)
    asked = asyncio.Event()
    times: list[int] = []

    async def due() -> int:
        times.append(1)
        if len(times) == 3:
            asked.set()
        raise ZeroDivisionError

    async def tidy() -> int:
        raise AssertionError("not at once")

    task = asyncio.create_task(scheduler.tick(due, tidy))
    await asyncio.wait_for(asked.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert len(times) >= 3


async def test_the_tidying_begins_soon_after_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "FIRST_TIDY", timedelta(milliseconds=50))
    tidied = asyncio.Event()

    async def due() -> int:
        return 0

    async def tidy() -> int:
        tidied.set()
        return 0

    task = asyncio.create_task(scheduler.tick(due, tidy))
    await asyncio.wait_for(tidied.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
