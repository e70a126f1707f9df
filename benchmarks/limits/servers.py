"""Slack and Telegram that ask to wait and lose replies, and keep their own record: by their clock, not by the bot's."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.slack import FakeSlack
from tests.fakes.slack import Fault as SlackFault
from tests.fakes.telegram import FakeTelegram
from tests.fakes.telegram import Fault as TelegramFault
from tests.fakes.watch import DONE, IN

REFUSES, LOSES = 0.5, 0.3
"""Chances for each call, as long as there is something left to refuse or to lose."""

SHORTEST_SECONDS, LONGEST_SECONDS = 0.2, 1.0
SLACK_SECONDS = 1.0
"""Slack's Retry-After is a whole number."""

IN_FLIGHT_SECONDS = 0.5
"""An edit in another channel may have left before the bot could know that Slack counts them together."""

POSTING = {"sendMessage", "chat.postMessage"}
EDITING = {"editMessageText", "chat.update"}


@dataclass
class Rules:
    """`refusals`: how many 429s each chat still gets. `losses`: how many replies to posts are still lost."""

    dice: random.Random
    refusals: Counter[str] = field(default_factory=Counter)
    losses: int = 0
    refused: int = 0
    calls: int = 0
    lost_before: int = 0
    lost_after: int = 0
    early: list[str] = field(default_factory=list)
    came: list[tuple[float, str, str, str]] = field(default_factory=list)
    """When a new post was accepted, in which chat and thread, with which words."""
    shares_edits: bool = False
    _busy_until: dict[str, float] = field(default_factory=dict)
    _edits: tuple[float, float] = (0.0, 0.0)
    _after: set[object] = field(default_factory=set)

    def wait(self, chat: str, method: str, seconds: float) -> float:
        """Seconds that this call is refused for; 0: it is not."""
        self.calls += 1
        now = time.monotonic()
        until = self._busy_until.get(chat, 0.0)
        if method in EDITING and self.shares_edits and now > self._edits[0] + IN_FLIGHT_SECONDS:
            until = max(until, self._edits[1])
        if now < until:
            self.early.append(f"{method} in {chat}: {until - now:.3f} s too early")
        if self.refusals[chat] <= 0 or self.dice.random() > REFUSES:
            return 0.0
        self.refusals[chat] -= 1
        self.refused += 1
        self._busy_until[chat] = now + seconds
        if method in EDITING:
            self._edits = (now, now + seconds)
        return seconds

    async def watch(self, call: str, moment: str) -> bool:
        """True: cut the connection. Before the call is carried out, or after."""
        if call.partition(":")[2] not in POSTING:
            return False
        task = asyncio.current_task()
        if moment == DONE:
            is_lost = task in self._after
            self._after.discard(task)
            return is_lost
        if moment != IN or self.losses <= 0 or self.dice.random() > LOSES:
            return False
        self.losses -= 1
        if self.dice.random() < 0.5:
            self.lost_before += 1
            return True
        self.lost_after += 1
        self._after.add(task)
        return False


class LimitedTelegram(FakeTelegram):
    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self.rules = rules
        self.watch = rules.watch

    async def _do(self, method: str, fields: dict[str, Any]) -> Any:
        chat = str(fields.get("chat_id"))
        if method in POSTING | EDITING:
            seconds = self.rules.dice.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)
            if seconds := self.rules.wait(chat, method, seconds):
                return TelegramFault.refuse(429, "Too Many Requests", retry_after=round(seconds, 3))
        done = await super()._do(method, fields)
        if method in POSTING and not isinstance(done, TelegramFault):
            self.rules.came.append((time.monotonic(), chat, str(fields.get("message_thread_id", "")), fields["text"]))
        return done


class LimitedSlack(FakeSlack):
    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self.rules = rules
        self.watch = rules.watch
        rules.shares_edits = True

    async def _answer(
        self, request: web.Request, method: str, arguments: dict[str, Any], fault: SlackFault
    ) -> web.StreamResponse:
        if method in POSTING | EDITING and self.rules.wait(arguments["channel"], method, SLACK_SECONDS):
            fault = SlackFault("busy", seconds=SLACK_SECONDS)
        return await super()._answer(request, method, arguments, fault)

    def _post(self, given: dict[str, Any]) -> dict[str, Any]:
        text = "\n".join(block["text"] for block in given.get("blocks") or () if block["type"] == "markdown")
        self.rules.came.append((time.monotonic(), given["channel"], given.get("thread_ts") or "", text))
        return super()._post(given)
