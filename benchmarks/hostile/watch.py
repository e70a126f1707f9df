"""Asks /healthz again and again on new connections, as whoever watches over the bot does."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

HOST = "127.0.0.1"
PAUSE_SECONDS = 0.02
ANSWER_SECONDS = 30.0


@dataclass
class Watch:
    port: int
    seconds: list[float] = field(default_factory=list)
    """How long each answer took."""
    unanswered: int = 0

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(PAUSE_SECONDS)

    async def ask(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                try:
                    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    answer = await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            answer = b""
        if answer.startswith(b"HTTP/1.1 200 "):
            self.seconds.append(time.monotonic() - began)
        else:
            self.unanswered += 1

    def ms(self, part: float) -> float:
        times = sorted(self.seconds)
        return times[min(len(times) - 1, int(len(times) * part))] * 1_000 if times else float("inf")
