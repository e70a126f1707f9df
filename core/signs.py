"""Signs: best-effort marks on what a person said. They bypass the outbox, and nothing waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from core.model.chat import Person, SignKind, ThreadRef
from core.ports import Advising, Naming, Signing

MOST_AT_ONCE = 200
"""Beyond that a sign is left out: it must never become a load of its own."""


class Signs:
    """Keeps the tasks it starts, and ends them with `close`."""

    def __init__(self, platforms: Mapping[str, object]) -> None:
        self._platforms = platforms
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, thread: ThreadRef, message: str, kind: SignKind) -> None:
        platform = self._platforms.get(thread.platform)
        if isinstance(platform, Signing):
            self._start(platform.sign(thread, message, kind))

    def answer_press(self, platform_name: str, handle: str, text: str = "") -> None:
        platform = self._platforms.get(platform_name)
        if handle and isinstance(platform, Signing):
            self._start(platform.answer_press(handle, text))

    async def name_of(self, person: Person) -> str:
        """How to call somebody: as the message says, else as the platform knows, else by the id."""
        platform = self._platforms.get(person.platform)
        if not person.name and isinstance(platform, Naming):
            return await platform.name_of(person) or person.id
        return person.name or person.id

    def advice(self, thread: ThreadRef) -> str:
        """What to change about this chat so that it serves better; empty: nothing."""
        platform = self._platforms.get(thread.platform)
        return platform.advice(thread) if isinstance(platform, Advising) else ""

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, sign: Coroutine[Any, Any, None]) -> None:
        if len(self._tasks) >= MOST_AT_ONCE:
            sign.close()
            return
        task = asyncio.ensure_future(sign)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
