"""A turn as it goes, as a streaming message in a direct chat: its words, and each action as a task. Never raised.

Slack ends a stream about five minutes after its start, whatever is appended, and an open one can be neither edited nor
deleted. So a stream is begun anew in time, and the old one taken away; at the end none is left, for the answer is a
post. What a killed bot has left is taken away by its next life. https://docs.slack.dev/reference/methods/chat.startStream
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any
from uuid import uuid4

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from adapters.chat.slack.inbound import Me
from adapters.chat.slack.left import Left, Place
from adapters.chat.slack.render import message
from adapters.chat.slack.search import STREAM, find_stream
from adapters.chat.slack.web import GONE, OUTSIDE, error_name, refusal
from adapters.chat.slack.words import defuse
from core.model.chat import Post, ThreadRef
from core.model.errors import ChatBusy, NotSupported, SendUnknown
from core.model.visible import visible
from core.ports import View

log = structlog.get_logger()

CALL_SECONDS = 5.0
"""What comes later shows nothing new any more."""

PACE_SECONDS = 1.2
SHARE_SECONDS = 0.75
"""chat.appendStream: 100 a minute for all streams of a workspace."""

START_SECONDS = 10.0
"""From one start to the next of the same turn. chat.startStream: 20 a minute for all."""

LIFE_SECONDS = 240.0
"""Slack ends a stream after 300 to 310 (slackapi/python-slack-sdk 1859, vercel/chat 637)."""

TROUBLE_SECONDS = 10.0
MOST_TASKS = 40
"""A plan holds 50."""

MOST_TEXT = 8000
"""Of 12,000 characters that one call takes, and a message may hold."""

FIRST_TASK = "Working on it"
TITLE = 256
TRIES = 3
LONGEST_WAIT = 30.0
"""Of the tries to take a stream away; what is left then is taken away by the next start of the bot."""

STUB = "*This was a live view. What came of it stands below.*"
"""Instead of a stream that Slack does not let us delete."""

OVER = "message_not_in_streaming_state"
WITHOUT_STREAMS = {
    "access_denied",
    "agent_not_enabled",
    "feature_not_enabled",
    "method_deprecated",
    "missing_scope",
    "not_allowed_token_type",
    "no_permission",
    "paid_only",
    "team_access_not_granted",
    "unknown_method",
}
DOUBTFUL = "<`@\\"
"""In a line that is not over, what follows one of these may still change how it must be written."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a stream shows: `tasks` are title and status by id."""

    text: str = ""
    tasks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    title: str = ""


@dataclass(slots=True)
class _Stream:
    place: Place
    began: float
    shown: _Shown
    is_over: bool = False


class Streams:
    """`now` and `sleep` count seconds."""

    def __init__(
        self,
        client: AsyncWebClient,
        me: Me,
        left: Left,
        *,
        now: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._me, self._left = client, me, left
        self._now, self._sleep = now, sleep
        self._live: dict[str, _Stream] = {}
        self._places: dict[str, list[Place]] = {}
        """All that were begun for a turn and may still stand."""
        self.is_able = True
        """Until the workspace says otherwise."""

    async def show(self, thread: ThreadRef, key: str, view: View) -> float | None:
        """Seconds until the next may come; None: no stream in this chat, or no more for this turn."""
        if not self.is_able or not thread.chat.startswith("D") or not thread.root:
            return None
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await self._show(thread, key, view)
        except OUTSIDE as error:
            return self._after(key, error)

    async def end(self, key: str) -> None:
        """None that was begun for this turn is left."""
        self._live.pop(key, None)
        for place in self._places.pop(key, []):
            await self._is_taken_away(place)

    async def sweep(self) -> None:
        """Take away what earlier lives have left."""
        mine = {place.name for places in self._places.values() for place in places}
        for place in await self._left.all():
            if place.name not in mine:
                log.info("slack.stream.left", channel=place.channel)
                await self._is_taken_away(place)

    # ------------------------------------------------------------------------------------- showing

    async def _show(self, thread: ThreadRef, key: str, view: View) -> float:
        stream = self._live.get(key)
        if stream is None:
            await self._start(thread, key, view)
            return self._pace()
        age, shown = self._now() - stream.began, _shown(view, stream.shown)
        is_whole = shown.text.startswith(stream.shown.text) and len(shown.tasks) <= MOST_TASKS
        if stream.is_over or not is_whole or age >= LIFE_SECONDS:
            if age < START_SECONDS:
                return START_SECONDS - age
            await self._start(thread, key, view)
            if await self._is_taken_away(stream.place):
                self._places[key].remove(stream.place)
        elif changes := [*_changes(stream.shown, shown)]:
            place = stream.place
            await self._client.chat_appendStream(channel=place.channel, ts=place.ts, chunks=changes)
            stream.shown = shown
        return self._pace()

    async def _start(self, thread: ThreadRef, key: str, view: View) -> None:
        """Written down first: a reply that is lost leaves a stream behind whose ts nobody knows."""
        place, shown = Place(uuid4().hex, thread.chat, thread.root), _shown(view, _Shown())
        places = self._places.setdefault(key, [])
        places.append(place)
        await self._left.put(place)
        try:
            answer = await self._client.chat_startStream(
                channel=thread.chat,
                thread_ts=thread.root,
                recipient_team_id=view.person.tenant,
                recipient_user_id=view.person.id,
                task_display_mode="plan",
                chunks=[_task(STREAM + place.name, FIRST_TASK, "in_progress"), *_changes(_Shown(), shown)],
            )
        except OUTSIDE as error:
            if not isinstance(refusal(error), SendUnknown):
                places.remove(place)
                await self._left.drop(place.name)
            raise
        placed = replace(place, ts=str(answer["ts"]))
        places[places.index(place)] = placed
        self._live[key] = _Stream(placed, self._now(), shown)
        await self._left.put(placed)

    def _pace(self) -> float:
        return max(PACE_SECONDS, SHARE_SECONDS * len(self._live))

    def _after(self, key: str, error: BaseException) -> float | None:
        name, stream = error_name(error), self._live.get(key)
        trouble = refusal(error, may_repeat=True)
        if isinstance(trouble, ChatBusy):
            return trouble.seconds
        if name in WITHOUT_STREAMS:
            self.is_able = False
            log.info("slack.no_streams", error=name)
        elif name == OVER and stream is not None:
            stream.is_over = True
            return PACE_SECONDS
        log.debug("slack.stream.failed", error=name or type(error).__name__)
        return None if trouble.is_final or name in GONE else TROUBLE_SECONDS

    # ------------------------------------------------------------------------------------ taking away

    async def _is_taken_away(self, place: Place) -> bool:
        """False: to be tried again, by the next life if need be."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                ts = place.ts or await find_stream(self._client, self._me, _thread(self._me, place), place.name)
        except NotSupported:
            ts = ""
        except OUTSIDE as error:
            log.info("slack.stream.not_found", error=error_name(error) or type(error).__name__)
            return False
        if ts and not await self._is_deleted(place.channel, ts):
            return False
        await self._left.drop(place.name)
        return True

    async def _is_deleted(self, channel: str, ts: str) -> bool:
        """Or, where Slack does not allow that, no more than a line."""
        stub = message(Post(STUB), f"edit:{uuid4()}")
        stopped = await self._try(lambda: self._client.chat_stopStream(channel=channel, ts=ts))
        deleted = await self._try(lambda: self._client.chat_delete(channel=channel, ts=ts))
        if deleted is False:
            deleted = await self._try(lambda: self._client.chat_update(channel=channel, ts=ts, **stub))
        return stopped is not None and deleted is not None

    async def _try(self, call: Callable[[], Awaitable[object]]) -> bool | None:
        """False: Slack does not want it so. None: it could not be asked."""
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await call()
            except OUTSIDE as error:
                name, trouble = error_name(error), refusal(error, may_repeat=True)
                if name == OVER or name in GONE:
                    return True
                if trouble.is_final:
                    return False
                await self._sleep(min(trouble.seconds if isinstance(trouble, ChatBusy) else 1.0, LONGEST_WAIT))
            else:
                return True
        return None


def _thread(me: Me, place: Place) -> ThreadRef:
    return ThreadRef("slack", me.team, place.channel, place.root)


# ---------------------------------------------------------------------------------------------- chunks


def _shown(view: View, before: _Shown) -> _Shown:
    """What the view asks for; an action that it no longer names is over."""
    states = {None: "in_progress", True: "complete", False: "error"}
    tasks = {f"do:{each.id}": (_line(each.title), states[each.ok]) for each in view.doing}
    past = {
        name: (title, "complete" if status == "in_progress" else status)
        for name, (title, status) in before.tasks.items()
    }
    return _Shown(_text(view), past | tasks, _title(view))


def _once_over(status: str) -> str:
    return "complete" if status == "in_progress" else status


def _changes(before: _Shown, after: _Shown) -> Iterator[dict[str, Any]]:
    """What is to be appended."""
    if after.title != before.title:
        yield {"type": "plan_update", "title": after.title}
    for name, task in after.tasks.items():
        if before.tasks.get(name) != task:
            yield _task(name, *task)
    if len(after.text) > len(before.text):
        yield {"type": "markdown_text", "text": after.text[len(before.text) :]}


def _task(name: str, title: str, status: str) -> dict[str, Any]:
    return {"type": "task_update", "id": name, "title": title, "status": status}


def _title(view: View) -> str:
    """What is asked for, or where the agent is in its plan."""
    number = sum(done for _, done in view.plan)
    next_one = next((words for words, done in view.plan if not done), view.title)
    return _line(f"{number}/{len(view.plan)} · {next_one}" if view.plan else view.title)


def _line(words: str) -> str:
    """One line in which nothing rings: as code is written, without its marks."""
    flat = " ".join(words.replace("`", "'").split())
    safe = defuse(f"`{flat}`").strip("`") or "…"
    return safe if len(safe) <= TITLE else safe[: TITLE - 1] + "…"


def _text(view: View) -> str:
    """What of the words does not change any more when others follow; of what is long, the end."""
    lines, seam, last = view.text.rpartition("\n")
    doubtful = min((at for at in map(last.find, DOUBTFUL) if at >= 0), default=len(last))
    text = defuse(lines + seam) + visible(last[:doubtful])
    half = MOST_TEXT // 2
    skipped = max(0, -(-(len(text) - MOST_TEXT) // half)) * half
    return f"…\n{text[skipped:]}" if skipped else text
