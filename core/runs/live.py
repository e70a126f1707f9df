"""The turns that are running in this process: their progress, and how to stop them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from core.blackened import titles_blackened
from core.model.chat import PostKey
from core.model.events import AgentEvent, TextSaid
from core.model.work import Run, RunId
from core.ports import Clock, Redact
from core.posts import Posts
from core.runs.progress import Progress, anchor_post
from core.runs.streams import Streams

T = TypeVar("T")

TICK_SECONDS = 10.0
"""How often an anchor is brought up to date when nothing happens, so that its elapsed time moves."""


def anchor_key(run: RunId) -> PostKey:
    return PostKey(f"anchor:{run}")


class StoppedError(Exception):
    """The turn was stopped because a person asked for it."""


class Live:
    """One entry for each turn that an agent of this process is taking."""

    def __init__(
        self, posts: Posts, clock: Clock, streams: Streams | None = None, redact: Redact | None = None
    ) -> None:
        self._posts, self._clock, self._redact = posts, clock, redact or str
        self._streams = streams or Streams({}, clock)
        self._runs: dict[RunId, Run] = {}
        self._progress: dict[RunId, Progress] = {}
        self._turns: dict[RunId, asyncio.Task[object]] = {}
        self._stopped: set[RunId] = set()
        self._expected: set[RunId] = set()
        self._waiting: dict[RunId, str] = {}

    def progress(self, run: RunId) -> Progress:
        return self._progress.get(run, Progress())

    def expect(self, run: RunId) -> None:
        """It has been started, and its first turn comes soon: it takes its room already."""
        self._expected.add(run)

    def has_room(self, run: RunId, most: int) -> bool:
        """Fewer than `most` others work, or are about to."""
        return len((self._expected | self._turns.keys()) - self._waiting.keys() - {run}) < most

    def rest(self, run: RunId) -> None:
        """It waits for a person: others may work meanwhile."""
        self._expected.discard(run)

    @contextmanager
    def waiting(self, run: RunId, words: str) -> Iterator[None]:
        """A turn waits for a person: its anchor says so, and others may work meanwhile."""
        self._waiting[run] = words
        self._bring_up(run)
        try:
            yield
        finally:
            del self._waiting[run]
            self._bring_up(run)

    def _bring_up(self, run: RunId) -> None:
        self._progress[run] = replace(self.progress(run), last_sign=self._clock.now())
        if run in self._runs:
            self._show(self._runs[run])

    async def take(
        self, run: Run, turn: Callable[[Callable[[AgentEvent], None]], Awaitable[T]], *, is_resumed: bool = False
    ) -> T:
        """Await the turn, folding its events into the anchor. StoppedError if `stop` was called meanwhile.

        Where the platform streams, that tells each step, and the anchor follows with the clock. Words change nothing
        in it, and a model says dozens of pieces a second.
        """

        def note(event: AgentEvent) -> None:
            event = titles_blackened(event, self._redact)
            self._progress[run.id] = self.progress(run.id).after(event, self._clock.now())
            self._streams.hear(run.id, event, self.progress(run.id))
            if not isinstance(event, TextSaid) and not self._streams.shows(run.id):
                self._show(run)

        self._runs[run.id] = run
        self._progress[run.id] = self.progress(run.id).begun(self._clock.now(), is_resumed=is_resumed)
        self._show(run)
        self._streams.begin(run)
        task = asyncio.ensure_future(turn(note))
        self._turns[run.id] = task
        self._expected.discard(run.id)
        try:
            return await task
        except asyncio.CancelledError:
            if run.id in self._stopped and not _is_cancelled_itself():
                raise StoppedError from None
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            raise
        finally:
            self._streams.end(run.id)
            self._stopped.discard(run.id)
            del self._turns[run.id], self._runs[run.id]

    def stop(self, run: RunId) -> bool:
        """End the turn at once, its processes included; False: no turn of this run is live here."""
        task = self._turns.get(run)
        if task is None:
            return False
        self._stopped.add(run)
        task.cancel()
        return True

    def forget(self, run: RunId) -> None:
        """The run is over: its progress is no longer needed."""
        self._progress.pop(run, None)
        self._expected.discard(run)

    async def tick(self) -> None:
        """Keep the elapsed time of the anchors moving, until cancelled; then take away what is streamed."""
        try:
            while True:
                await self._clock.sleep(TICK_SECONDS)
                for run in list(self._runs.values()):
                    self._show(run)
        finally:
            await self._streams.close()

    def _show(self, run: Run) -> None:
        is_streamed = self._streams.shows(run.id)
        waits = self._waiting.get(run.id, "")
        post = anchor_post(run, self.progress(run.id), self._clock.now(), waiting_for=waits, is_brief=is_streamed)
        self._posts.progress(anchor_key(run.id), run.thread.room, post)


def _is_cancelled_itself() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
