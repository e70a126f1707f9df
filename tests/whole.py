"""A whole bot over fakes, on a real store: people speak on a platform in memory, a scripted agent does the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from adapters.secrets import Redactor
from adapters.secrets.keys import GivenKeys, new_key
from adapters.secrets.vault import Vault
from adapters.store import DatabaseStore
from core.alerts import Alerts
from core.approvals.defaults import DEFAULTS
from core.approvals.desk import ApprovalDesk
from core.approvals.policy import Policy
from core.authority import Listed, Lists, Role, Roles
from core.authority.gate import Authority
from core.budgets.budgets import Budgets
from core.budgets.charged import Charged
from core.budgets.rules import Rules
from core.commands import Desk
from core.conversation import Conversation
from core.digests import DIGEST_FLOW, Digests
from core.inbox import Inbox
from core.model.chat import Person, ThreadRef
from core.model.work import Run
from core.news import News
from core.pasted import Pastes
from core.ports import Agent, ChatPlatform
from core.posts import Posts
from core.projects import ProjectDesk
from core.quiet import QuietHours
from core.runs.cards import CutCards
from core.runs.desk import RunDesk
from core.runs.flow import RUN_FLOW, RunFlow
from core.runs.live import Live
from core.runs.restarts import Restarts
from core.runs.steps import RunSteps
from core.signs import Signs
from tests.databases import sqlite_store
from tests.fakes.agent import FakeAgent
from tests.fakes.clock import FakeClock
from tests.fakes.code import FakeForge, FakeWorkspaces
from tests.fakes.engine import FakeEngine
from tests.fakes.gateway import FakeGateway
from tests.fakes.platform import FakePlatform, ShownPost

ADMIN = Person("fake", "home", "admin", "Ada")
MEMBER = Person("fake", "home", "member", "Mia")
REVIEWER = Person("fake", "home", "reviewer", "Rob")
VIEWER = Person("fake", "home", "viewer", "Vic")
STRANGER = Person("fake", "home", "stranger", "Sam")


CALM_ROUNDS = 5
"""Looks around in a row that must find nothing going on."""


class WatchedDesk(RunDesk):
    is_looking = False

    @property
    def begins(self) -> bool:
        """Lanes have become free, and who waits for them is about to be looked at, or just is."""
        return self._freed.is_set() or self.is_looking

    async def _begin_waiting(self) -> None:
        self.is_looking = True
        try:
            await super()._begin_waiting()
        finally:
            self.is_looking = False


class WholeBot:
    """`start` and `crash` may be called in turn: the store, the engine's journal and the platform stay."""

    others: Sequence[ChatPlatform] = ()
    owners: Sequence[Listed] = ()
    people: Mapping[Role, Sequence[Listed]] = {}
    """Of the configuration, beside those of the fake platform."""
    chats: Sequence[Listed] = ()
    """Approved by the configuration, beside `group`."""
    policy = Policy(DEFAULTS)

    def __init__(self, store: DatabaseStore, *, agents: Sequence[Agent] = (), most_at_once: int = 8) -> None:
        self.store = store
        self.clock = FakeClock()
        self.platform = FakePlatform()
        self.engine = FakeEngine(self.clock)
        self.agent = FakeAgent()
        self.agents: dict[str, Agent] = {each.name: each for each in (self.agent, *agents)}
        self.forge = FakeForge()
        self.workspaces = FakeWorkspaces()
        self.gateway = FakeGateway()
        self.rules = Rules()
        self._most_at_once = most_at_once
        self._tasks: list[asyncio.Task[None]] = []
        self.redactor = Redactor()
        self.vault = Vault(store, GivenKeys(new_key()), self.redactor, self.clock.now)
        self._build()

    def _build(self) -> None:
        platforms: dict[str, ChatPlatform] = {each.name: each for each in (self.platform, *self.others)}
        self.posts = Posts(self.store, platforms, self.clock, is_quiet=QuietHours(self.store, self.clock))
        self.budgets = Budgets(self.store, self.posts, self.clock, self.rules, "Europe/Berlin")
        self.live = Live(self.posts, self.clock)
        self.signs = Signs(platforms)
        self.alerts = Alerts(self.clock)
        self.cut_cards = CutCards()
        self.runs = WatchedDesk(
            self.store,
            self.engine,
            self.posts,
            self.live,
            self.agents,
            self.clock,
            most_at_once=self._most_at_once,
            cut_cards=self.cut_cards,
        )
        forges = {self.forge.name: self.forge}
        self.approvals = ApprovalDesk(
            self.store,
            self.posts,
            self.live,
            self.clock,
            self.policy,
            platforms,
            free=self.runs.free,
            zone="Europe/Berlin",
            seconds=3600.0,
        )
        self.steps = RunSteps(
            self.store,
            self.posts,
            self.agents,
            forges,
            self.workspaces,
            self.live,
            self.signs,
            self.clock,
            self.runs.free,
            self.alerts,
            zone="Europe/Berlin",
            cut_cards=self.cut_cards,
            approvals=self.approvals,
            charging=Charged(self.gateway, self.budgets),
        )
        self.restarts = Restarts(
            self.store, self.posts, platforms, self.agents, self.cut_cards, self.clock, "Europe/Berlin"
        )
        self.digests = Digests(self.store, self.engine, self.posts, self.clock)
        lists = Lists(
            {
                Role.OWNER: [Listed("fake", "", "owner"), *self.owners],
                Role.ADMIN: [Listed("fake", "", "admin")],
                Role.DEVELOPER: [Listed("fake", "", "member")],
                Role.REVIEWER: [Listed("fake", "", "reviewer")],
                Role.VIEWER: [Listed("fake", "", "viewer")],
            },
            [Listed("fake", "", "group"), *self.chats],
        )
        lists = replace(
            lists, people={role: [*each, *self.people.get(role, ())] for role, each in lists.people.items()}
        )
        roles = Roles(lists, self.store, platforms)
        self.desk = Desk(
            self.store,
            self.posts,
            self.runs,
            self.steps,
            ProjectDesk(self.store, forges),
            self.digests,
            self.agents,
            forges,
            self.workspaces,
            self.clock,
            roles,
            platforms,
            approvals=self.approvals,
            budgets=self.budgets,
            secrets=self.vault,
        )
        self.authority = Authority(roles, self.store, self.clock)
        pastes = Pastes(self.vault, self.redactor.find, platforms, self.posts)
        self.conversation = Conversation(self.desk, self.authority, self.signs, pastes)
        self.posts.when_opened(self.conversation.opened)
        self.inbox = Inbox(self.store, self.clock, self.conversation.hear, self.conversation.set_aside)
        self.inbox.clean_by(pastes.clean)
        self.inbox.when_news(News(self.store, self.posts, forges, self.clock).learn)

    async def start(self) -> None:
        await self.vault.open()
        await self.budgets.open()
        await self.restarts.take_stock()
        await self.engine.launch({RUN_FLOW: RunFlow(self.steps), DIGEST_FLOW: self.digests.flow})
        self._tasks = [
            asyncio.create_task(each)
            for each in (self.inbox.work(), self.posts.work(), self.runs.work(), self.live.tick(), self.restarts.work())
        ]
        await asyncio.sleep(0)
        for each in (self.platform, *self.others):
            await self.posts.take_up(each.name)
            await self.inbox.take_up(each)
            listening = each.listen(self.inbox.take_for(each), await self.inbox.cursor(each.name))
            self._tasks.append(asyncio.create_task(listening))
        await self.runs.recover()
        self.runs.free()

    async def crash(self) -> None:
        """Everything in memory is gone at once."""
        await self.engine.crash()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.signs.close()
        self._tasks = []
        self._build()

    async def restart(self) -> None:
        await self.crash()
        await self.start()

    async def quiet(self) -> None:
        """Everything said is handled, every flow is over or waits, every post that can be sent is."""
        calm = 0
        while calm < CALM_ROUNDS:
            await self.inbox.until_quiet()
            await self.engine.settled()
            await asyncio.sleep(0.001)
            calm = 0 if self.runs.begins else calm + 1
        await self.posts.until_quiet()

    async def said(self, text: str, *, person: Person | None = None, thread: ThreadRef | None = None) -> None:
        """Say it, and wait until it is handled; a run that it starts may still be at work."""
        await self.platform.say(text, person=person, thread=thread)
        await self.inbox.until_quiet()

    async def ask(self, text: str, *, person: Person | None = None, thread: ThreadRef | None = None) -> ShownPost:
        """Say it, wait until everything is quiet, and return the newest post."""
        await self.said(text, person=person, thread=thread)
        await self.quiet()
        return self.platform.posts[-1]

    async def linked(self) -> None:
        """A project DEMO, linked to the chat."""
        await self.ask("/create_project DEMO Demo Project")

    async def only_run(self) -> Run:
        runs = await self.store.runs_of(self.platform.thread.room, 10)
        assert len(runs) == 1, runs
        return runs[0]


@asynccontextmanager
async def whole_bot(tmp_path: Path, *, agents: Sequence[Agent] = (), most_at_once: int = 8) -> AsyncIterator[WholeBot]:
    async with sqlite_store(tmp_path) as store:
        bot = WholeBot(store, agents=agents, most_at_once=most_at_once)
        await bot.start()
        try:
            yield bot
        finally:
            await bot.crash()
