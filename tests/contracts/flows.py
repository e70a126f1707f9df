"""Flows that the engine's contract is tried with, and what was called in them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from core.model.codec import Json
from core.model.errors import AgentError, ChatBusy
from core.model.work import PullRequest, PullState
from core.ports import Engine, Flow, FlowFunction


@dataclass
class Seen:
    """What one flow has done, as a test sees it from outside."""

    calls: list[str] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)


SEEN: defaultdict[str, Seen] = defaultdict(Seen)
ENGINE: list[Engine] = []
"""The one under test, for flows that ask it."""

PULL = PullRequest(7, "https://forge.example/7", "Tidy", "task/DEMO-1", "main", PullState.MERGED)


class OwnError(AgentError):
    """An adapter's own kind."""


async def say(flow: Flow, word: str) -> str:
    async def call(text: str) -> str:
        SEEN[flow.id].calls.append(text)
        return text

    return await flow.step(word, str, call, word)


async def steps(flow: Flow, args: Json) -> Json:
    for word in cast("list[str]", args):
        SEEN[flow.id].got.append(await say(flow, word))
    return ["tuple", 1]


async def shapes(flow: Flow, args: Json) -> Json:
    async def pull() -> PullRequest:
        return PULL

    async def none() -> PullRequest | None:
        return None

    async def pair() -> tuple[str, ...]:
        return ("a", "b")

    got = SEEN[flow.id].got
    got.append(await flow.step("pull", PullRequest, pull))
    got.append(await flow.step("none", cast("type[Any]", PullRequest | None), none))
    got.append(await flow.step("pair", tuple[str, ...], pair))
    got.append(args)
    return None


async def errors(flow: Flow, args: Json) -> Json:
    seen = SEEN[flow.id]

    async def fail(error: Exception) -> str:
        seen.calls.append(type(error).__name__)
        raise error

    for error in (ChatBusy("wait a little", 2.5), OwnError("it broke")):
        try:
            await flow.step(type(error).__name__, str, fail, error)
        except Exception as caught:  # noqa: BLE001 - the test looks at what it is
            seen.got.append(caught)
    seen.begun.set()
    seen.got.append(await flow.wait("end", 30))
    return None


async def breaks(flow: Flow, args: Json) -> Json:
    async def fail() -> str:
        SEEN[flow.id].calls.append("fail")
        raise ValueError("a mistake of ours")

    return await flow.step("fail", str, fail)


async def locked(flow: Flow, args: Json) -> Json:
    seen = SEEN[flow.id]

    async def call() -> int:
        seen.calls.append("try")
        if len(seen.calls) < 3:
            raise sqlite3.OperationalError("database is locked")
        return len(seen.calls)

    seen.got.append(await flow.step("write", int, call))
    return None


async def waits(flow: Flow, args: Json) -> Json:
    """args: [[topic, seconds], ...]."""
    seen = SEEN[flow.id]
    for topic, seconds in cast("list[tuple[str, float]]", args):
        seen.begun.set()
        seen.got.append(await flow.wait(topic, seconds))
    return None


async def misuses(flow: Flow, args: Json) -> Json:
    inner: dict[str, Callable[[], Awaitable[Any]]] = {
        "wait": lambda: flow.wait("t", 1),
        "step": lambda: say(flow, "inner"),
        "sleep": lambda: flow.sleep_until(datetime.now(UTC)),
    }

    async def call() -> str:
        try:
            await inner[str(args)]()
        except RuntimeError as error:
            SEEN[flow.id].got.append(str(error))
            raise
        return "went through"

    return await flow.step("outer", str, call)


async def side_by_side(flow: Flow, args: Json) -> Json:
    async def slow() -> str:
        await asyncio.sleep(0.05)
        return "slow"

    await asyncio.gather(flow.step("one", str, slow), flow.step("two", str, slow))
    return None


async def slow(flow: Flow, args: Json) -> Json:
    """a, then b that takes until it may go, then c. args: what b makes of being cancelled."""
    seen = SEEN[flow.id]

    async def b() -> str:
        seen.calls.append("b")
        seen.begun.set()
        try:
            await seen.go.wait()
        except asyncio.CancelledError:
            seen.calls.append("cancelled")
            if args == "returns":
                return "cut"
            if args == "raises":
                raise AgentError("cut") from None
            raise
        return "b"

    seen.got.append(await say(flow, "a"))
    seen.got.append(await flow.step("b", str, b))
    seen.got.append(await say(flow, "c"))
    return None


async def stubborn(flow: Flow, args: Json) -> Json:
    """Makes a result of its own cancellation."""
    seen = SEEN[flow.id]
    try:
        seen.begun.set()
        seen.got.append(await flow.wait("go", 30))
    except asyncio.CancelledError:
        seen.calls.append("cancelled")
        if args == "raises":
            raise ValueError("cut") from None
    return "ended"


async def cancels_itself(flow: Flow, args: Json) -> Json:
    async def call() -> str:
        raise asyncio.CancelledError

    return await flow.step("call", str, call)


async def sleeps(flow: Flow, args: Json) -> Json:
    seen = SEEN[flow.id]
    seen.begun.set()
    await flow.sleep_until(datetime.now(UTC) + timedelta(seconds=cast("float", args)))
    seen.got.append(await say(flow, "woken"))
    return None


async def asks(flow: Flow, args: Json) -> Json:
    """Starts another flow and signals it, from within a step, as a command does."""
    other = f"{flow.id}-other"

    async def call() -> str:
        await ENGINE[-1].start("waits.v1", other, [["t", 30]])
        await ENGINE[-1].signal(other, "t", "from within", "k")
        return str(await ENGINE[-1].state(flow.id))

    SEEN[flow.id].got.append(await flow.step("ask", str, call))
    SEEN[flow.id].got.append(await say(flow, "after"))
    return None


FLOWS: dict[str, FlowFunction] = {
    "steps.v1": steps,
    "shapes.v1": shapes,
    "errors.v1": errors,
    "breaks.v1": breaks,
    "locked.v1": locked,
    "waits.v1": waits,
    "misuses.v1": misuses,
    "side_by_side.v1": side_by_side,
    "slow.v1": slow,
    "stubborn.v1": stubborn,
    "cancels_itself.v1": cancels_itself,
    "sleeps.v1": sleeps,
    "asks.v1": asks,
}
