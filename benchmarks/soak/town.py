"""The people of a small team, hour after hour: they talk, have things done, answer, stop, look at diffs, and merge."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from benchmarks.soak.model import work
from benchmarks.soak.rooms import Place, Room, SlackRoom, TelegramRoom, forget
from tests.end_to_end.stage import ADA, OWNER, REPO, ROOM, Stage
from tests.repositories import git

GRACE = 12
"""Her chat is about a project of the local forge."""
TALKERS = (101, 102, 103)
SLACK_TALKERS = ("D0TALK", "C0TALK")
SAID = ("/status", "/help", "/projects", "/history", "/agents", "/tasks SHOP", "status", "/nonsense", "hello there")
FORGET_SECONDS = 5.0
RECONNECT_SECONDS = 600.0
"""Slack renews every socket after a while."""
RECIPE = "date +%s%N >> log.txt; seq 2000; sleep 0.3"

KINDS = {"task": 5, "words": 3, "ask": 2, "cancel": 2, "recipe": 3}
"""What a round is, and how often."""


@dataclass(slots=True)
class Counts:
    """`waits`: seconds from what was said to its answer, of the light talk since the last look."""

    said: int = 0
    answered: int = 0
    rounds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    troubles: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)


class Town:
    """`live` until cancelled. `pace`: light messages in a second; `gap`: seconds between the rounds of all rooms."""

    def __init__(self, stage: Stage, seed: int, *, pace: float = 1.0, gap: float = 12.0) -> None:
        self._stage, self._pace, self._gap = stage, pace, gap
        self._dice = random.Random(seed)
        self._number = itertools.count(1)
        self.counts = Counts()
        self._closing = asyncio.Event()
        stage.llm.always = work
        stage.llm.delay = 0.05
        stage.agents |= {
            "gpt": {"type": "openai", "model": "scripted", "api_key": "unused", "base_url": stage.llm.openai_base},
            "recipe": {"type": "command", "steps": [["sh", "-c", RECIPE]]},
        }
        owners = [f"telegram:{each}" for each in (ADA, GRACE)] + [f"slack:{OWNER}"]
        developers = [f"telegram:{each}" for each in TALKERS] + ["slack:U0TALK"]
        chats = ["slack:C0TALK", f"slack:{ROOM}"]
        stage.more |= {"access": {"owners": owners, "developers": developers, "chats": chats}}
        self._rooms: dict[str, tuple[Room, str]] = {
            "ada": (TelegramRoom(stage.telegram, ADA), "SHOP"),
            "grace": (TelegramRoom(stage.telegram, GRACE), "HOME"),
            "slack": (SlackRoom(stage.slack, ROOM, OWNER), "SHOP"),
        }

    async def settle(self) -> None:
        """Projects, and what each room talks about."""
        for name, line in (
            ("ada", f"/create_project SHOP Shop {REPO}"),
            ("grace", "/create_project HOME Home"),
            ("slack", "/link SHOP"),
        ):
            room, project = self._rooms[name]
            await room.hear(await room.say(line), project)

    def close(self) -> None:
        """Nothing new is begun."""
        self._closing.set()

    async def live(self) -> None:
        """Until `close`, and what is begun is over."""
        async with asyncio.TaskGroup() as group:
            chores = [group.create_task(self._housework()), group.create_task(self._renew_sockets())]
            people = [group.create_task(self._talk(room, index)) for index, room in enumerate(self._talkers())]
            rooms = [group.create_task(self._have_done(name, index)) for index, name in enumerate(self._rooms)]
            await asyncio.wait(people + rooms)
            for chore in chores:
                chore.cancel()

    # ----------------------------------------------------------------------------------- light talk

    def _talkers(self) -> list[Room]:
        telegram: list[Room] = [TelegramRoom(self._stage.telegram, each) for each in TALKERS]
        return telegram + [SlackRoom(self._stage.slack, each, "U0TALK") for each in SLACK_TALKERS]

    async def _talk(self, room: Room, index: int) -> None:
        gap = len(self._talkers()) / self._pace
        await self._pause(gap * index / len(self._talkers()))
        while not self._closing.is_set():
            began, text = monotonic(), self._dice.choice(SAID)
            self.counts.said += 1
            try:
                await room.hear(await room.say(text), "")
            except TimeoutError:
                self.counts.troubles.append(f"{text}: not answered")
            else:
                self.counts.answered += 1
                self.counts.waits.append(monotonic() - began)
            await self._pause(gap - (monotonic() - began))

    # ---------------------------------------------------------------------------------------- rounds

    async def _have_done(self, name: str, index: int) -> None:
        room, project = self._rooms[name]
        gap = self._gap * len(self._rooms)
        await self._pause(self._gap * index)
        while not self._closing.is_set():
            began, number = monotonic(), next(self._number)
            kind = self._dice.choices(list(KINDS), list(KINDS.values()))[0]
            rounds: dict[str, Callable[[Room, str, str], Awaitable[Any]]] = {
                "task": self._task,
                "words": self._words,
                "ask": self._ask,
                "cancel": self._cancel,
                "recipe": self._recipe,
            }
            try:
                await rounds[kind](room, project, f"n{number}")
                self.counts.rounds[kind] += 1
            except TimeoutError:
                self.counts.troubles.append(f"{kind} n{number} in {name}: never ended")
            await self._pause(gap - (monotonic() - began))

    async def _task(self, room: Room, project: str, name: str, agent: str = "claude") -> None:
        asked = await room.say(f"/create_task {project} Write {name}.txt")
        told = await room.hear(asked, f"Write {name}.txt", "has it done")
        key = told.split()[0].strip("*")
        begun = await room.say(f"/execute {key} {agent}")
        await room.hear(begun, "✅", f"Write {name}.txt")
        await self._look_and_merge(room, begun)

    async def _recipe(self, room: Room, project: str, name: str) -> None:
        await self._task(room, project, name, "recipe")

    async def _words(self, room: Room, _project: str, name: str) -> None:
        begun = await room.say(f"Write {name}.txt")
        await room.hear(begun, "✅", f"Write {name}.txt")
        again = await room.say(f"Write {name}.txt once more", begun)
        await room.hear(again, "✅", f"Write {name}.txt")
        await self._look_and_merge(room, again)

    async def _ask(self, room: Room, _project: str, name: str) -> None:
        begun = await room.say(f"Ask {name}.txt")
        await room.hear(begun, f"How long shall {name} be?")
        again = await room.say("short", begun)
        await room.hear(again, "✅", f"Ask {name}.txt")
        await self._look_and_merge(room, again)

    async def _cancel(self, room: Room, _project: str, name: str) -> None:
        begun = await room.say(f"Slow {name}.txt")
        await room.hear(begun, f"Slow {name}.txt")
        await self._pause(2.0)
        stopped = await room.say("/cancel", begun)
        await room.hear(stopped, "⏹", f"Slow {name}.txt", "Stopped by")
        left = await room.say("/new", stopped)
        await room.hear(left, "Left behind")

    async def _look_and_merge(self, room: Room, place: Place) -> None:
        """The branch is deleted then, as a forge does it that was told to."""
        looked = await room.say("/diff", place)
        await room.hear(looked, "```" if looked.thread else "diff --git")
        merged = await room.say("/merge", looked)
        await room.hear(merged, "is merged")

    # --------------------------------------------------------------------------------------- chores

    async def _housework(self) -> None:
        """Keep the fakes as they were: merged branches go, records are forgotten."""
        while True:
            await asyncio.sleep(FORGET_SECONDS)
            forget(self._stage.telegram, self._stage.slack)
            for record in (self._stage.llm.requests, self._stage.github.requests, self._stage.git.served):
                record.clear()
            for pull in self._stage.repo.pulls:
                pull["body"] = ""
            await asyncio.to_thread(self._drop_branches)

    def _drop_branches(self) -> None:
        closed = {each["head"]["ref"] for each in self._stage.repo.pulls if each["state"] == "closed"}
        for branch in git(self._stage.bare, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split():
            if branch in closed:
                git(self._stage.bare, "update-ref", "-d", f"refs/heads/{branch}")

    async def _renew_sockets(self) -> None:
        while True:
            await asyncio.sleep(RECONNECT_SECONDS)
            await self._stage.slack.drop_sockets()

    async def _pause(self, seconds: float) -> None:
        """Shorter when the day is over."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), max(seconds, 0.0))
