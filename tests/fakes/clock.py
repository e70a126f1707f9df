"""A clock that stands still until it is set forward; whoever sleeps past the new time wakes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

TURNS = 20
"""Turns of the loop left to those who woke, before `forward` returns."""


class FakeClock:
    def __init__(self, now: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self._now = now
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        entry = (self._now + timedelta(seconds=seconds), woken)
        self._sleepers.append(entry)
        try:
            await woken
        finally:
            self._sleepers.remove(entry)

    async def forward(self, seconds: float) -> None:
        """Step by step, so that who sleeps again on the way is woken again."""
        end = self._now + timedelta(seconds=seconds)
        while due := sorted(when for when, _ in self._sleepers if when <= end):
            await self._set(max(due[0], self._now))
        await self._set(end)

    async def set(self, now: datetime) -> None:
        await self.forward((now - self._now).total_seconds())

    async def _set(self, now: datetime) -> None:
        self._now = now
        for when, woken in list(self._sleepers):
            if when <= now and not woken.done():
                woken.set_result(None)
        for _ in range(TURNS):
            await asyncio.sleep(0)
