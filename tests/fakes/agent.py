"""An agent that plays a script: each turn takes the next entry, a result, an error, or a function of the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from core.model.errors import BotError
from core.model.events import Readiness, TurnAsk, TurnResult
from core.ports import Approve, Note

Play = Callable[[TurnAsk, Note], Awaitable[TurnResult]]
Entry = TurnResult | BotError | Play


class FakeAgent:
    """Without a script it answers `done: <prompt>`. `turns` are those it was asked for, `hold` keeps it at work."""

    def __init__(self, name: str = "scripted", *, can_repeat: bool = False) -> None:
        self.name = name
        self.can_repeat = can_repeat
        self.readiness = Readiness("a script", is_usable=True)
        self.script: list[Entry] = []
        self.turns: list[TurnAsk] = []
        self.cancelled = 0
        self.began = asyncio.Event()

    async def ready(self) -> Readiness:
        return self.readiness

    async def take_turn(self, turn: TurnAsk, note: Note, approve: Approve) -> TurnResult:
        self.turns.append(turn)
        self.began.set()
        entry = self.script.pop(0) if self.script else TurnResult(f"done: {turn.prompt}")
        try:
            if isinstance(entry, BotError):
                raise entry
            if isinstance(entry, TurnResult):
                return entry
            return await entry(turn, note)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def for_ever(_turn: TurnAsk, _note: Note) -> TurnResult:
    """A turn that never ends by itself."""
    await asyncio.Event().wait()
    raise AssertionError
