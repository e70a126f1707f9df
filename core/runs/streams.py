"""Streams: what live turns say and do, handed to the platforms that can show it. Nothing ever waits for it.

They use no place in the outbox: of each turn only the newest view is handed on, at the pace that the platform names.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.model.events import AgentEvent, TextSaid
from core.model.work import Run, RunId
from core.ports import Clock, Doing, Redact, Streaming, View
from core.runs.progress import Progress
from core.runs.stream_words import StreamWords

LEAST_SECONDS = 1.0
"""Between two views of a turn, whatever the platform says."""

KEEP_SECONDS = 15.0
"""A view that does not change is handed on again, so that what fades (Telegram: after 30 s) or ends is renewed."""

CLOSE_SECONDS = 5.0
"""How long a stop waits until what is shown is taken away."""


@dataclass(slots=True, eq=False)
class _Stream:
    """`changed` is rung with every event and at the end."""

    run: Run
    platform: Streaming
    key: str
    words: StreamWords = field(default_factory=StreamWords)
    progress: Progress = field(default_factory=Progress)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_shown: bool = False


class Streams:
    """Keeps the tasks it starts, and ends them with `close`."""

    def __init__(self, platforms: Mapping[str, object], clock: Clock, redact: Redact = str) -> None:
        self._platforms, self._clock, self._redact = platforms, clock, redact
        self._live: dict[RunId, _Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)

    def begin(self, run: Run) -> None:
        """A turn begins."""
        platform = self._platforms.get(run.thread.platform)
        if not isinstance(platform, Streaming):
            return
        stream = _Stream(run, platform, f"{run.id}:{next(self._numbers)}")
        self._live[run.id] = stream
        task = asyncio.ensure_future(self._serve(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def hear(self, run: RunId, event: AgentEvent, progress: Progress) -> None:
        """What its agent says, and what all that it said has come to."""
        stream = self._live.get(run)
        if stream is None:
            return
        if isinstance(event, TextSaid):
            stream.words = stream.words.after(event.text, self._redact)
        stream.progress = progress
        stream.changed.set()

    def shows(self, run: RunId) -> bool:
        """A person sees it, so that no other post needs to tell every step."""
        stream = self._live.get(run)
        return stream is not None and stream.is_shown

    def end(self, run: RunId) -> None:
        """The turn is over: what is shown is taken away soon."""
        stream = self._live.pop(run, None)
        if stream is not None:
            stream.over.set()
            stream.changed.set()

    async def close(self) -> None:
        for run in list(self._live):
            self.end(run)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, stream: _Stream) -> None:
        await self._show(stream)
        stream.is_shown = False
        await stream.platform.end_stream(stream.run.thread, stream.key)

    async def _show(self, stream: _Stream) -> None:
        """Until the turn is over, or the platform shows no more of it."""
        while not stream.over.is_set():
            stream.changed.clear()
            view = self._view(stream)
            if view.text or view.doing:
                seconds = await stream.platform.stream(stream.run.thread, stream.key, view)
                stream.is_shown = seconds is not None
                if seconds is None:
                    return
                await self._rest(stream.over, max(seconds, LEAST_SECONDS))
            await self._rest(stream.changed, KEEP_SECONDS)

    def _view(self, stream: _Stream) -> View:
        progress, redact = stream.progress, self._redact
        return View(
            redact(stream.run.title),
            stream.run.asked_by,
            stream.words.shown(redact),
            tuple(Doing(each.id, redact(each.title), each.ok) for each in progress.actions),
            tuple((redact(words), done) for words, done in progress.plan),
        )

    async def _rest(self, bell: asyncio.Event, seconds: float) -> None:
        """Until it rings, or so long."""
        waits = {asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(bell.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
