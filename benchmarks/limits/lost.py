"""Replies that are lost, before and after the platform took the post: none is lost, and none is said twice unsaid."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.limits.outbox import Outbox, outbox
from core.model.chat import Post, PostKey, ThreadRef
from core.sending import MAYBE_LOST, MAYBE_TWICE

CHATS = 100
MOST_POSTS = 400
"""In each chat, however many it takes."""

LABEL = MAYBE_TWICE.replace("*", "").strip()


@dataclass
class Lost:
    """`labelled`: second copies that say so. `told`: posts of which people were told that nobody knows."""

    platform: str
    before: int = 0
    after: int = 0
    posts: int = 0
    labelled: int = 0
    told: int = 0
    faults: list[str] = field(default_factory=list)

    def row(self) -> str:
        lost = f"{self.before:,} | {self.after:,}"
        return f"| {self.platform} | {lost} | {self.posts:,} | {self.labelled} | {self.told} | {len(self.faults)} |"


HEAD = """| lost replies | before | after it was taken | posts | labelled copies | told of | lost, doubled unsaid |
|---|---|---|---|---|---|---|"""


async def lost(platform: str, count: int, folder: Path, seed: str, chats: int = CHATS) -> Lost:
    result = Lost(platform)
    async with outbox(platform, folder, seed) as box:
        box.rules.losses = count
        asked: set[str] = set()
        await asyncio.gather(*(_chat(box, box.threads(number), asked) for number in range(chats)))
        await box.until_sent()
        result.before, result.after, result.posts = box.rules.lost_before, box.rules.lost_after, len(asked)
        _count(box, asked, result)
    return result


async def _chat(box: Outbox, threads: list[ThreadRef], asked: set[str]) -> None:
    for turn in range(MOST_POSTS):
        thread = threads[turn % len(threads)]
        text = f"said {thread.chat} {thread.root or 0} {turn} end"
        asked.add(text)
        await box.posts.say(PostKey(text.replace(" ", ":")), thread, Post(text))
        await asyncio.sleep(0.05)
        if box.rules.losses <= 0:
            return


def _count(box: Outbox, asked: set[str], result: Lost) -> None:
    """Slack can be asked, so there is one of each; on Telegram a second one is labelled, or people are told."""
    plain: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    for _, _, _, text in box.rules.came:
        words = text.replace("*", "")
        is_labelled = words.startswith(LABEL)
        body = words.removeprefix(LABEL).strip()
        (labelled if is_labelled else plain)[body] += 1
    notices = plain[MAYBE_LOST] + labelled[MAYBE_LOST]
    shown = {text: (plain[text], labelled[text]) for text in asked}
    result.labelled = sum(copies for _, copies in shown.values())
    missing = [text for text, (first, second) in shown.items() if not first + second]
    result.told = min(len(missing), notices)
    doubled = [text for text, (first, second) in shown.items() if first > 1 or second > 1]
    result.faults += [f"doubled: {text}" for text in doubled]
    if len(missing) > notices:
        result.faults.append(f"{len(missing) - notices} lost, and nobody was told")
    if box.platform == "slack":
        result.faults += [f"labelled: {text}" for text, (_, second) in shown.items() if second]
