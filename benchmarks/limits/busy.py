"""429s in many chats: no call to them comes before its time, their order stays, and the others do not wait."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.limits.outbox import Outbox, outbox
from core.model.chat import Post, PostKey, Priority, ThreadRef

EACH, FEWEST = 10, 4
"""429s for each of the chats that get any; in the small form."""

CALM = 20
"""Chats that get none."""

MOST_POSTS = 60
"""In each thread of a chat, however long its 429s last."""

P99_SECONDS = 2.0


@dataclass
class Busy:
    """`delays` of posts in chats that were never told to wait: from the asking to the arrival, in seconds."""

    platform: str
    refused: int = 0
    calls: int = 0
    posts: int = 0
    delays: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def p(self, percent: int) -> float:
        ordered = sorted(self.delays) or [0.0]
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

    def row(self) -> str:
        delays = f"{self.p(50) * 1000:.1f} | {self.p(99) * 1000:.1f}"
        return (
            f"| {self.platform} | {self.refused:,} | {self.calls:,} | {self.posts:,} | {delays} | {len(self.faults)} |"
        )


HEAD = """| 429s | injected | calls | posts | other chats p50 ms | p99 ms (≤ 2,000) | early, lost, doubled, disordered |
|---|---|---|---|---|---|---|"""


async def busy(platform: str, count: int, folder: Path, seed: str, *, small: bool = False) -> Busy:
    """`count` refusals. The small form is over soon: no first signs, which wait for a group that is far ahead."""
    result = Busy(platform)
    most = Priority.ANSWER if small else Priority.PROGRESS
    share = FEWEST if small else EACH
    async with outbox(platform, folder, seed) as box:
        troubled = {number: min(share, count - share * number) for number in range(-(-count // share))}
        for number, refusals in troubled.items():
            box.rules.refusals[box.threads(number)[0].chat] = refusals
        asked: dict[str, tuple[float, ThreadRef]] = {}
        is_over = asyncio.Event()
        calm = [asyncio.create_task(_chat_calmly(box, 10_000 + each, asked, is_over)) for each in range(CALM)]
        dice = random.Random(f"{seed}/busy")
        await asyncio.gather(*(_chat(box, number, dice, most, asked) for number in troubled))
        is_over.set()
        await asyncio.gather(*calm)
        await box.until_sent()
        _count(box, asked, result)
    return result


async def _chat(
    box: Outbox, number: int, dice: random.Random, most: Priority, asked: dict[str, tuple[float, ThreadRef]]
) -> None:
    """Posts in each thread and edits of the first, until all its refusals have been met."""
    threads = box.threads(number)
    for turn in range(MOST_POSTS):
        for each in threads:
            await _say(box, each, turn, Priority(dice.randint(0, most)), asked)
        box.posts.progress(_key(threads[0], 0), threads[0].room, Post(f"progress {turn}"))
        await asyncio.sleep(dice.uniform(0.05, 0.3))
        if not box.rules.refusals[threads[0].chat]:
            return


async def _chat_calmly(
    box: Outbox, number: int, asked: dict[str, tuple[float, ThreadRef]], is_over: asyncio.Event
) -> None:
    turn = 0
    while not is_over.is_set():
        await _say(box, box.threads(number)[0], turn, Priority.ANSWER, asked)
        turn += 1
        await asyncio.sleep(0.25)


async def _say(
    box: Outbox, thread: ThreadRef, turn: int, priority: Priority, asked: dict[str, tuple[float, ThreadRef]]
) -> None:
    text = f"{thread.chat} {thread.root or 0} {turn}"
    asked[text] = (time.monotonic(), thread)
    await box.posts.say(_key(thread, turn), thread, Post(text), priority)


def _key(thread: ThreadRef, turn: int) -> PostKey:
    return PostKey(f"{thread}#{turn}")


def _count(box: Outbox, asked: dict[str, tuple[float, ThreadRef]], result: Busy) -> None:
    """A post that waited may have said `progress` by then, and then has no number of its own."""
    result.refused, result.calls, result.posts = box.rules.refused, box.rules.calls, len(asked)
    result.faults += box.rules.early
    shown = Counter(text for _, _, _, text in box.rules.came)
    turns: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, chat, root, text in box.rules.came:
        if text not in asked:
            continue
        began, thread = asked[text]
        turns[chat, root].append(int(text.rpartition(" ")[2]))
        if int(thread.chat.strip("C-")) >= 10_000:
            result.delays.append(at - began)
    result.faults += [f"out of order: {where}" for where, each in turns.items() if each != sorted(each)]
    first = {text for text in asked if text.endswith(" 0")}
    result.faults += [f"{shown[text]} times: {text}" for text in asked if shown[text] != 1 and text not in first]
    if sum(shown.values()) != len(asked):
        result.faults.append(f"{len(asked)} posts, {sum(shown.values())} shown")
