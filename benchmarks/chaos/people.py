"""People in their threads: what they say, correct, take back and press, by seeded dice, while the bot dies."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from benchmarks.chaos.world import (
    ASK,
    CHANNELS,
    DIRECT,
    GROUP,
    LOOK_SECONDS,
    PEOPLE,
    TOPICS,
    Place,
    Seen,
    SlackCorner,
    SlackPlace,
    TelegramPlace,
    World,
)

AGENTS = ("claude", "append", "write")
PATIENCE_SECONDS = 8.0
"""After that a person says something else; what was said must still come to its end."""

FINAL = re.compile(r"[✅❌⏹]")
TASK = re.compile(r"\bDEMO-\d+\b")


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a person said with a mark in it. `starts`: it is for the agent; else it is a task for the board.

    `asks`: the model asks back, and another thing said may be taken for the answer.
    """

    mark: str
    platform: str
    agent: str
    starts: bool
    asks: bool = False


@dataclass
class Ledger:
    """What was said in the world, to be looked for afterwards."""

    spoken: list[Spoken] = field(default_factory=list)
    presses: int = 0
    corrections: int = 0
    commands: int = 0


@dataclass
class Person:
    """In one thread, with one agent. `is_leaving`: nothing new is begun any more."""

    name: str
    place: Place
    agent: str
    dice: random.Random
    ledger: Ledger
    is_leaving: bool = False
    _pressed: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def talk(self) -> None:
        """Until told to leave, and what was begun is answered or no longer waited for."""
        while not self.is_leaving:
            await asyncio.sleep(self.dice.uniform(0.0, 0.6))
            visits = [self._work, self._ask, self._plan, self._look_back]
            weights = [0, 2, 4, 0] if isinstance(self.place, SlackCorner) else [10, 2, 3, 2]
            visit = self.dice.choices(visits, weights)[0]
            await visit()

    async def tend(self) -> None:
        """Press what asks to be pressed, until cancelled."""
        while True:
            for post in self.place.everything():
                await self._press(post)
            await asyncio.sleep(4 * LOOK_SECONDS)

    # ---------------------------------------------------------------------------------------- visits

    async def _work(self) -> None:
        """Something for the agent; perhaps more of it, a correction or a Stop before it is done."""
        if isinstance(self.place, SlackPlace) and self.dice.random() < 0.6:
            self.place.root = ""
        is_asking = self.agent == "claude" and self.dice.random() < 0.3
        first, asks = self._mark(starts=True, asks=is_asking), f"{ASK} " * is_asking
        message = await self.place.say(f"Please {asks}make {first}", times=self.dice.choice([1, 1, 2]))
        marks = [first]
        for _ in range(self.dice.choice([0, 0, 1, 2])):
            await asyncio.sleep(self.dice.uniform(0.0, 0.5))
            match self.dice.choice(["more", "more", "edit", "cancel"]):
                case "more":
                    marks.append(self._mark(starts=True))
                    await self.place.say(f"Also make {marks[-1]}")
                case "edit" if message:
                    self.ledger.corrections += 1
                    await self.place.edit(message, f"Please {asks}make {first} soon")
                case "cancel":
                    self.ledger.commands += 1
                    await self.place.say("/cancel")
        await self._wait(lambda: all(self._is_answered(each) for each in marks))

    async def _ask(self) -> None:
        """A command that changes nothing."""
        self.ledger.commands += 1
        before = len(self.place.seen())
        await self.place.say(self.dice.choice(["/status", "/history", "/tasks DEMO", "/diff"]))
        await self._wait(lambda: len(self.place.seen()) > before)

    async def _plan(self) -> None:
        """A task for the board, perhaps to be executed at once."""
        mark = self._mark(starts=False)
        await self.place.say(f"/create_task DEMO Draw {mark}", times=self.dice.choice([1, 2]))
        await self._wait(lambda: self._task(mark))
        key = self._task(mark)
        if key and self.dice.random() < 0.6:
            done = self._mark(starts=True)
            await self.place.say(f"/execute {key} {self.agent} make {done}")
            await self._wait(lambda: self._is_answered(mark))

    async def _look_back(self) -> None:
        """At what was done: the diff, the pull request, the merge; or away from it."""
        done = [each for each in self.place.seen() if {"Merge", "Show diff"} & set(each.buttons)]
        if not done:
            return
        post, label = self.dice.choice(done), self.dice.choice(["Merge", "Show diff", "/pr", "/new"])
        if label.startswith("/"):
            self.ledger.commands += 1
            await self.place.say(label)
        elif label in post.buttons:
            await self._press_once(post, label)
        await asyncio.sleep(0.2)

    # ---------------------------------------------------------------------------------------- helpers

    def _mark(self, *, starts: bool, asks: bool = False) -> str:
        mark = f"mk{self.name}x{next(self._numbers)}"
        platform = "telegram" if isinstance(self.place, TelegramPlace) else "slack"
        self.ledger.spoken.append(Spoken(mark, platform, self.agent, starts, asks))
        return mark

    def _is_answered(self, mark: str) -> bool:
        return any(mark in each.text and FINAL.search(each.text) for each in self.place.seen())

    def _task(self, mark: str) -> str:
        made = (each.first for each in self.place.seen() if mark in each.first and "has it done" in each.text)
        key = TASK.search(next(made, ""))
        return key[0] if key else ""

    async def _wait(self, claim: Callable[[], object]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not claim() and not self.is_leaving:  # noqa: ASYNC110 - the servers tell nobody
                    await asyncio.sleep(2 * LOOK_SECONDS)

    async def _press(self, post: Seen) -> None:
        """One card may ask about several runs, with a number on each button."""
        if post.id in self._pressed:
            return
        resumes = [each for each in post.buttons if each.startswith("Resume")]
        if "Resume all" in resumes and self.dice.random() < 0.5:
            resumes = ["Resume all"]
        for label in resumes:
            if label != "Resume all" or len(resumes) == 1:
                away = label.replace("Resume", "Discard")
                await self._press_once(
                    post, self.dice.choice([label, label, label, away if away in post.buttons else label])
                )
        if "left" in post.buttons:
            await self._press_once(post, self.dice.choice(["left", "right"]))

    async def _press_once(self, post: Seen, label: str) -> None:
        self._pressed.add(post.id)
        self.ledger.presses += 1
        await self.place.press(post, label, times=self.dice.choice([1, 1, 2]))


def everybody(world: World, ledger: Ledger, seed: str, most: int) -> list[Person]:
    """`most` of those there could be, by the dice; names are numbers, for marks."""
    dice = random.Random(f"{seed}/who")
    makers: list[Callable[[], Place]] = [
        *(lambda chat=chat: TelegramPlace(world, chat) for chat in PEOPLE),
        *(lambda topic=topic: TelegramPlace(world, GROUP, topic) for topic in TOPICS),
        *(lambda name=name: SlackPlace(world, name) for name in (*CHANNELS, DIRECT)),
        lambda: SlackCorner(world, CHANNELS[0]),
    ]
    chosen = sorted(dice.sample(range(len(makers)), min(most, len(makers))))
    return [
        Person(str(number), makers[number](), AGENTS[number % 3], random.Random(f"{seed}/{number}"), ledger)
        for number in chosen
    ]
