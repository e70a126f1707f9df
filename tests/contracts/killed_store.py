"""Run as a program: opens a store, and says each key that was acknowledged, until it is killed."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from adapters.store import DatabaseStore
from core.model.chat import Delivery, Post, PostKey, Priority, ThreadRef
from core.ports import Arrival, Outgoing

CALLERS = 8
THREAD = ThreadRef("console", "local", "c1")


async def main(url: str, data: Path) -> None:
    store = DatabaseStore(url, data)
    await store.open()
    say("open")
    if sys.argv[3] == "idle":
        await asyncio.sleep(3600)
    counter = itertools.count()
    await asyncio.gather(*(take(store, counter) for _ in range(CALLERS)))


async def take(store: DatabaseStore, counter: itertools.count[int]) -> None:
    for number in counter:
        key = f"k{number}"
        await store.accept([Arrival(key, Delivery("console", key, b"x" * 100))], "console", key)
        say(f"arrival {key}")
        await store.put_posts([Outgoing(PostKey(key), THREAD, Post(key), Priority.ANSWER)])
        say(f"post {key}")


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
