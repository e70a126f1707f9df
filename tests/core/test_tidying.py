"""Once a day: what is over goes, what somebody could still ask for stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.model.errors import StoreError, WorkspaceError
from core.model.events import TurnEnd, TurnResult
from core.model.work import RunId, RunState
from core.ports import FlowState
from core.tidying import Tidying
from tests.fakes.clock import FakeClock
from tests.whole import WholeBot, whole_bot

FOR_EVER = 36_500.0
"""Days: the store stamps its rows by the machine's own clock."""


@dataclass
class FakeSessions:
    times: dict[str, datetime] = field(default_factory=dict)

    async def used(self) -> dict[str, datetime]:
        return dict(self.times)

    async def forget(self, session: str) -> None:
        del self.times[session]


@dataclass
class Home:
    bot: WholeBot
    sessions: FakeSessions = field(default_factory=FakeSessions)

    async def after(self, days: float) -> int:
        """The tidying so long after now."""
        bot, clock = self.bot, FakeClock(self.bot.clock.now() + timedelta(days=days))
        count = await Tidying(bot.store, bot.engine, bot.workspaces, self.sessions, bot.posts, clock).tidy()
        await bot.quiet()
        return count

    async def over(self) -> RunId:
        """A run that is over, whose checkout stands as after a crash at its very end."""
        await self.bot.linked()
        await self.bot.ask("Look at it")
        run = (await self.bot.only_run()).id
        self.bot.workspaces.standing.append(run)
        return run


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with whole_bot(tmp_path) as bot:
        yield Home(bot)


async def test_the_checkout_of_what_is_over_stays_a_week(home: Home) -> None:
    run = await home.over()
    said = len(home.bot.platform.posts)

    await home.after(6.9)
    assert home.bot.workspaces.standing == [run]
    await home.after(7.1)

    assert home.bot.workspaces.standing == []
    assert len(home.bot.platform.posts) == said


async def test_what_is_not_published_stays_a_month_and_its_end_is_said_once(home: Home) -> None:
    run = await home.over()
    home.bot.workspaces.unpublished.add(run)

    await home.after(29.9)
    assert home.bot.workspaces.standing == [run]
    await home.after(30.1)

    assert home.bot.workspaces.standing == []
    assert "Look at it**\n\nWhat this run could not publish 30 days ago" in home.bot.platform.posts[-1].text
    said = len(home.bot.platform.posts)
    home.bot.workspaces.standing.append(run)
    await home.after(31)
    assert len(home.bot.platform.posts) == said


async def test_what_cannot_be_read_counts_as_not_published(home: Home) -> None:
    run = await home.over()
    home.bot.workspaces.fault = WorkspaceError("The disk is gone.")

    await home.after(20)

    assert home.bot.workspaces.standing == [run]


async def test_checkouts_of_runs_that_are_open_or_not_known_are_left_alone(home: Home) -> None:
    home.bot.agent.script = [TurnResult("", end=TurnEnd.ASKED, question="Which one?")]
    await home.bot.linked()
    await home.bot.ask("Mend it")
    run = (await home.bot.only_run()).id
    home.bot.workspaces.standing.append(RunId("not-known"))

    await home.after(400)

    assert home.bot.workspaces.standing == [run, "not-known"]
    assert await home.bot.engine.state(run) is FlowState.OPEN


async def test_flows_go_after_a_week_and_posts_after_a_season_and_runs_stay(home: Home) -> None:
    run = await home.over()

    await home.after(6.9)
    assert await home.bot.engine.state(run) is FlowState.DONE
    await home.after(7.1)
    assert await home.bot.engine.state(run) is None

    assert await home.after(FOR_EVER) > 2
    assert await home.after(FOR_EVER) == 0
    assert (await home.bot.only_run()).state is RunState.COMPLETED


async def test_a_memory_stays_while_its_work_is_open_and_used(home: Home) -> None:
    home.bot.agent.script = [TurnResult("done", session="open")]
    await home.bot.linked()
    await home.bot.ask("Mend it")
    home.sessions.times = dict.fromkeys(("open", "closed"), home.bot.clock.now())

    await home.after(6.9)
    assert set(home.sessions.times) == {"open", "closed"}
    await home.after(7.1)
    assert set(home.sessions.times) == {"open"}
    await home.after(90.1)
    assert home.sessions.times == {}

    home.sessions.times["open"] = home.bot.clock.now()
    await home.bot.ask("/new")
    await home.after(7.1)
    assert home.sessions.times == {}


async def test_what_fails_is_left_for_the_next_day_and_the_rest_is_done(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await home.over()
    home.bot.workspaces.fault = WorkspaceError("The disk is gone.")

    async def away(before: datetime) -> int:
        raise StoreError("The database is away.")

    monkeypatch.setattr(home.bot.engine, "prune", away)
    home.sessions.times["old"] = home.bot.clock.now()

    await home.after(10)

    assert home.sessions.times == {}
    assert await home.bot.engine.state(run) is FlowState.DONE
