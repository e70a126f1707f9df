"""How the bot is, for who watches over it: /readyz says whether it can work, /metrics tells numbers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from adapters.metrics import Gauges, Tally, exposed
from core.inbox import Inbox
from core.model.errors import StoreError
from core.model.work import RunState
from core.ports import Clock, HttpAnswer, Store
from core.posts import Posts

ANSWER_SECONDS = 3.0
"""The most that the database may take before it counts as silent; watchers commonly wait for ten."""

log = structlog.get_logger()


@dataclass(slots=True)
class Health:
    """The App notes in it how far it has come."""

    store: Store
    inbox: Inbox
    posts: Posts
    tally: Tally
    clock: Clock
    platforms: Iterable[str]
    connected: set[str] = field(default_factory=set)
    """Platforms that were reached since the start."""
    is_launched: bool = False
    is_stopping: bool = False

    async def ready(self) -> HttpAnswer:
        """503 unless the database answers, a platform is connected, and the engine works."""
        parts: dict[str, object] = {
            "database": await self._runs() is not None,
            "platforms": {name: name in self.connected for name in self.platforms},
            "engine": self.is_launched,
            "stopping": self.is_stopping,
        }
        is_ready = parts["database"] and self.connected and self.is_launched and not self.is_stopping
        body = json.dumps({"ready": bool(is_ready), **parts}) + "\n"
        return HttpAnswer(200 if is_ready else 503, body.encode(), "application/json")

    async def metrics(self) -> HttpAnswer:
        """Of a database that does not answer the rest is told all the same."""
        runs = await self._runs()
        text, kind = await asyncio.to_thread(exposed, self.tally.copy(), self._gauges(runs))
        return HttpAnswer(200, text, kind)

    async def _runs(self) -> dict[RunState, int] | None:
        """None: the database does not answer."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.store.count_runs()
        except (StoreError, TimeoutError) as error:
            log.warning("health.database", error=str(error) or f"no answer in {ANSWER_SECONDS:g} s")
            return None

    def _gauges(self, runs: dict[RunState, int] | None) -> Gauges:
        oldest = self.posts.oldest()
        return {
            "inbox_depth": {(): self.inbox.depth()},
            "outbox_depth": {(): self.posts.depth()},
            "oldest_unsent_seconds": {(): (self.clock.now() - oldest).total_seconds() if oldest else 0.0},
            "runs": {} if runs is None else {(("state", each.value),): runs.get(each, 0) for each in RunState},
            "database_up": {(): float(runs is not None)},
            "platform_connected": {(("platform", each),): float(each in self.connected) for each in self.platforms},
            "engine_launched": {(): float(self.is_launched)},
        }
