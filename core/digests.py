"""Digests: when a chat hears how its work stands, and what it hears."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from core.model.chat import ChatRef, Post, PostKey, ThreadRef
from core.model.codec import Json, from_json, to_json
from core.model.errors import BadAsk
from core.model.work import DigestPlan, Run, RunState, TaskState, Work
from core.ports import Clock, Engine, Flow, Store
from core.posts import Posts
from core.runs.answer import link
from core.zones import is_zone

DIGEST_FLOW = "digest.v1"
LOOK_BACK = timedelta(days=7)


SHOWN = 10
CRON_LENGTH = 200
"""What is longer is not meant: a list of a thousand minutes would be read again at every tick."""

_DAYS = {"daily": "*", "weekdays": "1-5", "weekends": "0,6"} | {
    day: str(number)
    for number, day in enumerate(("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"))
}
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
HOW = "Say `/digest now`, `/digest weekdays 09:00 Europe/Berlin`, `/digest daily 18:30`, `/digest off`, or a cron line."


def parse_when(words: Sequence[str], zone: str) -> tuple[str, str]:
    """What a person wrote, as (cron, zone); pure. `zone` counts when none is named. BadAsk says how to write it."""
    rest = list(words)
    if rest and rest[-1].upper() in {"UTC", "GMT"}:
        zone = rest.pop().upper()
    elif rest and "/" in rest[-1] and is_zone(rest[-1]):
        zone = rest.pop()
    elif rest and re.fullmatch(r"[A-Za-z_]+/[A-Za-z_/+-]+", rest[-1]):
        raise BadAsk(f"`{rest[-1][:40]}` is not a time zone I know; they look like `Europe/Berlin`. {HOW}")
    return _cron(rest), zone


def next_time(cron: str, zone: str, after: datetime) -> datetime:
    """The first time strictly after, in UTC. Daylight saving is the zone's: once for each wall time."""
    local = after.astimezone(ZoneInfo(zone))
    return next(CronSim(cron, local)).astimezone(UTC)


def previous_time(cron: str, zone: str, before: datetime) -> datetime:
    """The last time strictly before, in UTC, but no more than a week back: a digest tells of what came since."""
    local = before.astimezone(ZoneInfo(zone))
    last = next(CronSim(cron, local, reverse=True)).astimezone(UTC)
    return max(last, before - LOOK_BACK)


def describe(plan: DigestPlan) -> str:
    """`0 9 * * 1-5 (Europe/Berlin), next on Mon 23 Nov 09:00`."""
    local = plan.next_at.astimezone(ZoneInfo(plan.zone))
    return f"`{plan.cron}` ({plan.zone}), next on {local:%a %d %b %H:%M}"


class Digests:
    """`due` is called by the clock; `flow` is `digest.v1`."""

    def __init__(self, store: Store, engine: Engine, posts: Posts, clock: Clock) -> None:
        self._store, self._engine, self._posts, self._clock = store, engine, posts, clock

    async def plan(self, thread: ThreadRef, words: Sequence[str], zone: str) -> DigestPlan:
        cron, zone = parse_when(words, zone)
        plan = DigestPlan(thread, cron, zone, next_time(cron, zone, self._clock.now()))
        await self._store.put_digest(plan)
        return plan

    async def due(self) -> int:
        """Start what is due, once for each due time; after a long stop one catch-up, not many. The number started."""
        now = self._clock.now()
        plans = await self._store.due_digests(now)
        for plan in plans:
            wall = plan.next_at.astimezone(ZoneInfo(plan.zone)).strftime("%Y-%m-%dT%H:%M")
            name = f"digest-{plan.thread.room}-{wall}"
            since = previous_time(plan.cron, plan.zone, plan.next_at)
            args: Json = {"thread": to_json(plan.thread), "zone": plan.zone, "since": to_json(since)}
            await self._engine.start(DIGEST_FLOW, name, args)
            await self._store.advance_digest(plan, next_time(plan.cron, plan.zone, now))
        return len(plans)

    async def flow(self, flow: Flow, args: Json) -> Json:
        """Compose and say, under a key of its own."""
        given = cast("dict[str, Json]", args)
        thread = from_json(ThreadRef, given["thread"])
        since = from_json(datetime, given["since"])
        text = await flow.step("compose", str, self.compose, thread.room, str(given["zone"]), since)
        await flow.step("say", bool, self._say, flow.id, thread, text)
        return None

    async def compose(self, room: ChatRef, zone: str, since: datetime | None = None) -> str:
        """Runs finished, failed and waiting, open pull requests, tasks in progress, cost; empty in one line.

        `since` None: the last day.
        """
        now = self._clock.now()
        runs = await self._store.runs_since(room, since or now - timedelta(days=1))
        still_open = await self._store.open_runs(room)
        pulls = await self._store.open_pulls(room)
        local = now.astimezone(ZoneInfo(zone))
        head = f"📋 **Digest** · {local:%a %d %b %H:%M} ({zone})"
        sections = [
            _runs("Finished", [run for run in runs if run.state is RunState.COMPLETED]),
            _runs("Failed", [run for run in runs if run.state is RunState.FAILED]),
            _runs("Waiting for you", [run for run in still_open if run.state is RunState.WAITING]),
            _runs("At work", [run for run in still_open if run.state is not RunState.WAITING]),
            _pulls(pulls),
            await self._tasks(room),
        ]
        told = [section for section in sections if section]
        if not told:
            return f"{head}\n\nNothing has happened since the last one, and nothing is open."
        return "\n\n".join([head, *told, *_cost(runs)])

    async def _tasks(self, room: ChatRef) -> str:
        keys = {each.project for each in await self._store.links(room)}
        tasks = [task for key in sorted(keys) for task in await self._store.tasks(key)]
        busy = [task for task in tasks if task.state is TaskState.IN_PROGRESS]
        return _section("Tasks in progress", [f"{task.key} {task.title}" for task in busy])

    async def _say(self, key: str, thread: ThreadRef, text: str) -> bool:
        await self._posts.say(PostKey(key), thread, Post(text))
        return True


def _cron(words: Sequence[str]) -> str:
    time = _TIME.fullmatch(words[-1]) if words else None
    if time is None and len(words) == 5:
        return _checked(" ".join(words))
    if time is None or len(words) > 8:
        raise BadAsk(f"I can't read that as a time. {HOW}")
    days = [word.lower().rstrip(",") for word in words[:-1]]
    numbers = [_day(day) for day in days if day not in {"at", "and"}] or ["*"]
    shown = "*" if "*" in numbers else ",".join(numbers)
    return _checked(f"{int(time[2])} {int(time[1])} * * {shown}")


def _day(word: str) -> str:
    if word in {"every", "day"}:
        return "*"
    for name, number in _DAYS.items():
        if word == name or (len(word) >= 3 and name.startswith(word)):
            return number
    raise BadAsk(f"`{word[:20]}` is no day I know. {HOW}")


def _checked(cron: str) -> str:
    if len(cron) > CRON_LENGTH:
        raise BadAsk(f"That is too long for a cron line: at most {CRON_LENGTH} characters. {HOW}")
    try:
        next(CronSim(cron, datetime.now(UTC)))
    except (CronSimError, StopIteration) as error:
        raise BadAsk(f"`{cron[:60]}` is not a cron line: five fields, minute hour day month weekday. {HOW}") from error
    return cron


def _section(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    shown = [f"- {line}" for line in lines[:SHOWN]]
    more = [f"- … {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([f"**{title}** ({len(lines)})", "", *shown, *more])


def _runs(title: str, runs: Sequence[Run]) -> str:
    return _section(title, [f"{run.title} · {run.agent}" for run in runs])


def _pulls(works: Sequence[Work]) -> str:
    return _section("Open pull requests", [f"{work.project}: {link(work.pull)}" for work in works if work.pull])


def _cost(runs: Sequence[Run]) -> list[str]:
    cost = [run.usage.cost for run in runs if run.usage.cost is not None]
    return [f"Cost: ${sum(cost):.2f}"] if cost else []
