"""Seventeen events a second, and who waits for what: Slack for the acknowledgement, a person for the answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from uuid import uuid4

from benchmarks.soak.rooms import SlackRoom, forget
from tests.end_to_end.stage import OWNER, Stage
from tests.fakes.watch import DONE

PEOPLE = 60
COMMANDS = ("/status", "/help", "/tasks SHOP", "/history", "/agents", "/projects")
CHATTER = 0.4
"""Of the events are said among people, and are none of the bot's business."""
ANSWER_SECONDS = 30.0
PAUSE_SECONDS = 2.0
BEAT_SECONDS = 0.005


@dataclass(slots=True)
class Measured:
    """Seconds. `lag`: the longest that our own side was held up, which all the rest contains."""

    acks: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    refused: int = 0
    unanswered: int = 0
    runs: int = 0
    troubles: list[str] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)


class Load:
    def __init__(self, stage: Stage, *, rate: float, runs: int, seed: int) -> None:
        self._stage, self._slack = stage, stage.slack
        self._rate, self._runs = rate, runs
        self._dice = random.Random(seed)
        self._waiting: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.measured = Measured()
        self._slack.watch = self._see

    async def run(self, seconds: float) -> Measured:
        """Events at an even pace for so long, while the runs go on; then until all is answered."""
        runs = [asyncio.create_task(self._work(number)) for number in range(self._runs)]
        chores = [asyncio.create_task(each) for each in (self._beat(), self._forget())]
        began = perf_counter()
        for number in range(int(self._rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / self._rate - perf_counter()))
            task = asyncio.create_task(self._event(number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.gather(*self._tasks)
        self._closing.set()
        await asyncio.gather(*runs)
        for chore in chores:
            chore.cancel()
        return self.measured

    async def _event(self, number: int) -> None:
        is_chatter = self._dice.random() < CHATTER
        channel = f"C{number % 7}TALK" if is_chatter else f"D{number % PEOPLE}"
        text = "shall we have lunch?" if is_chatter else self._dice.choice(COMMANDS)
        ts = self._slack.new_ts()
        event = {"type": "message", "channel": channel, "user": f"U{number % PEOPLE}", "text": text, "ts": ts}
        event |= {"event_ts": ts, "channel_type": "channel" if is_chatter else "im", "team": self._slack.team}
        body = self._slack.event(event | {"client_msg_id": str(uuid4())})
        answered = asyncio.get_running_loop().create_future()
        if not is_chatter:
            self._waiting[channel, ts] = answered
        began = perf_counter()
        if not await self._slack.deliver("events_api", body):
            self.measured.refused += 1
        self.measured.acks.append(perf_counter() - began)
        if not is_chatter:
            await self._await_answer(answered, began)

    async def _await_answer(self, answered: asyncio.Future[None], began: float) -> None:
        try:
            await asyncio.wait_for(answered, ANSWER_SECONDS)
        except TimeoutError:
            self.measured.unanswered += 1
        else:
            self.measured.answers.append(perf_counter() - began)

    async def _see(self, name: str, phase: str) -> bool:
        """The post that was made just now is the newest message."""
        if (name, phase) == ("slack:chat.postMessage", DONE):
            message = self._slack.messages[-1]
            waiting = self._waiting.pop((message.channel, message.root), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
        return False

    async def _work(self, index: int) -> None:
        """One run after another, each in a thread of its own."""
        room = SlackRoom(self._slack, f"C{index}WORK", OWNER)
        await room.hear(await room.say("/link SHOP claude"), "SHOP")
        number = 0
        while not self._closing.is_set():
            number += 1
            name = f"n{index}{number:03d}"
            try:
                begun = await room.say(f"Change {name}.py")
                await room.hear(begun, "✅", name)
                looked = await room.say("/diff", begun)
                await room.hear(looked, "```")
                await room.hear(await room.say("/new", looked), "Left behind")
                self.measured.runs += 1
            except TimeoutError:
                self.measured.troubles.append(f"{name} never ended")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _beat(self) -> None:
        while True:
            began = perf_counter()
            await asyncio.sleep(BEAT_SECONDS)
            self.measured.lags.append(perf_counter() - began - BEAT_SECONDS)

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(5.0)
            forget(self._stage.telegram, self._slack)
            for record in (self._stage.llm.requests, self._stage.github.requests, self._stage.git.served):
                record.clear()


def people() -> Sequence[str]:
    return [f"slack:U{number}" for number in range(PEOPLE)]
