"""How many steps are being taken, so that `close` can wait for their end."""

from __future__ import annotations

import asyncio


class Busy:
    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[asyncio.Future[None]] = []

    def enter(self) -> None:
        self._count += 1

    def leave(self) -> None:
        self._count -= 1
        if self._count == 0:
            for each in self._waiting:
                if not each.done():
                    each.set_result(None)
            self._waiting.clear()

    async def over(self) -> None:
        while self._count:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
