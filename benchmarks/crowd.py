"""People who each say something, and note when they are answered."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

PATIENCE_SECONDS = 10.0
"""How long a message may stay unanswered after the last was said."""


@dataclass(frozen=True, slots=True)
class Measured:
    """`said` counts every message, `rate` those answered in a second of the measured time; times in milliseconds."""

    said: int
    answered: int
    rate: float
    p50: float
    p95: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Crowd:
    """`say(user)` is told to deliver a message; `answered(user)` must be called when the answer arrives."""

    def __init__(self, users: list[int], say: Callable[[int], None]) -> None:
        self._users, self._say = users, say
        self._asked: dict[int, float] = {}
        self._times: list[float] = []
        self._said = self._answered = self._counted = 0
        self._goes_on = False
        self._is_measuring = False
        self._is_closed = True
        self._answered_all = asyncio.Event()

    async def closed(self, warm_seconds: float, seconds: float) -> Measured:
        """Everyone says the next thing as soon as the last is answered."""
        self._goes_on = True
        for user in self._users:
            self._speak(user)
        await asyncio.sleep(warm_seconds)
        self._is_measuring, began = True, perf_counter()
        await asyncio.sleep(seconds)
        self._is_measuring, took = False, perf_counter() - began
        self._goes_on = False
        await self._until_answered()
        return self._measured(self._counted / took)

    async def paced(self, rate: float, seconds: float) -> Measured:
        """`rate` messages in a second, evenly, from one after another."""
        self._is_closed, self._is_measuring, began = False, True, perf_counter()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - perf_counter()))
            self._speak(self._users[number % len(self._users)])
        await self._until_answered()
        return self._measured(rate)

    def answered(self, user: int) -> None:
        asked = self._asked.pop(user, None)
        if asked is None:
            return
        self._answered += 1
        if self._is_measuring:
            self._counted += 1
            self._times.append((perf_counter() - asked) * 1000)
        if self._goes_on and self._is_closed:
            self._speak(user)
        elif not self._asked:
            self._answered_all.set()

    def _speak(self, user: int) -> None:
        self._answered_all.clear()
        self._said += 1
        self._asked[user] = perf_counter()
        self._say(user)

    async def _until_answered(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self._asked:
                    await self._answered_all.wait()
        except TimeoutError:
            return

    def _measured(self, rate: float) -> Measured:
        times = sorted(self._times) or [0.0]
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
        return Measured(self._said, self._answered, rate, statistics.median(times), p95)
