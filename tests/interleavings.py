"""What people do reaches the bot again and again, in any order, around crashes, as Slack and Telegram really send it.

The real adapters take signed webhooks and answer over loopback; behind them is the whole bot, on a real SQLite file.
An interleaving is a list of arrivals; its hash is that of what arrives, in which order, and where the bot dies.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from pydantic import SecretStr

from adapters.chat.slack.config import SlackConfig
from adapters.chat.slack.platform import Slack
from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from adapters.store import DatabaseStore
from core.authority import Listed
from core.model.chat import Button, ChatRef, Post, PostKey, ThreadRef
from core.model.work import RunState
from core.sending import MAYBE_TWICE
from tests.databases import sqlite_store
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import EPOCH, FakeTelegram
from tests.whole import WholeBot

CHANNEL, USER, CHAT = "C1", "U1", 7
SECRET = uuid4().hex
TRIES = 50
"""A delivery that is not taken, because the bot is just starting, is brought again so often."""

CRASHES, TOGETHER = 0.15, 0.3
"""Chances: that the bot dies once, and that an arrival does not wait for the one before."""

WEIGHTS = (4, 2, 4, 2, 2, 1)
"""How often people mention the bot, use a slash command, write to it, press on Slack, on Telegram, and give it work."""

SETTLE_SECONDS = 60.0
"""The most that everything may take after the last arrival."""

LABEL = MAYBE_TWICE.replace("*", "").strip()


@dataclass(frozen=True)
class Arrival:
    """`what` names the cause and its form, not the content; `headers` are beside the signature."""

    what: str
    platform: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Interleaving:
    """`together`: the arrivals that do not wait for the one before; `dies_after`: -1 for never."""

    arrivals: tuple[Arrival, ...]
    together: frozenset[int]
    dies_after: int

    @property
    def hash(self) -> str:
        order = [f"{each.what}{'+' * (at in self.together)}" for at, each in enumerate(self.arrivals)]
        return hashlib.sha256(json.dumps([order, self.dies_after]).encode()).hexdigest()


@dataclass
class Report:
    """`faults` says which cause had not one effect. `labelled`: Telegram's second copies, which say that they are."""

    deliveries: int = 0
    crashes: int = 0
    labelled: int = 0
    hashes: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


class TwoPlatformBot(WholeBot):
    """A crash takes the adapters with it: what they remember is gone too."""

    def __init__(self, store: DatabaseStore, slack: FakeSlack, telegram: FakeTelegram) -> None:
        self._slack, self._telegram = slack, telegram
        self.owners = (Listed("slack", slack.team, USER), Listed("telegram", "", str(CHAT)))
        self.chats = (Listed("slack", slack.team, CHANNEL),)
        super().__init__(store)

    def _build(self) -> None:
        telegram = TelegramConfig(
            token=SecretStr(self._telegram.token),
            api_base=self._telegram.base,
            mode="webhook",
            webhook_url="https://bot.example.org",
            webhook_secret=SecretStr(SECRET),
        )
        slack = SlackConfig(
            bot_token=SecretStr(self._slack.bot_token),
            signing_secret=SecretStr(self._slack.signing_secret),
            api_base=self._slack.base,
            mode="http",
        )
        self.slack, self.telegram = Slack(slack, ()), Telegram(telegram, ())
        self.others = (self.slack, self.telegram)
        super()._build()

    async def start(self) -> None:
        for each in self.others:
            await each.connect()
        await super().start()

    async def crash(self) -> None:
        old = self.others
        await super().crash()
        for each in old:
            await each.close()

    async def deliver(self, arrival: Arrival) -> None:
        """As the platform does: until it is taken."""
        for _ in range(TRIES):
            headers = dict(arrival.headers)
            if arrival.platform == "slack":
                answer = await self.slack.receive(self._slack.sign(arrival.body) | headers, arrival.body)
            else:
                headers["X-Telegram-Bot-Api-Secret-Token"] = SECRET
                answer = await self.telegram.receive(headers, arrival.body)
            if answer.status == 200:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"not taken: {answer.status} {arrival}")

    async def settled(self) -> None:
        """Time passes meanwhile, quickly: some things wait for it, back-off and the pace of edits."""
        passing = asyncio.create_task(self._pass())
        try:
            await asyncio.wait_for(self.quiet(), SETTLE_SECONDS)
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)

    async def _pass(self) -> None:
        while True:
            await asyncio.sleep(0.005)
            await self.clock.forward(1)


@asynccontextmanager
async def two_platforms(folder: Path) -> AsyncIterator[TwoPlatformBot]:
    """With a project DEMO, linked to a channel of Slack and to a chat of Telegram."""
    async with FakeSlack() as slack, FakeTelegram() as telegram, sqlite_store(folder) as store:
        bot = TwoPlatformBot(store, slack, telegram)
        bot.agent.can_repeat = True
        await bot.start()
        try:
            said = Said(bot, "setup", random.Random(0))
            await bot.deliver(said.update("project", said.message("/create_project DEMO Demo Project")))
            await bot.settled()
            await bot.deliver(said.event("link", said.mention("/link DEMO", "1.1"), 0))
            await bot.settled()
            yield bot
        finally:
            await bot.crash()


class Said:
    """What people do in one interleaving, with words that nobody else uses, and how it arrives."""

    def __init__(self, bot: TwoPlatformBot, name: str, dice: random.Random) -> None:
        self._bot, self._name, self._dice = bot, name, dice
        self._slack, self._telegram = bot._slack, bot._telegram
        self.tasks: list[str] = []
        self.runs: list[str] = []

    async def arrivals(self) -> list[Arrival]:
        """A few causes, each in several forms and copies, in the order in which they were done."""
        kinds = [self._mentioned, self._slashed, self._told, self._slack_pressed, self._telegram_pressed, self._work]
        found: list[Arrival] = []
        for kind in self._dice.choices(kinds, WEIGHTS, k=self._dice.randint(2, 4)):
            found += [each async for each in kind()]
        return found

    # ------------------------------------------------------------------------------------- slack

    async def _mentioned(self) -> AsyncIterator[Arrival]:
        """Two events, each up to four times; the same message under another ts; and a change of it."""
        title = self._task("mention")
        said = self.mention(f"/create_task DEMO {title}", self._slack.new_ts())
        for kind in ("message", "app_mention"):
            for each in self._retried(f"mention as {kind}", said | {"type": kind}):
                yield each
        if self._dice.random() < 0.4:
            again = self._slack.new_ts()
            yield self.event("mention with another ts", said | {"ts": again, "event_ts": again}, 0)
        if self._dice.random() < 0.4:
            yield self.event("mention changed", self._changed(said), 0)

    async def _slashed(self) -> AsyncIterator[Arrival]:
        """A slash command, up to twice."""
        form = {"command": "/patchbay", "text": f"create_task DEMO {self._task('slash')}", "channel_id": CHANNEL}
        form |= {"channel_name": "general", "user_id": USER, "user_name": "ada", "team_id": self._slack.team}
        form |= {"trigger_id": self._slack._trigger()}
        for _ in range(self._dice.randint(1, 2)):
            yield Arrival("slash command", "slack", urlencode(form).encode())

    def mention(self, text: str, ts: str, root: str = "") -> dict[str, Any]:
        event: dict[str, Any] = {"type": "message", "channel": CHANNEL, "user": USER, "ts": ts, "event_ts": ts}
        event |= {"text": f"<@{self._slack.bot_user}> {text}", "channel_type": "channel", "team": self._slack.team}
        return event | {"client_msg_id": f"{self._name}-{ts}"} | ({"thread_ts": root} if root else {})

    def event(self, what: str, event: dict[str, Any], retry: int, body: dict[str, Any] | None = None) -> Arrival:
        raw = json.dumps(body or self._slack.event(event)).encode()
        headers = (("X-Slack-Retry-Num", str(retry)), ("X-Slack-Retry-Reason", "http_timeout")) if retry else ()
        return Arrival(f"slack {what} {retry}", "slack", raw, headers)

    def _retried(self, what: str, event: dict[str, Any]) -> Iterator[Arrival]:
        body = self._slack.event(event)
        for retry in range(self._dice.randint(1, 4)):
            yield self.event(what, event, retry, body)

    def _changed(self, said: dict[str, Any]) -> dict[str, Any]:
        inner = {name: said[name] for name in ("type", "user", "ts", "team", "text", "client_msg_id")}
        later = self._slack.new_ts()
        new = inner | {"text": f"{said['text']} now", "edited": {"user": USER, "ts": later}}
        event = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": CHANNEL, "ts": later}
        return event | {"channel_type": "channel", "message": new, "previous_message": inner}

    # ---------------------------------------------------------------------------------- telegram

    async def _told(self) -> AsyncIterator[Arrival]:
        """The same update up to three times, and its correction."""
        said = self.message(f"/create_task DEMO {self._task('telegram')}")
        for _ in range(self._dice.randint(1, 3)):
            yield self.update("command", said)
        if self._dice.random() < 0.4:
            message = said["message"] | {"text": f"{said['message']['text']} now", "edit_date": EPOCH + 1}
            yield self.update("command corrected", {"update_id": self._next(), "edited_message": message})

    def message(self, text: str) -> dict[str, Any]:
        message: dict[str, Any] = {"message_id": self._telegram._take_message_id(), "date": EPOCH, "text": text}
        message |= {"chat": {"id": CHAT, "type": "private"}, "from": self._person()}
        return {"update_id": self._next(), "message": message}

    def update(self, what: str, update: dict[str, Any]) -> Arrival:
        return Arrival(f"telegram {what}", "telegram", json.dumps(update).encode())

    def _next(self) -> int:
        self._telegram._next_update += 1
        return self._telegram._next_update

    def _person(self) -> dict[str, Any]:
        return {"id": CHAT, "is_bot": False, "first_name": "Ada"}

    # ----------------------------------------------------------------------------- presses and work

    async def _slack_pressed(self) -> AsyncIterator[Arrival]:
        thread = ThreadRef("slack", self._slack.team, CHANNEL)
        body = self._slack_press(*await self._button(thread, "slack press"))
        for _ in range(self._dice.randint(1, 3)):
            yield Arrival("slack press", "slack", body)

    async def _telegram_pressed(self) -> AsyncIterator[Arrival]:
        thread = ThreadRef("telegram", str(self._telegram.bot), str(CHAT))
        body = self._telegram_press(*await self._button(thread, "telegram press"))
        for _ in range(self._dice.randint(1, 3)):
            yield Arrival("telegram press", "telegram", body)

    async def _button(self, thread: ThreadRef, kind: str) -> tuple[str, str]:
        """The id of a post that has it, and its token."""
        title = self._task(kind)
        key, line = PostKey(f"choose:{title}"), f"/create_task DEMO {title}"
        await self._bot.posts.say(key, thread, Post("Choose", ((Button("Go", line),),)))
        await self._bot.posts.until_quiet()
        row = await self._bot.store.outgoing(key)
        assert row is not None
        assert row.ref is not None
        return row.ref.id, row.post.buttons[0][0].token

    def _slack_press(self, ts: str, token: str) -> bytes:
        team = {"id": self._slack.team}
        body: dict[str, Any] = {"type": "block_actions"}
        body |= {"user": {"id": USER, "username": "ada", "team_id": team["id"]}, "team": team}
        body |= {"container": {"type": "message", "message_ts": ts, "channel_id": CHANNEL}, "message": {"ts": ts}}
        action = {"type": "button", "action_id": "a0", "value": token, "action_ts": ts, "block_id": "b"}
        body |= {"channel": {"id": CHANNEL}, "trigger_id": f"press-{ts}", "actions": [action]}
        return urlencode({"payload": json.dumps(body)}).encode()

    def _telegram_press(self, message: str, token: str) -> bytes:
        on = {"message_id": int(message), "date": EPOCH, "chat": {"id": CHAT, "type": "private"}}
        query = {"id": f"press-{message}", "from": self._person(), "message": on, "chat_instance": "1", "data": token}
        return json.dumps({"update_id": self._next(), "callback_query": query}).encode()

    async def _work(self) -> AsyncIterator[Arrival]:
        """An agent is asked for something, in a thread of its own."""
        title, ts = f"Mend {self._name}.{len(self.runs)}", self._slack.new_ts()
        self.runs.append(title)
        said = self.mention(title, ts)
        for kind in ("message", "app_mention"):
            for each in self._retried(f"work as {kind}", said | {"type": kind}):
                yield each

    def _task(self, kind: str) -> str:
        title = f"{kind.replace(' ', '-')}-{len(self.tasks)}-of-{self._name}"
        self.tasks.append(title)
        return title


def interleave(arrivals: list[Arrival], dice: random.Random) -> Interleaving:
    shuffled = list(arrivals)
    dice.shuffle(shuffled)
    together = frozenset(at for at in range(1, len(shuffled)) if dice.random() < TOGETHER)
    dies_after = dice.randrange(len(shuffled)) if dice.random() < CRASHES else -1
    return Interleaving(tuple(shuffled), together, dies_after)


async def play(bot: TwoPlatformBot, name: str, dice: random.Random, report: Report) -> None:
    """One interleaving that was not played before, to its end, and what came of it."""
    said = Said(bot, name, dice)
    arrivals = await said.arrivals()
    played = interleave(arrivals, dice)
    for _ in range(TRIES):
        if played.hash not in report.hashes:
            break
        played = interleave(arrivals, dice)
    report.hashes.add(played.hash)
    await _bring(bot, played)
    await bot.settled()
    await _count(bot, said, report)
    report.deliveries += len(played.arrivals)
    report.crashes += played.dies_after >= 0


async def _bring(bot: TwoPlatformBot, played: Interleaving) -> None:
    open_: list[asyncio.Task[None]] = []
    for at, arrival in enumerate(played.arrivals):
        if at not in played.together:
            await asyncio.gather(*open_)
            open_ = []
        open_.append(asyncio.create_task(bot.deliver(arrival)))
        if at == played.dies_after:
            await asyncio.gather(*open_)
            open_ = []
            await bot.restart()
    await asyncio.gather(*open_)


async def _count(bot: TwoPlatformBot, said: Said, report: Report) -> None:
    """One task and one reply for each command, one run for each piece of work; then the chats are emptied."""
    known = Counter(task.title for task in await bot.store.tasks((await bot.store.projects())[0].key))
    shown = [f"{each.text}\n{each.markdown}" for each in bot._slack.posts]
    heard = [each.text for each in bot._telegram.posts if each.kind == "new"]
    report.labelled += sum(text.startswith(LABEL) for text in heard)
    replies = shown + [text for text in heard if not text.startswith(LABEL)]
    labelled = [text for text in heard if text.startswith(LABEL)]
    for title in said.tasks:
        copies = sum(f" {title}" in text for text in replies)
        is_told = copies == 1 or (copies == 0 and any(f" {title}" in text for text in labelled))
        if known[title] != 1 or not is_told:
            report.faults.append(f"{title}: {known[title]} tasks, {copies} replies")
    rooms = ChatRef("slack", bot._slack.team, CHANNEL)
    ended = Counter(run.title for run in await bot.store.runs_of(rooms, 20) if run.state is RunState.COMPLETED)
    report.faults += [f"{title}: {ended[title]} runs" for title in said.runs if ended[title] != 1]
    if left := await bot.store.unsettled():
        report.faults.append(f"{len(left)} not settled")
    bot._slack.messages.clear()
    bot._telegram.posts.clear()
