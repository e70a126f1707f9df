"""How the bot is, for who watches over it: /readyz says whether it can work, /metrics tells numbers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from adapters.metrics import Gauges, Tally, exposed
from core.circuits import AllCircuits, CircuitState
from core.inbox import Inbox
from core.model.errors import StoreError
from core.model.work import RunState
from core.ports import ChatPlatform, Clock, HttpAnswer, Meter, Store, Webhooked
from core.posts import Posts
from core.watch import ANSWER_SECONDS, Watch

BEAT_SECONDS = 0.5
"""Between two looks at how late the loop is."""

log = structlog.get_logger()


@dataclass(slots=True)
class Health:
    """The App notes in it how far it has come."""

    store: Store
    inbox: Inbox
    posts: Posts
    tally: Tally
    clock: Clock
    platforms: Mapping[str, ChatPlatform]
    watch: Watch
    circuits: AllCircuits
    connected: set[str] = field(default_factory=set)
    """Platforms that were reached since the start."""
    is_launched: bool = False
    is_stopping: bool = False

    async def ready(self) -> HttpAnswer:
        """503 unless the database takes a write, a platform is connected, and the engine works."""
        platforms = {name: self._is_up(name) for name in self.platforms}
        parts: dict[str, object] = {
            "database": await self.watch.store_takes_writes(),
            "platforms": platforms,
            "engine": self.is_launched,
            "stopping": self.is_stopping,
            "circuits": {each.service: each.state.name.lower() for each in self.circuits.all()},
        }
        is_ready = parts["database"] and any(platforms.values()) and self.is_launched and not self.is_stopping
        body = json.dumps({"ready": bool(is_ready), **parts}) + "\n"
        return HttpAnswer(200 if is_ready else 503, body.encode(), "application/json")

    async def metrics(self) -> HttpAnswer:
        """Of a database that does not answer the rest is told all the same."""
        runs = await self._runs()
        is_up = await self.watch.store_takes_writes()
        text, kind = await asyncio.to_thread(exposed, self.tally.copy(), self._gauges(runs, is_up=is_up))
        return HttpAnswer(200, text, kind)

    def _is_up(self, platform: str) -> bool:
        """Reached, and not lost since. What we poll or hold a socket to must have answered; what is only called when
        there is something to say is believed again once a try is due, for nobody may have anything to say.
        """
        ours = [each for each in self.circuits.all() if each.service.partition(".")[0] == platform]
        sockets = [each for each in ours if each.service != platform]
        hook: object = self.platforms[platform]
        is_called = isinstance(hook, Webhooked) and bool(hook.webhook_path)
        heard = [] if is_called else sockets or ours
        is_lost = any(each.state is CircuitState.OPEN for each in ours)
        return platform in self.connected and not is_lost and all(each.state is CircuitState.CLOSED for each in heard)

    async def _runs(self) -> dict[RunState, int] | None:
        """None: the database does not answer."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.store.count_runs()
        except (StoreError, TimeoutError) as error:
            log.warning("health.database", error=str(error) or f"no answer in {ANSWER_SECONDS:g} s")
            return None

    def _gauges(self, runs: dict[RunState, int] | None, *, is_up: bool) -> Gauges:
        oldest = self.posts.oldest()
        free = self.watch.free_bytes
        return {
            "inbox_depth": {(): self.inbox.depth()},
            "outbox_depth": {(): self.posts.depth()},
            "oldest_unsent_seconds": {(): (self.clock.now() - oldest).total_seconds() if oldest else 0.0},
            "runs": {} if runs is None else {(("state", each.value),): runs.get(each, 0) for each in RunState},
            "database_up": {(): float(is_up)},
            "disk_free_bytes": {} if free is None else {(): float(free)},
            "circuit_state": {(("service", each.service),): float(each.state) for each in self.circuits.all()},
            "platform_connected": {(("platform", each),): float(self._is_up(each)) for each in self.platforms},
            "engine_launched": {(): float(self.is_launched)},
        }


async def beat(meter: Meter) -> None:
    """Measure, until cancelled, how late the event loop is: a loop that something blocks is late for everyone."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + BEAT_SECONDS
        await asyncio.sleep(BEAT_SECONDS)
        meter.observe("loop_lag_seconds", max(0.0, loop.time() - due))
