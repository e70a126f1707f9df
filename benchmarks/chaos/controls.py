"""Negative controls: three faults that a build might have, each of which must turn the proof red."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

ACK_SECONDS = 0.03
"""Until what was acknowledged is committed, in the build that acknowledges first."""


@dataclass(frozen=True, slots=True)
class Control:
    """`ops`: where lives end, so that it is seen soon. `shows`: what a fault that it leads to holds."""

    about: str
    install: Callable[[], None]
    ops: tuple[tuple[str, str], ...]
    shows: str

    def is_seen(self, faults: Iterable[str]) -> bool:
        """For its own reason: a machine that is slow finds faults too."""
        return any(self.shows in each for each in faults)


def install(name: str) -> None:
    CONTROLS[name].install()


def _ack_first() -> None:
    from adapters.chat.slack.platform import Slack  # noqa: PLC0415 - in a life alone
    from adapters.chat.telegram.platform import Telegram  # noqa: PLC0415

    tasks: set[asyncio.Task[None]] = set()

    def faulty(listen: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @functools.wraps(listen)
        async def listening(self: Any, take: Callable[..., Awaitable[None]], cursor: str | None) -> None:
            async def later(*args: Any, **named: Any) -> None:
                await asyncio.sleep(ACK_SECONDS)
                await take(*args, **named)

            async def taken(*args: Any, **named: Any) -> None:
                task = asyncio.create_task(later(*args, **named))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            await listen(self, taken, cursor)

        return listening

    for kind in (Slack, Telegram):
        kind.listen = faulty(kind.listen)  # type: ignore[method-assign,assignment]


def _no_post_key() -> None:
    from adapters.chat.slack.platform import Slack  # noqa: PLC0415
    from core.model.chat import PostKey  # noqa: PLC0415

    post = Slack.post

    async def posted(self: Any, thread: Any, words: Any, _key: Any) -> Any:
        return await post(self, thread, words, PostKey(uuid4().hex))

    Slack.post = posted  # type: ignore[method-assign,assignment]


def _forget_attempt() -> None:
    from adapters.store import DatabaseStore  # noqa: PLC0415

    async def begun(_self: Any, *_: Any) -> bool:
        return True

    DatabaseStore.begin_turn = begun  # type: ignore[method-assign,assignment]


CONTROLS: Mapping[str, Control] = {
    "ack-first": Control(
        "acknowledges a delivery before it commits it",
        _ack_first,
        (("slack.take", "before"), ("telegram.take", "before"), ("store.accept", "before")),
        "acknowledged and lost",
    ),
    "no-post-key": Control(
        "posts under another key each time",
        _no_post_key,
        (("http chat.postMessage", "after"), ("slack.post", "after")),
        "a second post on Slack",
    ),
    "forget-attempt": Control(
        "forgets that a turn was begun",
        _forget_attempt,
        (("command.turn", "after"), ("child bwrap", "after")),
        "times on",
    ),
}
