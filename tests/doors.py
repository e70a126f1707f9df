"""A whole bot behind the doors of Slack and Telegram: payloads as they are recorded go in, through the real readers.

What a platform shows is kept in memory, so that thousands of people may speak in a moment.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters.chat.slack import inbound as slack_inbound
from adapters.chat.slack.names import _profile
from adapters.chat.slack.receive import Intake
from adapters.chat.telegram import inbound as telegram_inbound
from adapters.chat.telegram.poller import delivery
from adapters.store import DatabaseStore
from core.authority import Listed, Role
from core.authority.verdict import Decision, Verdict, Why
from core.commands import parse
from core.model.chat import Cause, ChatEvent, Halted, Person, Pressed, Said, ThreadRef
from core.model.people import Profile
from core.model.work import ProjectKey, Run, RunId, Turn, Work, WorkId
from tests.databases import sqlite_store
from tests.fakes.platform import FakePlatform, ShownPost
from tests.whole import WholeBot

TEAM, AWAY, BOT = "T0HOME", "T0AWAY", "4242"
SLACK_ME = slack_inbound.Me(TEAM, "U0BOT", "B0BOT")
TELEGRAM_ME = telegram_inbound.Me(BOT, "patchbay_bot")
Body = dict[str, Any]

_COUNT = itertools.count(1)


def number() -> int:
    return next(_COUNT)


class SlackDoor(FakePlatform):
    """`users`: what users.info says beside the id; None: nothing."""

    def __init__(self) -> None:
        super().__init__("slack", TEAM)
        self.users: dict[str, Body | None] = {}
        self._intake = Intake()

    def read(self, raw: bytes) -> ChatEvent | None:
        return slack_inbound.read(raw, SLACK_ME)

    async def profile_of(self, person: Person) -> Profile | None:
        facts = self.users.get(person.id, {})
        return None if facts is None else _profile({"id": person.id, "team_id": TEAM, **facts}, TEAM)

    async def bring(self, body: Body) -> None:
        await self.deliver_raw(self._intake.delivery(body).raw)


class TelegramDoor(FakePlatform):
    def __init__(self) -> None:
        super().__init__("telegram", BOT)

    def read(self, raw: bytes) -> ChatEvent | None:
        return telegram_inbound.read(raw, TELEGRAM_ME)

    async def bring(self, body: Body) -> None:
        arrived = delivery({"update_id": number(), **body})
        assert arrived is not None
        await self.deliver_raw(arrived.raw)


class DoorBot(WholeBot):
    def __init__(self, store: DatabaseStore, people: Mapping[Role, Sequence[Listed]]) -> None:
        self.slack, self.telegram = SlackDoor(), TelegramDoor()
        self.others = (self.slack, self.telegram)
        self.people = people
        super().__init__(store)

    async def bring(self, platform: str, body: Body) -> None:
        await (self.slack if platform == "slack" else self.telegram).bring(body)

    async def queue_turn(self, cause: Cause, user: str, text: str) -> None:
        """Of somebody on Slack; its run never begins."""
        run, thread = RunId(f"queued-{number()}"), ThreadRef("slack", TEAM, "C0QUEUED", cause)
        person = slack_person(user)
        work = Work(WorkId(run), ProjectKey("DEMO"), f"task/{run}", thread)
        await self.store.start_run(
            Run(run, work.id, thread, "nobody", person, text, self.clock.now()), work, Turn(run, 1, cause, text, person)
        )

    def posts_in(self, platform: str, chat: str) -> list[ShownPost]:
        door = self.slack if platform == "slack" else self.telegram
        return [each for each in door.posts if each.ref.thread.chat == chat]


@asynccontextmanager
async def door_bot(folder: Path, people: Mapping[Role, Sequence[Listed]] | None = None) -> AsyncIterator[DoorBot]:
    async with sqlite_store(folder) as store:
        bot = DoorBot(store, people or {})
        await bot.start()
        try:
            yield bot
        finally:
            await bot.crash()


def open_gate(bot: WholeBot) -> None:
    """Take the guard away: whatever the readers hand on is done, whoever asks."""

    async def allow(event: object) -> Verdict:
        match event:
            case Said():
                said = event
            case Pressed():
                button = await bot.store.button(event.token)
                assert button is not None
                said = Said(event.cause, event.thread, event.person, button.says)
            case _:
                assert isinstance(event, Halted)
                said = Said(event.cause, event.thread, event.person, "/cancel")
        ask = None if said.corrects else parse(said.text)
        return Verdict(Decision.HEAR, Why.ROLE, Role.OWNER, Role.OWNER, said=said, ask=ask)

    object.__setattr__(bot.authority, "authorise", allow)


def shut_gate(bot: WholeBot) -> None:
    """Nothing is allowed, whoever asks."""

    async def deny(_event: object) -> Verdict:
        return Verdict(Decision.DROP, Why.UNKNOWN_KIND)

    object.__setattr__(bot.authority, "authorise", deny)


def recording(platform: str, name: str) -> Body:
    path = Path(__file__).parent / "recordings" / platform / f"{name}.json"
    found: Body = json.loads(path.read_text(encoding="utf-8"))
    return found


# ----------------------------------------------------------------------------------------------- slack


def slack_person(user: str, team: str = TEAM) -> Person:
    return Person("slack", team, user)


def slack_cause(channel: str, ts: str) -> Cause:
    return Cause(f"slack:{TEAM}:{channel}:{ts}")


def slack_event(event: Body, **fields: Any) -> Body:
    return {
        "type": "event_callback",
        "team_id": TEAM,
        "event_id": f"Ev{number()}",
        "is_ext_shared_channel": False,
        "event": event,
        **fields,
    }


def slack_said(user: str, channel: str, text: str, *, team: str = TEAM, **fields: Any) -> Body:
    """In a channel with a mention of the bot, in a direct message without."""
    is_direct = channel.startswith("D")
    words = text if is_direct else f"<@U0BOT> {text}"
    kind = {"type": "message", "channel_type": "im"} if is_direct else {"type": "app_mention"}
    ts = f"1755702000.{number():06d}"
    event = {"user": user, "channel": channel, "text": words, "ts": ts, "team": team, "user_team": team, **kind}
    return slack_event(event | fields)


def slack_slash(user: str, channel: str, text: str, *, team: str = TEAM) -> Body:
    body = {"command": "/patchbay", "text": text, "user_id": user, "channel_id": channel, "channel_name": "general"}
    return body | {"team_id": team, "user_name": user.lower(), "trigger_id": f"1.{number()}"}


def slack_press(user: str, channel: str, token: str, *, team: str = TEAM) -> Body:
    ts = f"1755702000.{number():06d}"
    return {
        "type": "block_actions",
        "user": {"id": user, "username": user.lower(), "team_id": team},
        "team": {"id": TEAM},
        "container": {"type": "message", "message_ts": ts, "channel_id": channel},
        "channel": {"id": channel},
        "message": {"ts": ts, "user": "U0BOT", "bot_id": "B0BOT"},
        "trigger_id": f"2.{number()}",
        "actions": [{"type": "button", "action_id": token, "value": token, "action_ts": ts}],
    }


def slack_stop(user: str, channel: str) -> Body:
    event = {"type": "agent_session_stopped", "channel": channel, "user": user, "thread_ts": f"1.{number():06d}"}
    return slack_event(event)


def slack_edit(user: str, channel: str, text: str, ts: str, *, editor: str = "", team: str = TEAM) -> Body:
    inner = {"type": "message", "user": user, "text": text, "ts": ts, "team": team, "user_team": team}
    edited = {"edited": {"user": editor or user, "ts": f"1755703000.{number():06d}"}}
    event = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": channel}
    event |= {"message": inner | edited, "previous_message": inner | {"text": "before"}, "ts": ts}
    return slack_event(event | {"channel_type": "im" if channel.startswith("D") else "channel"})


# -------------------------------------------------------------------------------------------- telegram


def telegram_person(user: int) -> Person:
    return Person("telegram", "", str(user))


def telegram_said(user: int, chat: int, text: str, **fields: Any) -> Body:
    return {"message": _telegram_message(user, chat, text) | fields}


def telegram_edit(user: int, chat: int, text: str, message: int, **fields: Any) -> Body:
    edited = {"message_id": message, "edit_date": 1_760_000_500 + number()}
    return {"edited_message": _telegram_message(user, chat, text) | edited | fields}


def telegram_press(user: int, chat: int, token: str, **fields: Any) -> Body:
    message = {"message_id": number(), "date": 1_760_000_000, "chat": _chat(chat)}
    sender = {"id": user, "is_bot": False, "first_name": "Ada"} | fields.pop("sender", {})
    return {"callback_query": {"id": f"q{number()}", "from": sender, "message": message, "data": token, **fields}}


def _telegram_message(user: int, chat: int, text: str) -> Body:
    message: Body = {"message_id": number(), "date": 1_760_000_000, "chat": _chat(chat), "text": text}
    sender = {"id": user, "is_bot": False, "first_name": "Ada"}
    if text.startswith("/"):
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
    return message | {"from": sender}


def _chat(chat: int) -> Body:
    return {"id": chat, "type": "supergroup", "title": "Team"} if chat < 0 else {"id": chat, "type": "private"}
