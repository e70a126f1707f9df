"""kill -9 at moments that the servers around the bot choose by what they have seen, and what must be true afterwards.

One bot, one task a moment: it is asked for, executed, killed somewhere on the way, started again, and looked at.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from time import monotonic

from tests.end_to_end.process import BotProcess
from tests.end_to_end.stage import ADA, OWNER, REPO, ROOM, Stage
from tests.fakes.llm import Entry, Request, Use, Words
from tests.fakes.watch import DONE, IN, nobody
from tests.repositories import files_on, has_branch, subjects

SETTLE_SECONDS = 45.0
"""The most from a kill to everything being said and done."""
LATER_SECONDS = 1.5
"""After that nothing more may come."""
LABEL = "♻️"


class Window(StrEnum):
    ACK = "commit → acknowledgement"
    TURN = "the agent's turn"
    PUSH = "push → pull request"
    FINAL = "pull request → final post"
    OUTSIDE = "elsewhere"


@dataclass(frozen=True)
class Spot:
    """`call` in `phase` for the `nth` time since `after` was seen; then `delay` seconds. `again`: seconds after the
    next start, for a second kill.
    """

    window: Window
    call: str
    phase: str
    nth: int = 1
    after: str = ""
    delay: float = 0.0
    says: str = "execute"
    again: float | None = None


@dataclass
class Moment:
    """The watch of every fake while one task goes its way."""

    spot: Spot
    shoot: Callable[[], None]
    seen: list[str] = field(default_factory=list)
    is_armed: bool = False
    window: Window | None = None
    """Where it was when it was shot; None: not yet."""
    _left: int = 0
    _task: asyncio.Task[None] | None = None

    def arm(self) -> None:
        self.seen, self._left, self.is_armed = [], self.spot.nth, True

    async def __call__(self, name: str, phase: str) -> bool:
        if not self.is_armed or self.window is not None:
            return False
        event = f"{name} {phase}"
        is_it = event == f"{self.spot.call} {self.spot.phase}" and (not self.spot.after or self.spot.after in self.seen)
        self._left -= is_it
        if not is_it or self._left != 0:
            self.seen.append(event)
            return False
        if not self.spot.delay:
            self._fire()
            return True
        self.seen.append(event)
        self._task = asyncio.create_task(self._later())
        return False

    async def _later(self) -> None:
        await asyncio.sleep(self.spot.delay)
        self._fire()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _fire(self) -> None:
        self.shoot()
        self.window = self._where()

    def _where(self) -> Window:
        """By what the servers had seen; the one that shot is not in `seen` if nothing was answered to it."""
        has = set(self.seen)
        if "github:POST pulls done" in has or (self.spot.call, self.spot.phase) == ("github:POST pulls", DONE):
            rest = self.seen[self.seen.index("github:POST pulls done") :] if "github:POST pulls done" in has else []
            said = {"telegram:sendMessage done", "slack:chat.postMessage done"} & set(rest)
            return Window.OUTSIDE if said and self.spot.delay else Window.FINAL
        if "git:git-receive-pack done" in has or (self.spot.call, self.spot.phase) == ("git:git-receive-pack", DONE):
            return Window.PUSH
        if any(each.startswith("llm:") for each in has) or self.spot.call.startswith("llm:"):
            return Window.OUTSIDE if "git:git-receive-pack in" in has else Window.TURN
        acks = {"slack:ack in", "telegram:ack in", "telegram:getUpdates in"} & has
        return Window.OUTSIDE if acks else Window.ACK


@dataclass
class Report:
    moments: Counter[tuple[Window, str]] = field(default_factory=Counter)
    labelled: int = 0
    again: int = 0
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)

    def fewest(self) -> int:
        """Moments in that window which has the fewest."""
        counts: Counter[Window] = Counter()
        for (window, _), count in self.moments.items():
            counts[window] += count
        return min(counts[each] for each in Window if each is not Window.OUTSIDE)

    def table(self) -> str:
        platforms = sorted({platform for _, platform in self.moments})
        rows = [f"| moment | {' | '.join(platforms)} | all |", f"|---|{'---|' * (len(platforms) + 1)}"]
        for window in Window:
            counts = [self.moments[window, each] for each in platforms]
            rows.append(f"| {window} | {' | '.join(map(str, counts))} | {sum(counts)} |")
        told = f"second kills during recovery: {self.again}; labelled duplicates on Telegram: {self.labelled}; "
        told += f"slowest from kill to the end: {self.slowest:.1f} s; faults: {len(self.faults)}"
        return "\n".join([*rows, "", told, *self.faults])


def spots(platform: str, mode: str, dice: random.Random) -> Iterator[Spot]:
    """Endless, each window in turn, its places by the dice."""
    sent = {"telegram": "telegram:sendMessage", "slack": "slack:chat.postMessage"}[platform]
    is_polled = mode == "polling"
    handed = ("telegram:getUpdates", DONE) if is_polled else (f"{platform}:delivery", DONE)
    acked = ("telegram:getUpdates", IN) if is_polled else (f"{platform}:ack", IN)
    pull = "github:POST pulls done"
    while True:
        says = dice.choice(["create_task", "execute"])
        soon = dice.uniform(0.0002, 0.006 if is_polled else 0.002)
        exactly = Spot(Window.ACK, *acked, says=says)
        yield dice.choice([exactly, exactly, Spot(Window.ACK, *handed, delay=soon, says=says)])
        nth = dice.randint(1, 3)
        tool = dice.uniform(0.01, 0.25)
        yield dice.choice(
            [
                Spot(Window.TURN, "llm:anthropic", IN, nth),
                Spot(Window.TURN, "llm:anthropic", DONE, min(nth, 2), delay=tool, again=dice.uniform(0.2, 1.5)),
            ]
        )
        yield dice.choice(
            [
                Spot(Window.PUSH, "git:git-receive-pack", DONE),
                Spot(Window.PUSH, "git:git-receive-pack", DONE, delay=dice.uniform(0.001, 0.03)),
                Spot(Window.PUSH, "github:GET pulls", IN, after="git:git-receive-pack done"),
                Spot(Window.PUSH, "github:POST pulls", IN, again=dice.uniform(0.2, 1.5)),
            ]
        )
        yield dice.choice(
            [
                Spot(Window.FINAL, "github:POST pulls", DONE),
                Spot(Window.FINAL, "github:POST pulls", DONE, delay=dice.uniform(0.001, 0.02)),
                Spot(Window.FINAL, sent, IN, after=pull),
                Spot(Window.FINAL, sent, DONE, after=pull),
            ]
        )


def bot_for(stage: Stage, platform: str, mode: str) -> BotProcess:
    if platform == "slack":
        return stage.bot("slack", slack_mode=mode)
    return stage.bot("telegram", telegram_mode=mode)


class Kills:
    """`run` for each moment; `report` says what came of it."""

    def __init__(self, stage: Stage, bot: BotProcess, platform: str, mode: str) -> None:
        self._stage, self._bot, self._platform, self._mode = stage, bot, platform, mode
        self.report = Report()
        self._thread = ""
        self._count = 0
        stage.llm.always = work

    async def begin(self) -> None:
        if self._platform == "slack":
            self._stage.slack.pause_seconds = 0.5
        await self._bot.start()
        said = asyncio.create_task(self._say(f"create_project DEMO Demo {REPO}"))
        await self._until(lambda: self._texts("linked to it"), "the project")
        await said

    async def run(self, spot: Spot) -> None:
        self._count += 1
        number, began = self._count, 0.0
        moment = Moment(spot, self._bot.shoot)
        self._watch(moment)
        recovery = asyncio.create_task(self._recover(moment))
        try:
            for word, text, marks in self._says(number):
                if spot.says == word:
                    moment.arm()
                said = asyncio.create_task(self._say(text))
                try:
                    await self._until(partial(self._texts, *marks), f"{text} ({spot})")
                finally:
                    await self._patiently(said)
            began = await recovery if moment.window is not None else 0.0
        except AssertionError as error:
            self.report.faults.append(str(error))
        finally:
            recovery.cancel()
            await asyncio.gather(recovery, return_exceptions=True)
            await moment.close()
            self._watch(None)
        if began:
            self.report.slowest = max(self.report.slowest, monotonic() - began)
        self.report.moments[moment.window or Window.OUTSIDE, f"{self._platform} {self._mode}"] += 1
        await asyncio.sleep(LATER_SECONDS if moment.window else 0)
        self._look(number, spot)

    def _says(self, number: int) -> Sequence[tuple[str, str, tuple[str, ...]]]:
        title = f"Write f{number}.txt"
        return (
            ("create_task", f"create_task DEMO {title}", (title, "has it done")),
            ("execute", f"execute DEMO-{number} claude", ("✅", f"DEMO-{number} {title}")),
        )

    async def _recover(self, moment: Moment) -> float:
        """Once it is killed, up again; when it was killed."""
        await self._bot.ended(SETTLE_SECONDS)
        began = monotonic()
        if moment.spot.again is not None:
            await self._bot.launch()
            await asyncio.sleep(moment.spot.again)
            await self._bot.kill()
            self.report.again += 1
        await self._bot.start()
        return began

    # ---------------------------------------------------------------------------- afterwards

    def _look(self, number: int, spot: Spot) -> None:
        title, branch = f"DEMO-{number} Write f{number}.txt", f"task/DEMO-{number}"
        kinds = {
            "reply": self._texts(f"Write f{number}.txt", "has it done"),
            "final": self._texts("✅", title, "Pull request"),
            "anchor": [each for each in self._texts(title, "claude") if not re.search("✅|❌|⏹|has it done", each)],
        }
        wrong = [f"{kind}: {posts!r}" for kind, posts in kinds.items() if not self._is_once(posts)]
        known = [each for posts in kinds.values() for each in posts]
        wrong += [f"beside: {each!r}" for each in self._texts(f"f{number}.txt") if each not in known]
        pulls = [each for each in self._stage.repo.pulls if each["head"]["ref"] == branch]
        wrong += [f"{len(pulls)} pull requests"] if len(pulls) != 1 else []
        if not has_branch(self._stage.bare, branch):
            wrong.append("no branch")
        elif files_on(self._stage.bare, branch).get(f"f{number}.txt") != content(number).encode():
            wrong.append(f"the branch holds {files_on(self._stage.bare, branch)}")
        elif len(subjects(self._stage.bare, branch)) != 2:
            wrong.append(f"commits: {subjects(self._stage.bare, branch)}")
        self.report.faults += [f"{self._platform} {self._mode} {number} {spot}: {each}" for each in wrong]

    def _is_once(self, posts: Sequence[str]) -> bool:
        """On Telegram, whose server cannot say whether a post arrived, one labelled second may be."""
        labelled = [each for each in posts if LABEL in each]
        self.report.labelled += len(labelled) > 0 and len(posts) > 1
        if self._platform == "slack":
            return len(posts) == 1 and not labelled
        return len(posts) == 1 or (len(posts) == 2 and len(labelled) == 1)

    # ------------------------------------------------------------------------------ the platform

    def _watch(self, moment: Moment | None) -> None:
        for each in (self._stage.telegram, self._stage.slack, self._stage.llm, self._stage.github, self._stage.git):
            each.watch = moment or nobody

    async def _say(self, text: str) -> None:
        if self._platform == "telegram":
            self._stage.telegram.say(ADA, f"/{text}")
            while self._mode == "webhook" and self._stage.telegram.updates:
                await self._stage.telegram.deliver()
                await asyncio.sleep(0.1)
        else:
            await self._stage.slack.say(ROOM, OWNER, text)

    def _texts(self, *words: str) -> list[str]:
        """What every post that holds all the words was first, and is now."""
        return [each for each in self._posts() if all(word in each for word in words)]

    def _posts(self) -> list[str]:
        if self._platform == "slack":
            return [each.markdown for each in self._stage.slack.posts]
        return list(self._stage.telegram.texts(ADA).values())

    async def _until(self, claim: Callable[[], object], what: str) -> None:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while not claim():  # noqa: ASYNC110 - four servers, and what was killed tells nobody
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"never: {what}; posts: {self._posts()[-4:]}") from None

    async def _patiently(self, said: asyncio.Task[None]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await said


def content(number: int) -> str:
    return f"number {number}\r\n\tnaïve"


def work(asked: Request) -> Entry:
    """Three steps, told by how many were taken before: it does not matter how often they are asked for."""
    talk = json.dumps(asked.body["messages"])
    found = re.search(r"Write f(\d+)\.txt", talk)
    number = int(found[1]) if found else 0
    taken = talk.count('"tool_result"')
    if taken == 0:
        return Use("edit", path=f"f{number}.txt", old="", new=content(number))
    if taken == 1:
        return Use("bash", command=f"sleep 0.25; wc -c f{number}.txt")
    return Words(f"It is in f{number}.txt.")
