"""Digests: what a person may write, daylight saving, exactly once, and what they tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.digests import Digests, describe, next_time, parse_when, previous_time
from core.model.chat import Cause
from core.model.errors import AgentError, BadAsk
from core.model.events import TurnEnd, TurnResult
from core.model.work import DigestPlan, ProjectKey, TaskKey, TaskState, Usage
from tests.fakes.clock import FakeClock
from tests.whole import WholeBot

READ = [
    ("weekdays 09:00 Europe/Berlin", ("0 9 * * 1-5", "Europe/Berlin")),
    ("weekdays 9:05", ("5 9 * * 1-5", "UTC")),
    ("18:30", ("30 18 * * *", "UTC")),
    ("daily at 18:30", ("30 18 * * *", "UTC")),
    ("every day at 18:30", ("30 18 * * *", "UTC")),
    ("weekends 10:00 gmt", ("0 10 * * 0,6", "GMT")),
    ("Monday 08:00", ("0 8 * * 1", "UTC")),
    ("mon, wed and fri 08:00 America/New_York", ("0 8 * * 1,3,5", "America/New_York")),
    ("sun 23:59", ("59 23 * * 0", "UTC")),
    ("0 9 * * 1", ("0 9 * * 1", "UTC")),
    ("*/30 8-18 * * 1-5 Asia/Tokyo", ("*/30 8-18 * * 1-5", "Asia/Tokyo")),
]


@pytest.mark.parametrize(("said", "read"), READ)
def test_what_a_person_may_write(said: str, read: tuple[str, str]) -> None:
    assert parse_when(said.split(), "UTC") == read


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "can't read that as a time"),
        ("9am", "can't read that as a time"),
        ("24:00", "can't read that as a time"),
        ("someday 09:00", "`someday` is no day I know"),
        ("mo 09:00", "`mo` is no day I know"),
        ("weekdays 09:00 Europe/Berln", "`Europe/Berln` is not a time zone I know"),
        ("99 9 * * 1", "is not a cron line"),
        ("0 0 31 2 *", "is not a cron line"),
        ("a b c d e", "is not a cron line"),
        ("mon tue wed thu fri sat sun mon 09:00", "can't read that as a time"),
        ("@daily", "can't read that as a time"),
    ],
)
def test_what_cannot_be_read_says_how_to_write_it(said: str, words: str) -> None:
    with pytest.raises(BadAsk) as told:
        parse_when(said.split(), "UTC")

    assert words in str(told.value)
    assert "/digest weekdays 09:00 Europe/Berlin" in str(told.value)


def test_monday_is_monday() -> None:
    sunday = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert sunday.strftime("%A") == "Sunday"

    for said in ("monday 09:00", "0 9 * * 1", "0 9 * * MON"):
        cron, zone = parse_when(said.split(), "UTC")
        assert next_time(cron, zone, sunday).strftime("%A %H:%M") == "Monday 09:00"


ZONES = [
    # zone, cron, just before, the next times in UTC
    ("Europe/Berlin", "0 9 * * *", "2026-03-28T12:00", ["2026-03-29T07:00", "2026-03-30T07:00"]),
    ("Europe/Berlin", "0 9 * * *", "2026-10-24T12:00", ["2026-10-25T08:00", "2026-10-26T08:00"]),
    ("America/New_York", "0 9 * * *", "2026-03-07T18:00", ["2026-03-08T13:00", "2026-03-09T13:00"]),
    ("America/New_York", "0 9 * * *", "2026-10-31T18:00", ["2026-11-01T14:00", "2026-11-02T14:00"]),
    # a wall time that is skipped in spring comes when the clocks have gone forward; one that is there twice comes once
    ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
    ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
    ("America/New_York", "30 1 * * *", "2026-10-31T18:00", ["2026-11-01T05:30", "2026-11-02T06:30"]),
]


@pytest.mark.parametrize(("zone", "cron", "before", "times"), ZONES)
def test_daylight_saving_is_the_zones(zone: str, cron: str, before: str, times: list[str]) -> None:
    at = datetime.fromisoformat(before).replace(tzinfo=UTC)
    for expected in times:
        at = next_time(cron, zone, at)
        assert at.strftime("%Y-%m-%dT%H:%M") == expected


def test_a_digest_tells_of_what_came_since_the_last_but_of_a_week_at_most() -> None:
    monday = datetime(2026, 3, 2, 9, tzinfo=UTC)

    assert previous_time("0 9 * * 1-5", "UTC", monday) == datetime(2026, 2, 27, 9, tzinfo=UTC)
    assert previous_time("0 9 1 1 *", "UTC", monday) == monday - timedelta(days=7)


def test_how_a_plan_is_described(bot: WholeBot) -> None:
    plan = DigestPlan(bot.platform.thread, "0 9 * * 1", "Europe/Berlin", datetime(2026, 3, 2, 8, tzinfo=UTC))

    assert describe(plan) == "`0 9 * * 1` (Europe/Berlin), next on Mon 02 Mar 09:00"


# ------------------------------------------------------------------------------------------ exactly once


def at(bot: WholeBot, when: datetime) -> Digests:
    """The digests of a bot whose clock stands at this time."""
    return Digests(bot.store, bot.engine, bot.posts, FakeClock(when))


def digests(bot: WholeBot) -> list[str]:
    return [each.text for each in bot.platform.posts if each.key.startswith("digest-")]


CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
]


@pytest.mark.parametrize(("zone", "day"), CHANGES)
async def test_once_for_each_due_time_over_both_changes(bot: WholeBot, zone: str, day: str) -> None:
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=UTC) - timedelta(days=1)
    await at(bot, start).plan(bot.platform.thread, ["30", "1,2", "*", "*", "*"], zone)

    for minute in range(0, 60 * 72, 10):
        for _ in range(2):
            await at(bot, start + timedelta(minutes=minute)).due()
    await bot.quiet()
    said = [each.key for each in bot.platform.posts]

    assert len(said) == len(set(said))
    assert len([key for key in said if f"{day}T" in key]) == 2


async def test_once_over_a_restart_between_start_and_advance(bot: WholeBot) -> None:
    now = bot.clock.now()
    plan = await bot.digests.plan(bot.platform.thread, ["09:30"], "UTC")
    later = now + timedelta(minutes=31)
    advance = bot.store.advance_digest

    async def dies(*_: object) -> bool:
        raise RuntimeError("the power is gone")

    bot.store.advance_digest = dies  # type: ignore[assignment, method-assign]
    with pytest.raises(RuntimeError):
        await at(bot, later).due()
    bot.store.advance_digest = advance  # type: ignore[method-assign]
    await bot.restart()
    assert await at(bot, later).due() == 1
    assert await at(bot, later).due() == 0
    await bot.quiet()

    assert len(digests(bot)) == 1
    standing = await bot.store.digest(plan.thread.room)
    assert standing is not None
    assert standing.next_at == plan.next_at + timedelta(days=1)


async def test_after_a_long_stop_there_is_one_catch_up(bot: WholeBot) -> None:
    await bot.digests.plan(bot.platform.thread, ["09:30"], "UTC")
    later = at(bot, bot.clock.now() + timedelta(days=5))

    assert await later.due() == 1
    assert await later.due() == 0
    await bot.quiet()

    assert len(digests(bot)) == 1


async def test_nothing_is_due_before_its_time(bot: WholeBot) -> None:
    await bot.digests.plan(bot.platform.thread, ["09:30"], "UTC")

    assert await bot.digests.due() == 0


# ----------------------------------------------------------------------------------------- what is told


async def test_what_a_digest_tells(bot: WholeBot) -> None:
    bot.agent.script = [
        TurnResult("", usage=Usage(1, 1, 0.25)),
        AgentError("It broke."),
        TurnResult("", end=TurnEnd.ASKED, question="Which?"),
    ]
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    await bot.store.put_task_state(TaskKey("DEMO-1"), TaskState.IN_PROGRESS)
    bot.workspaces.changes = {"a.py": "1"}
    for number, text in enumerate(("Good", "Bad", "Unsure")):
        await bot.ask(text, thread=replace(bot.platform.thread, root=f"t{number}"))

    told = (await bot.ask("/digest now")).text

    sections = told.split("\n\n")
    assert "**Finished** (1)" in sections
    assert "- Good · scripted" in sections
    assert "- Bad · scripted" in sections
    assert "**Waiting for you** (1)" in sections
    assert "- DEMO: [#1 Good](https://forge.example/DEMO/pull/1)" in sections
    assert "- DEMO-1 Login" in sections
    assert sections[-1] == "Cost: $0.25"


async def test_what_was_before_is_not_told_again(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Good")
    room = bot.platform.thread.room

    assert "Good" in await bot.digests.compose(room, "UTC")
    assert "Nothing has happened" in await at(bot, bot.clock.now() + timedelta(days=2)).compose(room, "UTC")
    assert "Nothing has happened" in await bot.digests.compose(room, "UTC", bot.clock.now() + timedelta(seconds=1))


async def test_many_are_counted(bot: WholeBot) -> None:
    await bot.linked()
    for number in range(12):
        task = await bot.store.add_task(
            ProjectKey("DEMO"), f"Task {number}", bot.platform.owner, bot.clock.now(), Cause(f"t{number}")
        )
        await bot.store.put_task_state(task.key, TaskState.IN_PROGRESS)

    told = await bot.digests.compose(bot.platform.thread.room, "UTC")

    assert "**Tasks in progress** (12)" in told
    assert told.endswith("- … 2 more")
