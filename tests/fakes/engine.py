"""FakeEngine: the durable engine in memory, which can be made to crash around any step.

A crash is asked for by `crash()`, or planned: `FakeEngine(clock, crash_at=CrashAt(3, Moment.CALLED))` dies at the third
step that is taken, once. A dead engine runs nothing and refuses asks, its journal stays; `launch` brings it back to
life and replays. So a way is tried around every step by

    for step in range(1, steps + 1):
        for moment in Moment:
            engine = FakeEngine(clock, crash_at=CrashAt(step, moment))
            await engine.launch(flows)
            await engine.start("run.v1", "run-1", args)
            await engine.settled()                 # every flow is over or waits, or the engine is dead
            if engine.is_dead:
                await engine.launch(flows)
                await engine.settled()
            await engine.close(0)

`engine.steps_taken` after a run without a crash says how many steps there are.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast

from adapters.engine.kept import is_leaving, keep, read_kept, refuse_in_step
from core.model.codec import Json, to_json
from core.model.errors import NotFound, StoreError
from core.ports import Clock, FlowFunction, FlowState

T = TypeVar("T")

TURNS = 10
"""Turns of the loop that `settled` leaves a clock that was just set forward to wake its sleepers."""


class Moment(StrEnum):
    BEFORE = "before"
    """The call has not been made."""
    CALLED = "called"
    """The call was made, its result was not kept: it is made again."""
    KEPT = "kept"
    """The result was kept, and nothing after it happened."""


@dataclass(frozen=True, slots=True)
class CrashAt:
    """`step` counts every step taken by any flow, from 1; replayed ones do not count."""

    step: int
    moment: Moment = Moment.CALLED


@dataclass(slots=True)
class _Row:
    """A flow as the journal keeps it: JSON texts, as a database would."""

    name: str
    args: str
    state: FlowState = FlowState.OPEN
    entries: list[tuple[str, str]] = field(default_factory=list)
    """What its steps, waits and sleeps kept: (name, JSON), in order."""
    signals: list[tuple[str, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    error: BaseException | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Watcher:
    is_true: Callable[[], bool]
    flow: str
    future: asyncio.Future[None]


class FakeEngine:
    def __init__(self, clock: Clock, *, crash_at: CrashAt | None = None) -> None:
        self.clock = clock
        self.crash_at = crash_at
        self.steps_taken = 0
        self.is_dead = True
        self._is_closing = False
        self._flows: Mapping[str, FlowFunction] = {}
        self._journal: dict[str, _Row] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._idle: set[str] = set()
        """Flows that wait or sleep."""
        self._in_step: set[str] = set()
        self._watchers: list[_Watcher] = []

    async def launch(self, flows: Mapping[str, FlowFunction]) -> None:
        if not self.is_dead:
            raise RuntimeError("the engine runs already")
        self._flows = flows
        self.is_dead = self._is_closing = False
        for id_, row in self._journal.items():
            if row.state is FlowState.OPEN and row.name in flows:
                self._go_on(id_, row)

    async def start(self, flow: str, id: str, args: Json) -> None:  # noqa: A002
        self._must_run()
        if flow not in self._flows:
            raise KeyError(flow)
        if id not in self._journal:
            self._journal[id] = row = _Row(flow, json.dumps(to_json(args)))
            self._go_on(id, row)

    async def signal(self, id: str, topic: str, value: Json, key: str) -> None:  # noqa: A002
        self._must_run()
        row = self._journal.get(id)
        if row is None:
            raise NotFound("Nothing waits for this: it is over, or it never began.")
        if key not in row.keys:
            row.keys.add(key)
            row.signals.append((topic, json.dumps(to_json(value))))
        self._tell()

    async def state(self, id: str) -> FlowState | None:  # noqa: A002
        self._must_run()
        row = self._journal.get(id)
        return row.state if row else None

    async def prune(self, before: datetime) -> int:
        self._must_run()
        old = [id_ for id_, row in self._journal.items() if row.ended_at is not None and row.ended_at < before]
        for each in old:
            del self._journal[each]
        return len(old)

    async def close(self, seconds: float) -> None:
        if self.is_dead:
            return
        self._is_closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._until(lambda: not self._in_step)
        await self.crash()

    # ------------------------------------------------------------------------- what only a fake has

    async def crash(self) -> None:
        """Everything that runs is gone at once; the journal stays."""
        self.is_dead = True
        tasks = set(self._tasks.values()) - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._tasks.clear()
        self._idle.clear()
        self._in_step.clear()
        self._tell()

    async def settled(self) -> None:
        """Until every flow is over or waits, or the engine is dead."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        await self._until(lambda: self.is_dead or not self._tasks.keys() - self._idle)

    def error(self, id: str) -> BaseException | None:  # noqa: A002
        """What broke the flow."""
        return self._journal[id].error

    def steps(self, id: str) -> list[str]:  # noqa: A002
        """The names of what was kept, waits and sleeps too."""
        return [name for name, _ in self._journal[id].entries]

    # ------------------------------------------------------------------------------------- within

    def _must_run(self) -> None:
        if self.is_dead or self._is_closing:
            raise StoreError("The bot is starting or stopping. Nothing is lost; it is taken up when the bot runs.")

    def _go_on(self, id_: str, row: _Row) -> None:
        self._tasks[id_] = asyncio.get_running_loop().create_task(self._run(id_, row), context=Context())

    async def _run(self, id_: str, row: _Row) -> None:
        state = FlowState.DONE
        try:
            to_json(await self._flows[row.name](FakeFlow(self, id_, row), json.loads(row.args)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the flow is broken by it
            row.error, state = error, FlowState.BROKEN
        except asyncio.CancelledError:
            return
        if not is_leaving():
            row.state, row.ended_at = state, self.clock.now()
            self._tasks.pop(id_)
            self._tell()

    async def die_if_planned(self, moment: Moment) -> None:
        if self.crash_at != CrashAt(self.steps_taken, moment):
            return
        self.crash_at = None
        await self.crash()
        task = asyncio.current_task()
        assert task
        task.cancel()
        await asyncio.sleep(0)

    async def take_step(self, id_: str, call: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> Json:
        if self._is_closing:
            await asyncio.get_running_loop().create_future()
        self.steps_taken += 1
        self._in_step.add(id_)
        try:
            await self.die_if_planned(Moment.BEFORE)
            kept = await keep(call, args)
            await self.die_if_planned(Moment.CALLED)
        finally:
            self._in_step.discard(id_)
            self._tell()
        return kept

    async def pause(self, id_: str, until: datetime, is_enough: Callable[[], bool]) -> None:
        """Until the time, or until it is enough."""
        timer = asyncio.ensure_future(self.clock.sleep(max(0.0, (until - self.clock.now()).total_seconds())))
        timer.add_done_callback(lambda _: self._tell())
        self._idle.add(id_)
        self._tell()
        try:
            await self._until(lambda: timer.done() or is_enough(), id_)
        finally:
            self._idle.discard(id_)
            timer.cancel()
            await asyncio.wait([timer])

    def _tell(self) -> None:
        for each in [each for each in self._watchers if not each.future.done() and each.is_true()]:
            each.future.set_result(None)
            self._idle.discard(each.flow)

    async def _until(self, is_true: Callable[[], bool], flow: str = "") -> None:
        if is_true():
            return
        watcher = _Watcher(is_true, flow, asyncio.get_running_loop().create_future())
        self._watchers.append(watcher)
        try:
            await watcher.future
        finally:
            self._watchers.remove(watcher)


class FakeFlow:
    def __init__(self, engine: FakeEngine, id: str, row: _Row) -> None:  # noqa: A002
        self._engine, self._id, self._row = engine, id, row
        self._at = 0
        self._is_in_step = False

    @property
    def id(self) -> str:
        return self._id

    async def step(self, name: str, returns: type[T], call: Callable[..., Awaitable[T]], *args: Any) -> T:
        refuse_in_step("a step")
        if self._is_in_step:
            raise RuntimeError(f"step {name!r} beside another one: steps run one after another")
        kept = self._replay(name)
        if kept is None:
            self._is_in_step = True
            try:
                kept = json.dumps(await self._engine.take_step(self._id, call, args))
            finally:
                self._is_in_step = False
            self._keep(name, kept)
            await self._engine.die_if_planned(Moment.KEPT)
        return read_kept(returns, cast("Json", json.loads(kept)))

    async def wait(self, topic: str, seconds: float) -> Json:
        refuse_in_step("a wait")
        until = self._deadline(seconds)
        kept = self._replay("wait")
        if kept is None:
            await self._engine.pause(self._id, until, lambda: self._next(topic) is not None)
            kept = self._consume(topic)
            self._keep("wait", kept)
        return cast("Json", json.loads(kept))

    async def sleep_until(self, when: datetime) -> None:
        refuse_in_step("a sleep")
        until = self._deadline((when - self._engine.clock.now()).total_seconds())
        await self._engine.pause(self._id, until, lambda: False)

    def _next(self, topic: str) -> tuple[str, str] | None:
        return next((each for each in self._row.signals if each[0] == topic), None)

    def _consume(self, topic: str) -> str:
        found = self._next(topic)
        if found is None:
            return "null"
        self._row.signals.remove(found)
        return found[1]

    def _deadline(self, seconds: float) -> datetime:
        kept = self._replay("until")
        if kept is None:
            until = self._engine.clock.now() + timedelta(seconds=max(0.0, seconds))
            kept = json.dumps(until.isoformat())
            self._keep("until", kept)
        return datetime.fromisoformat(json.loads(kept))

    def _replay(self, name: str) -> str | None:
        if self._at >= len(self._row.entries):
            return None
        kept_name, kept = self._row.entries[self._at]
        if kept_name != name:
            raise RuntimeError(f"step {self._at + 1} was {kept_name!r} before and is {name!r} now: make a new version")
        self._at += 1
        return kept

    def _keep(self, name: str, kept: str) -> None:
        self._row.entries.append((name, kept))
        self._at += 1
