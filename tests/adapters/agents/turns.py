"""What the tests of agents share: a turn in a checkout, what an agent noted, and whether a process lives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from core.model.approvals import Act, Verdict
from core.model.events import ActionBegan, ActionEnded, AgentEvent, SessionNamed, TextSaid, TurnAsk
from core.model.work import Checkout, ProjectKey, RunId


def turn_in(folder: Path, prompt: str = "Do it.", *, run: str = "", **rest: Any) -> TurnAsk:
    run = RunId(run or str(uuid4()))
    checkout = Checkout(run, ProjectKey("DEMO"), str(folder), "task/DEMO-1", "main", "0" * 40)
    return TurnAsk(run, prompt, checkout, **rest)


@dataclass
class Notes:
    """Takes events, in order."""

    events: list[AgentEvent] = field(default_factory=list)

    def __call__(self, event: AgentEvent) -> None:
        self.events.append(event)

    @property
    def said(self) -> str:
        return "".join(each.text for each in self.events if isinstance(each, TextSaid))

    @property
    def titles(self) -> list[str]:
        return [each.title for each in self.events if isinstance(each, ActionBegan)]

    @property
    def ends(self) -> list[ActionEnded]:
        return [each for each in self.events if isinstance(each, ActionEnded)]

    @property
    def session(self) -> str:
        return next(each.session for each in self.events if isinstance(each, SessionNamed))

    @property
    def are_paired(self) -> bool:
        began = [each.id for each in self.events if isinstance(each, ActionBegan)]
        return began == [each.id for each in self.ends]


@dataclass
class NoWaiting:
    """A clock that notes how long it was asked to sleep."""

    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


async def nobody_asked(act: Act) -> Verdict:
    """Everything is allowed at once, as by the rules."""
    return Verdict(granted=True)


async def pid_in(path: Path, seconds: float = 60.0) -> int:
    """The process id that a child writes into a file, as soon as it is there."""
    async with asyncio.timeout(seconds):
        while not (found := _written(path)):  # noqa: ASYNC110 - a child writes it, no event does
            await asyncio.sleep(0.01)
    return int(found)


def _written(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def is_alive(pid: int) -> bool:
    """A zombie is dead: only its parent has not asked yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
