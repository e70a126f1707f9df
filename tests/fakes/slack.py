"""A Slack of our own: people, Socket Mode and signed deliveries, over the Web API of `slack_api`."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any, Self
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
from aiohttp import web

from tests.fakes.slack_api import Fault, Message, SlackApi, faults_of_blocks
from tests.fakes.watch import DONE, IN

__all__ = ["FakeSlack", "Fault", "Message", "faults_of_blocks"]

ACK_SECONDS = 3.0
TRIES = 4
"""Slack brings a delivery once and again up to three times."""


class FakeSlack(SlackApi):
    """`async with FakeSlack() as slack`: then `slack.base` is `api_base`.

    Deliveries go by socket if one is open, else signed to `events_url`.
    """

    def __init__(self, *, has_sessions: bool = True, keeps_marks: bool = True) -> None:
        super().__init__(has_sessions=has_sessions, keeps_marks=keeps_marks)
        self.signing_secret = uuid4().hex
        self.events_url = ""
        self.pause_seconds = 0.05
        """Before the first retry of a delivery, twice that before the second."""
        self.answers: list[int] = []
        """HTTP statuses that deliveries were answered with."""
        self.acked: list[str] = []
        self.sockets: list[web.WebSocketResponse] = []
        self._acks: dict[str, asyncio.Event] = {}

    # -------------------------------------------------------------------------------------- lifetime

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=10_000_000)
        app.router.add_post("/api/{method}", self._api)
        app.router.add_get("/api/{method}", self._api)
        app.router.add_get("/socket", self._socket)
        app.router.add_post("/upload/v1/{file}", self._upload)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await self._site.start()
        self.port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ACK_SECONDS))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop_sockets()
        await self._session.close()
        await self._runner.cleanup()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    async def drop_sockets(self) -> None:
        for socket in list(self.sockets):
            await socket.close()

    # -------------------------------------------------------------------------------- what people do

    async def say(
        self,
        channel: str,
        user: str,
        text: str,
        thread_ts: str = "",
        *,
        mention: bool = True,
        times: int = 1,
        **fields: Any,
    ) -> str:
        """The ts. In a channel, a mention is delivered as `message` and as `app_mention`; `fields` go into both."""
        is_direct = channel.startswith("D")
        words = text if is_direct or not mention else f"<@{self.bot_user}> {text}"
        ts = fields.pop("ts", None) or self.new_ts()
        self.messages.append(Message(channel, ts, user, words, thread_ts))
        event: dict[str, Any] = {"type": "message", "channel": channel, "user": user, "text": words, "ts": ts}
        event |= {"event_ts": ts, "channel_type": "im" if is_direct else "channel", "team": self.team}
        event |= {"client_msg_id": str(uuid4())} | ({"thread_ts": thread_ts} if thread_ts else {}) | fields
        kinds = ["message"] if is_direct or not mention else ["message", "app_mention"]
        bodies = [self.event(event | {"type": kind}) for kind in kinds]
        await asyncio.gather(*(self.deliver("events_api", body) for body in bodies for _ in range(times)))
        return str(ts)

    async def edit(self, ts: str, text: str) -> None:
        old = self.message(ts)
        inner = {"type": "message", "user": old.user, "ts": ts, "team": self.team, "text": text}
        inner |= {"thread_ts": old.thread_ts} if old.thread_ts else {}
        event = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": old.channel}
        event |= {"message": inner | {"edited": {"user": old.user, "ts": self.new_ts()}}, "channel_type": "channel"}
        event |= {"previous_message": inner | {"text": old.text}, "ts": self.new_ts()}
        old.text = text
        await self.deliver("events_api", self.event(event))

    async def slash(self, channel: str, user: str, text: str, command: str = "/patchbay") -> None:
        body = {"command": command, "text": text, "channel_id": channel, "channel_name": "general", "user_id": user}
        body |= {"user_name": user.lower(), "team_id": self.team, "api_app_id": self.app, "trigger_id": self._trigger()}
        body |= {"response_url": f"http://127.0.0.1:{self.port}/response", "is_enterprise_install": "false"}
        await self.deliver("slash_commands", body)

    async def press(self, ts: str, label: str, user: str, times: int = 1) -> None:
        """A button below the message `ts`, by its label."""
        on = self.message(ts)
        button = on.buttons[label]
        body: dict[str, Any] = {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower(), "team_id": self.team},
            "team": {"id": self.team},
            "container": {"type": "message", "message_ts": ts, "channel_id": on.channel, "is_ephemeral": False},
            "channel": {"id": on.channel, "name": "general"},
            "message": {"ts": ts, "text": on.text} | ({"thread_ts": on.thread_ts} if on.thread_ts else {}),
            "trigger_id": self._trigger(),
            "actions": [
                {key: button[key] for key in ("type", "action_id", "value", "text") if key in button}
                | {"block_id": "b", "action_ts": self.new_ts()}
            ],
        }
        await asyncio.gather(*(self.deliver("interactive", body) for _ in range(times)))

    async def stop(self, channel: str, user: str, thread_ts: str) -> None:
        """The native Stop button of an agent session."""
        event = {"type": "agent_session_stopped", "channel": channel, "user": user, "thread_ts": thread_ts}
        await self.deliver("events_api", self.event(event | {"streaming_message_ts": [], "event_ts": self.new_ts()}))

    def event(self, event: dict[str, Any]) -> dict[str, Any]:
        body = {"type": "event_callback", "event": event, "team_id": self.team, "api_app_id": self.app}
        return body | {"event_id": f"Ev{uuid4().hex[:10].upper()}", "event_time": self._base_ts}

    # ------------------------------------------------------------------------------------ deliveries

    async def deliver(self, kind: str, body: dict[str, Any], wait_seconds: float = 10.0) -> bool:
        """As Slack does: until it is acknowledged, four times at most. Waits for a connection like a retry would."""
        for attempt in range(TRIES):
            if not self.events_url:
                await self.wait_for(lambda: self.sockets, wait_seconds)
            if self.sockets and await self._by_socket(kind, body, attempt):
                return True
            if not self.sockets and self.events_url and await self._by_http(kind, body, attempt):
                return True
            await asyncio.sleep(self.pause_seconds * attempt)
        return False

    async def _by_socket(self, kind: str, body: dict[str, Any], attempt: int) -> bool:
        envelope = str(uuid4())
        sent = {
            "envelope_id": envelope,
            "type": kind,
            "payload": body,
            "accepts_response_payload": kind != "events_api",
        }
        sent |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
        self._acks[envelope] = asyncio.Event()
        socket = self.sockets[next(self._count) % len(self.sockets)]
        try:
            await socket.send_json(sent)
            await self.watch("slack:delivery", DONE)
            await asyncio.wait_for(self._acks[envelope].wait(), ACK_SECONDS)
        except (TimeoutError, ConnectionError):
            return False
        finally:
            del self._acks[envelope]
        self.acked.append(envelope)
        return True

    async def _by_http(self, kind: str, body: dict[str, Any], attempt: int) -> bool:
        if kind == "events_api":
            raw, content = json.dumps(body), "application/json"
        else:
            raw = urlencode(body if kind == "slash_commands" else {"payload": json.dumps(body)})
            content = "application/x-www-form-urlencoded"
        headers = self.sign(raw.encode()) | {"Content-Type": content}
        headers |= {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": "http_timeout"} if attempt else {}
        try:
            await self.watch("slack:delivery", DONE)
            async with self._session.post(self.events_url, data=raw.encode(), headers=headers) as answer:
                if await self.watch("slack:ack", IN):
                    return False
                self.answers.append(answer.status)
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def sign(self, raw: bytes, stamp: str = "") -> dict[str, str]:
        stamp = stamp or str(int(time.time()))
        digest = hmac.new(self.signing_secret.encode(), b"v0:" + stamp.encode() + b":" + raw, hashlib.sha256)
        return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest.hexdigest()}"}

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": len(self.sockets) + 1})
        self.sockets.append(socket)
        self._changed.set()
        try:
            async for message in socket:
                said = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
                if said.get("envelope_id") in self._acks and not await self.watch("slack:ack", IN):
                    self._acks[said["envelope_id"]].set()
        finally:
            self.sockets.remove(socket)
            self._changed.set()
        return socket
