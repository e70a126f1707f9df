"""What is forgotten once a day when its time is over: nothing that a person could still ask for.

| what | how long |
|---|---|
| deliveries that were handled, posts that were sent, their buttons | 90 days |
| flows that are over | 7 days after their end |
| the checkout of a run that is over | 7 days after its end |
| the same, with changes that are on no branch | 30 days after its end; the thread is told |
| an agent's memory of work that is closed | 7 days after it was last used |
| the same of work that is open | 90 days |

Projects, tasks, works, runs and their turns stay: they are the board and the history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from core.model.chat import Post, PostKey
from core.model.errors import BotError
from core.model.work import Run, RunId
from core.ports import Clock, Engine, Store
from core.posts import Posts

log = structlog.get_logger()

SAID = timedelta(days=90)
"""After that a button of an old post is out of date."""
OVER = timedelta(days=7)
UNPUBLISHED = timedelta(days=30)
REMEMBERED = timedelta(days=90)

REMOVED = (
    "🧹 **{title}**\n\nWhat this run could not publish "
    f"{UNPUBLISHED.days} days ago is removed now. What was published before is still on its branch."
)


class Checkouts(Protocol):
    """What is kept of Workspaces: the same adapter, as the daily tidying sees it. WorkspaceError."""

    async def kept(self) -> Sequence[RunId]:
        """The runs whose checkouts stand."""

    async def has_unpublished(self, run: RunId) -> bool:
        """The checkout holds something that was not pushed; False when there is none."""

    async def discard(self, run: RunId) -> None:
        """Forget the checkout; no error when there is none."""

    async def tidy(self) -> None:
        """Housekeeping in the repositories; what was only looked at is given up."""


class Sessions(Protocol):
    """What the agents of this process remember between turns, by the names in `TurnResult.session`."""

    async def used(self) -> Mapping[str, datetime]:
        """When each was written the last time."""

    async def forget(self, session: str) -> None:
        """A turn that asks for it begins anew; no error when there is none."""


@dataclass(frozen=True, slots=True)
class Tidying:
    store: Store
    engine: Engine
    checkouts: Checkouts
    sessions: Sessions
    posts: Posts
    clock: Clock

    async def tidy(self) -> int:
        """How many things went. What fails is logged and left for the next day; the rest is done."""
        count = 0
        for part in (self._said, self._flows, self._checkouts, self._sessions, self._housekeeping):
            try:
                count += await part()
            except BotError as error:
                log.warning("tidy.failed", part=part.__name__.strip("_"), reason=str(error))
        log.info("tidy.done", count=count)
        return count

    async def _said(self) -> int:
        return await self.store.prune(self.clock.now() - SAID)

    async def _flows(self) -> int:
        return await self.engine.prune(self.clock.now() - OVER)

    async def _checkouts(self) -> int:
        count = 0
        for run_id in await self.checkouts.kept():
            run = await self.store.run(run_id)
            if run is not None and await self._is_due(run):
                await self.checkouts.discard(run_id)
                count += 1
        return count

    async def _is_due(self, run: Run) -> bool:
        """Who could still want it is told that it goes."""
        if run.ended_at is None or run.ended_at > self.clock.now() - OVER:
            return False
        if not await self._has_unpublished(run.id):
            return True
        if run.ended_at > self.clock.now() - UNPUBLISHED:
            return False
        await self.posts.say(PostKey(f"removed:{run.id}"), run.thread, Post(REMOVED.format(title=run.title)))
        return True

    async def _has_unpublished(self, run: RunId) -> bool:
        """True also when it cannot be found out."""
        try:
            return await self.checkouts.has_unpublished(run)
        except BotError as error:
            log.warning("tidy.unreadable", run=run, reason=str(error))
            return True

    async def _sessions(self) -> int:
        now, count = self.clock.now(), 0
        wanted = {work.session for work in await self.store.open_works()}
        for session, used in (await self.sessions.used()).items():
            if used < now - (REMEMBERED if session in wanted else OVER):
                await self.sessions.forget(session)
                count += 1
        return count

    async def _housekeeping(self) -> int:
        await self.checkouts.tidy()
        return 0
