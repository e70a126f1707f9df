"""Telegram's Bot API, Slack and a language model in one lean process, and the people who write to the bot.

Started by `benchmarks.bots`; prints its address. `/control/…` says what is to be measured and answers with the result.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.crowd import Crowd
from benchmarks.wire import HOST, Answer, Client, Server

FIRST_USER = 1001
BOT = 4242
TEAM = "T0BENCH"
AGENT_SECONDS = 0.3
POLL_LIMIT = 100
EPOCH = 1_760_000_000
TURN_SECONDS = 30.0


@dataclass(slots=True)
class Talk:
    """What came into one chat since the message: when, and what was called."""

    began: float
    calls: list[tuple[float, str, str]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    posts: int = 2
    """The answer is over with so many posts."""

    def note(self, method: str, text: str) -> None:
        self.calls.append((time.perf_counter() - self.began, method, text))
        if sum(each[1] == "sendMessage" for each in self.calls) >= self.posts:
            self.over.set()


class Telegram:
    """Updates are kept until a higher offset acknowledges them."""

    def __init__(self) -> None:
        self.crowd: Crowd | None = None
        self.talks: dict[int, Talk] = {}
        self.polls = 0
        self._updates: list[tuple[int, bytes]] = []
        self._next = 1
        self._messages = 100
        self._poll: Answer | None = None

    def say(self, user: int, text: str = "/status") -> None:
        self._messages += 1
        message: dict[str, Any] = {
            "message_id": self._messages,
            "date": EPOCH,
            "chat": {"id": user, "type": "private", "first_name": "Ada"},
            "from": {"id": user, "is_bot": False, "first_name": "Ada"},
            "text": text,
        }
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.partition(" ")[0])}]
        update = {"update_id": self._next, "message": message}
        self._updates.append((self._next, json.dumps(update).encode()))
        self._next += 1
        if self._poll is not None:
            # As a server does: what comes in the same moment goes in the same answer.
            asyncio.get_running_loop().call_soon(self._flush)

    def handle(self, method: str, body: bytes, answer: Answer) -> None:
        if method == "getUpdates":
            self._get_updates(_fields(body), answer)
            return
        if method == "getMe":
            me = {"id": BOT, "is_bot": True, "first_name": "Bench", "username": "bench_bot"}
            answer(json.dumps({"ok": True, "result": me}).encode())
            return
        fields = _fields(body) if method in {"sendMessage", "setMessageReaction", "editMessageText"} else {}
        user = int(fields.get("chat_id", 0))
        if method == "sendMessage":
            self._messages += 1
            answer(
                b'{"ok":true,"result":{"message_id":%d,"date":%d,"chat":{"id":%d,"type":"private"},"text":"x"}}'
                % (self._messages, EPOCH, user)
            )
            if self.crowd is not None:
                self.crowd.answered(user)
        else:
            answer(b'{"ok":true,"result":true}')
        if user in self.talks:
            self.talks[user].note(method, str(fields.get("text", "")))

    def _get_updates(self, fields: dict[str, Any], answer: Answer) -> None:
        self.polls += 1
        offset = int(fields.get("offset") or 0)
        self._updates = [each for each in self._updates if each[0] >= offset]
        self._poll = answer
        if int(fields.get("timeout") or 0) == 0 or self._updates:
            self._flush(is_final=True)

    def _flush(self, *, is_final: bool = False) -> None:
        if self._poll is not None and (self._updates or is_final):
            answer, self._poll = self._poll, None
            batch = b",".join(each for _, each in self._updates[:POLL_LIMIT])
            answer(b'{"ok":true,"result":[%b]}' % batch)


class Slack:
    """Events are signed and sent to the bot's address over kept connections."""

    def __init__(self) -> None:
        self.crowd: Crowd | None = None
        self.greetings = 0
        self._idle: list[Client] = []
        self._number = 0
        self._secret = b""
        self._address = ("", 0, "")

    def aim(self, url: str, secret: str) -> None:
        for each in self._idle:
            each.close()
        split = urlsplit(url)
        self._idle, self._secret = [], secret.encode()
        self._address = (split.hostname or HOST, split.port or 80, split.path)

    def say(self, user: int) -> None:
        self._number += 1
        event = {
            "type": "message",
            "channel": f"D{user}",
            "channel_type": "im",
            "user": f"U{user}",
            "team": TEAM,
            "text": "/status",
            "ts": f"{EPOCH}.{self._number:06d}",
            "client_msg_id": f"msg-{self._number}",
        }
        body = json.dumps(
            {
                "token": "unused",
                "team_id": TEAM,
                "api_app_id": "A0BENCH",
                "type": "event_callback",
                "event_id": f"Ev{self._number:08d}",
                "event_time": EPOCH,
                "authorizations": [{"team_id": TEAM, "user_id": "U0BOT", "is_bot": True}],
                "event": event,
            }
        ).encode()
        self._send(body)

    def handle(self, method: str, body: bytes, answer: Answer) -> None:
        if method == "chat.postMessage":
            channel = str(_fields(body)["channel"])
            self._number += 1
            answer(b'{"ok":true,"channel":"%b","ts":"%d.%06d","message":{}}' % (channel.encode(), EPOCH, self._number))
            if self.crowd is not None:
                self.crowd.answered(int(channel[1:]))
            return
        if method.partition("?")[0] == "users.info":
            answer(b'{"ok":true,"user":{"real_name":"Ada"}}')
            return
        self.greetings += 1
        known = {
            "ok": True,
            "team_id": TEAM,
            "user_id": "U0BOT",
            "bot_id": "B0BOT",
            "user": "bench",
            "url": "http://x/",
        }
        answer(json.dumps(known).encode())

    def _send(self, body: bytes) -> None:
        stamp = str(int(time.time()))
        signature = hmac.new(self._secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = f"X-Slack-Request-Timestamp: {stamp}\r\nX-Slack-Signature: v0={signature}\r\n"
        if self._idle:
            client = self._idle.pop()
        else:
            client = Client(lambda client, _: self._idle.append(client))
            _start(asyncio.get_running_loop().create_connection(lambda: client, *self._address[:2]))
        client.send(self._address[2], body, headers)


class World:
    """Where a request goes by its path."""

    def __init__(self) -> None:
        self.telegram, self.slack = Telegram(), Slack()

    def handle(self, path: str, body: bytes, answer: Answer) -> None:
        if path.startswith("/bot"):
            self.telegram.handle(path.rpartition("/")[2], body, answer)
        elif path.startswith("/api/"):
            self.slack.handle(path.removeprefix("/api/").partition("?")[0], body, answer)
        elif path.startswith("/control/"):
            _start(self._control(path.removeprefix("/control/"), json.loads(body), answer))
        elif path.endswith("/chat/completions"):
            asyncio.get_running_loop().call_later(AGENT_SECONDS, answer, COMPLETION)
        else:
            answer(b'{"object":"list","data":[{"id":"bench","object":"model"}]}')

    async def _control(self, act: str, asked: dict[str, Any], answer: Answer) -> None:
        acts: dict[str, Callable[[dict[str, Any]], Any]] = {"crowd": self._crowd, "turns": self._turns}
        if act == "state":
            answer(json.dumps({"polls": self.telegram.polls, "greetings": self.slack.greetings}).encode())
            return
        answer(json.dumps(await acts[act](asked)).encode())

    async def _crowd(self, asked: dict[str, Any]) -> dict[str, Any]:
        """`platform`, `users`, and `rate` (0: a closed loop), `warm`, `seconds`; for Slack `url` and `secret`."""
        users = list(range(FIRST_USER, FIRST_USER + asked["users"]))
        side = self.telegram if asked["platform"] == "telegram" else self.slack
        if asked.get("url"):
            self.slack.aim(asked["url"], asked["secret"])
        crowd = side.crowd = Crowd(users, side.say)
        if asked["rate"]:
            measured = await crowd.paced(asked["rate"], asked["seconds"])
        else:
            measured = await crowd.closed(asked["warm"], asked["seconds"])
        side.crowd = None
        return measured.as_dict()

    async def _turns(self, asked: dict[str, Any]) -> list[list[tuple[float, str, str]]]:
        """Everyone says `text` (`{user}` in it counts from 1) at once; what each was answered until `posts` posts."""
        talks = []
        for number in range(asked["users"]):
            user = FIRST_USER + number
            talk = self.telegram.talks[user] = Talk(time.perf_counter(), posts=asked["posts"])
            self.telegram.say(user, asked["text"].replace("{user}", str(number + 1)))
            talks.append(talk)
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN_SECONDS):
                for talk in talks:
                    await talk.over.wait()
        return [talk.calls for talk in talks]


def _fields(body: bytes) -> dict[str, Any]:
    if body[:1] == b"{":
        found = json.loads(body)
        assert isinstance(found, dict)
        return found
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def _chunk(delta: dict[str, str], finish: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": EPOCH, "model": "bench", "choices": [choice]}
    return f"data: {json.dumps(chunk | ({'usage': usage} if finish else {}))}\n\n"


COMPLETION = (
    _chunk({"role": "assistant", "content": "Looked."}, None) + _chunk({}, "stop") + "data: [DONE]\n\n"
).encode()

_TASKS: set[asyncio.Task[Any]] = set()


def _start(work: Any) -> None:
    task = asyncio.ensure_future(work)
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)


async def _main() -> None:
    world = World()
    server = await asyncio.get_running_loop().create_server(lambda: Server(world.handle), HOST, 0, backlog=512)
    print(f"http://{HOST}:{server.sockets[0].getsockname()[1]}")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
