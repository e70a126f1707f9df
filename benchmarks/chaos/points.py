"""The instrument in a life of the bot: it names each operation, counts it, and ends the process before or after it.

Nothing is replaced: every wrapper calls the production method it stands around. The end is SIGKILL to itself.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import re
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a life ends: the `nth` time that `op` (empty: any) is in `phase`; after `within` seconds at whatever comes.

    `within` 0: it is not ended. `call`: instead of an operation, a system call that a thread makes for the `nth` time.
    """

    op: str = ""
    phase: str = BEFORE
    nth: int = 1
    within: float = 1.0
    call: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a life ended. `state` is what the database held at that moment.

    `seconds` since the life began; `up_after`: of these, until the engine went on with what was open, 0: not yet.
    """

    op: str
    phase: str
    state: str
    seconds: float
    up_after: float = 0.0


class Instrument:
    """One for a process; the zygote puts it around everything, each life arms it."""

    def __init__(self) -> None:
        self.ops: set[str] = set()
        self._up_after = 0.0
        self._aim = Aim(within=0.0)
        self._left = 0
        self._began = self._until = 0.0
        self._out = -1
        self._describe: Callable[[], str] = str
        self._lock, self._dying = threading.Lock(), 0

    def arm(self, aim: Aim, out: int, describe: Callable[[], str]) -> None:
        """`out` is told of the end as a line of JSON. A life in which nothing happens is ended by the clock."""
        self._aim, self._left, self._out, self._describe = aim, aim.nth, out, describe
        self._began = time.monotonic()
        self._until = self._began + aim.within if aim.within else float("inf")
        if aim.within:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, aim.within + 1.0)

    def up(self) -> None:
        self._up_after = time.monotonic() - self._began

    def __call__(self, op: str, phase: str) -> None:
        aim = self._aim
        if not aim.within:
            return
        if time.monotonic() >= self._until:
            self._die(op, phase)
        if not aim.call and (not aim.op or (op == aim.op and phase == aim.phase)):
            self._left -= 1
            if self._left <= 0:
                self._die(op, phase)

    def _die(self, op: str, phase: str) -> None:
        """Other threads that come to a point stand still; reading the state has points of its own."""
        if self._dying == threading.get_ident():
            return
        if not self._lock.acquire(blocking=False):
            threading.Event().wait()
        self._dying = threading.get_ident()
        seconds = time.monotonic() - self._began
        point = Point(op, phase, self._describe(), round(seconds, 3), round(self._up_after, 3))
        os.write(self._out, json.dumps({"point": asdict(point)}).encode() + b"\n")
        os.kill(os.getpid(), signal.SIGKILL)

    # ---------------------------------------------------------------------------------- around what

    def around(self, owner: Any, method: str, op: str) -> None:
        """Every call of this method is an operation of this name."""
        original = getattr(owner, method)
        self.ops.add(op)

        @functools.wraps(original)
        async def slow(*args: Any, **named: Any) -> Any:
            self(op, BEFORE)
            result = await original(*args, **named)
            self(op, AFTER)
            return result

        @functools.wraps(original)
        def quick(*args: Any, **named: Any) -> Any:
            self(op, BEFORE)
            result = original(*args, **named)
            self(op, AFTER)
            return result

        setattr(owner, method, slow if inspect.iscoroutinefunction(original) else quick)

    def around_named(self, owner: Any, method: str, name: Callable[..., str]) -> None:
        """As `around`, the operation named after the arguments."""
        original = getattr(owner, method)

        @functools.wraps(original)
        async def wrapped(*args: Any, **named: Any) -> Any:
            op = name(*args, **named)
            self(op, BEFORE)
            result = await original(*args, **named)
            self(op, AFTER)
            return result

        setattr(owner, method, wrapped)


POINTS = Instrument()


def install() -> None:
    """Around every seam. Once, before the first life."""
    _around_store()
    _around_engine()
    _around_chats()
    _around_work()
    _around_wires()


def _around_store() -> None:
    from adapters.store import DatabaseStore  # noqa: PLC0415 - after the interpreter has warmed up
    from adapters.store.database import Transaction  # noqa: PLC0415
    from core.ports import Store  # noqa: PLC0415

    for name in sorted({each for kind in Store.__mro__ for each in vars(kind) if not each.startswith("_")}):
        if inspect.iscoroutinefunction(getattr(DatabaseStore, name, None)):
            POINTS.around(DatabaseStore, name, f"store.{name}")
    POINTS.around(Transaction, "commit", "store commits")


def _around_engine() -> None:
    import psycopg  # noqa: PLC0415

    from adapters.engine.database import EngineConnection  # noqa: PLC0415
    from adapters.engine.durable import DbosEngine, DbosFlow  # noqa: PLC0415

    launch = DbosEngine.launch

    @functools.wraps(launch)
    async def launched(self: DbosEngine, flows: Any) -> None:
        POINTS("engine.launch", BEFORE)
        await launch(self, flows)
        POINTS.up()
        POINTS("engine.launch", AFTER)

    DbosEngine.launch = launched  # type: ignore[method-assign]
    for name in ("start", "signal", "state"):
        POINTS.around(DbosEngine, name, f"engine.{name}")
    POINTS.around(DbosFlow, "wait", "flow.wait")
    step = DbosFlow.step

    @functools.wraps(step)
    async def stepped(self: DbosFlow, name: str, returns: Any, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        kind = name.partition("-")[0]
        POINTS(f"step {kind}", BEFORE)

        @functools.wraps(call)
        async def called(*given: Any) -> Any:
            POINTS(f"call of {kind}", BEFORE)
            result = await call(*given)
            POINTS(f"call of {kind}", AFTER)
            return result

        result = await step(self, name, returns, called, *args)
        POINTS(f"step {kind}", AFTER)
        return result

    DbosFlow.step = stepped  # type: ignore[method-assign]
    POINTS.ops |= {"engine.launch"} | {
        f"{act} {kind}" for act in ("step", "call of") for kind in ("prepare", "turn", "ask", "publish", "finish")
    }
    for owner in (EngineConnection, psycopg.Connection):
        original = owner.commit

        def commit(self: Any, original: Callable[[Any], None] = original) -> None:
            POINTS("engine commits", BEFORE)
            original(self)
            POINTS("engine commits", AFTER)

        owner.commit = commit  # type: ignore[method-assign]
    POINTS.ops.add("engine commits")


def _around_chats() -> None:
    from adapters.chat.slack.platform import Slack  # noqa: PLC0415
    from adapters.chat.telegram.platform import Telegram  # noqa: PLC0415

    for kind in (Slack, Telegram):
        for name in ("connect", "post", "edit", "find", "sign"):
            POINTS.around(kind, name, f"{kind.__name__.lower()}.{name}")
        _around_take(kind)


def _around_take(kind: Any) -> None:
    listen, op = kind.listen, f"{kind.__name__.lower()}.take"
    POINTS.ops.add(op)

    @functools.wraps(listen)
    async def listening(self: Any, take: Callable[..., Awaitable[None]], cursor: str | None) -> None:
        async def taken(*args: Any, **named: Any) -> None:
            POINTS(op, BEFORE)
            await take(*args, **named)
            POINTS(op, AFTER)

        await listen(self, taken, cursor)

    kind.listen = listening


def _around_work() -> None:
    from adapters.agents.command import Command  # noqa: PLC0415
    from adapters.agents.loop import Loop  # noqa: PLC0415
    from adapters.agents.session import Session  # noqa: PLC0415
    from adapters.forges.github import Github  # noqa: PLC0415
    from adapters.workspaces.workspaces import GitWorkspaces  # noqa: PLC0415

    for name in ("ensure", "open_pull_request", "pull_request", "merge"):
        POINTS.around(Github, name, f"forge.{name}")
    for name in ("prepare", "diff", "branch_diff", "publish", "discard"):
        POINTS.around(GitWorkspaces, name, f"workspaces.{name}")
    POINTS.around(Session, "save", "session.save")
    for kind in (Command, Loop):
        _around_turn(kind, f"{kind.__name__.lower()}.turn")


def _around_turn(kind: Any, op: str) -> None:
    take_turn = kind.take_turn
    POINTS.ops |= {op, "agent.event"}

    @functools.wraps(take_turn)
    async def taken(self: Any, turn: Any, note: Callable[[Any], None], approve: Any) -> Any:
        def noted(event: Any) -> None:
            POINTS("agent.event", BEFORE)
            note(event)
            POINTS("agent.event", AFTER)

        POINTS(op, BEFORE)
        result = await take_turn(self, turn, noted, approve)
        POINTS(op, AFTER)
        return result

    kind.take_turn = taken


def _around_wires() -> None:
    """What leaves the process: HTTP, the acknowledgements on a socket, and children."""
    import aiohttp  # noqa: PLC0415
    import requests  # noqa: PLC0415

    from adapters import system  # noqa: PLC0415

    POINTS.around_named(aiohttp.ClientSession, "_request", lambda _self, _verb, url, **_: f"http {_last(str(url))}")
    send = requests.Session.send

    @functools.wraps(send)
    def sent(self: Any, request: Any, **named: Any) -> Any:
        op = f"http {request.method} {_last(request.url)}"
        POINTS(op, BEFORE)
        answer = send(self, request, **named)
        POINTS(op, AFTER)
        return answer

    requests.Session.send = sent  # type: ignore[method-assign]
    POINTS.around(aiohttp.ClientWebSocketResponse, "send_str", "socket.send")
    POINTS.around_named(system, "spawn", lambda start: f"child {_program(start.argv)}")
    POINTS.around(system._Child, "end_group", "child ended")  # noqa: SLF001 - the one place where children end
    POINTS.ops |= {f"http {each}" for each in HTTP} | {f"child {each}" for each in CHILDREN}


HTTP = (
    "getUpdates",
    "sendMessage",
    "editMessageText",
    "chat.postMessage",
    "chat.update",
    "conversations.replies",
    "apps.connections.open",
    "messages",
    "GET pulls",
    "POST pulls",
)
CHILDREN = ("bwrap", "git fetch", "git push", "git read-tree", "git add", "git write-tree", "git commit-tree")


def _last(url: str) -> str:
    """The method of an API; what has a number in it is no name."""
    word = url.partition("?")[0].rstrip("/").rpartition("/")[2]
    return "one" if re.search(r"\d", word) else word


def _program(argv: Any) -> str:
    words = [str(each) for each in argv]
    name = words[0].rpartition("/")[2]
    return f"git {words[1]}" if name == "git" else name
