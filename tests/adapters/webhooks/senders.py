"""Telegram, Slack and GitHub as they call webhooks: what they send, and how each shows that it is them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from tests.fakes.telegram import EPOCH

JSON_TYPE = ("Content-Type", "application/json")

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """As it goes over the wire. `raw`: instead of all the rest."""

    path: str
    headers: Headers
    body: bytes
    method: str = "POST"
    version: str = "HTTP/1.1"
    has_length: bool = True
    raw: bytes = b""

    def wire(self) -> bytes:
        if self.raw:
            return self.raw
        headers = [("Host", "bot.example.com"), ("Connection", "close"), *self.headers]
        if self.has_length:
            headers.append(("Content-Length", str(len(self.body))))
        lines = [f"{self.method} {self.path} {self.version}", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body


class Sender(Protocol):
    name: str
    path: str
    proof: str
    """The header that says who sends."""
    covers_body: bool
    """It is over the body; else it is a password."""

    def event(self) -> dict[str, Any]:
        """Something that happened just now, never the same."""

    def prove(self, body: bytes, *, secret: str = "", stamp: str = "") -> Headers:
        """The headers that belong to a body; with another secret, or as of another time."""

    def others(self) -> Headers:
        """What else it says in its headers, which nothing signs; new for each try."""


def body_of(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


def honest(sender: Sender, body: bytes | None = None) -> Request:
    body = body_of(sender.event()) if body is None else body
    return Request(sender.path, [JSON_TYPE, *sender.prove(body), *sender.others()], body)


@dataclass
class TelegramSender:
    secret: str = field(default_factory=lambda: uuid4().hex)
    name = "telegram"
    path = "/telegram/webhook"
    proof = "X-Telegram-Bot-Api-Secret-Token"
    covers_body = False
    _number: int = 100

    def event(self) -> dict[str, Any]:
        self._number += 1
        person = {"id": 7, "is_bot": False, "first_name": "Ada"}
        message: dict[str, Any] = {"message_id": self._number, "date": EPOCH, "text": f"/status {self._number} 🧵"}
        return {"update_id": self._number, "message": message | {"chat": {"id": 7, "type": "private"}, "from": person}}

    def prove(self, body: bytes, *, secret: str = "", stamp: str = "") -> Headers:
        del body, stamp
        return [(self.proof, secret or self.secret)]

    def others(self) -> Headers:
        return []


@dataclass
class SlackSender:
    secret: str
    team: str
    name = "slack"
    path = "/slack/events"
    proof = "X-Slack-Signature"
    covers_body = True
    _number: int = 100

    def event(self) -> dict[str, Any]:
        self._number += 1
        ts = f"{EPOCH}.{self._number:06}"
        said: dict[str, Any] = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1", "ts": ts}
        said |= {"text": f"/status {self._number} 🧵", "client_msg_id": str(uuid4()), "team": self.team}
        return {"type": "event_callback", "team_id": self.team, "event_id": f"Ev{uuid4().hex}", "event": said}

    def prove(self, body: bytes, *, secret: str = "", stamp: str = "") -> Headers:
        stamp = stamp or str(int(time.time()))
        digest = hmac.new((secret or self.secret).encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
        return [("X-Slack-Request-Timestamp", stamp), (self.proof, f"v0={digest.hexdigest()}")]

    def others(self) -> Headers:
        return [("X-Slack-Retry-Num", "1"), ("X-Slack-Retry-Reason", "http_timeout")]


@dataclass
class GithubSender:
    secret: str = field(default_factory=lambda: uuid4().hex)
    name = "github"
    path = "/github/webhook"
    proof = "X-Hub-Signature-256"
    covers_body = True
    _number: int = 100

    def event(self) -> dict[str, Any]:
        self._number += 1
        pull = {"number": self._number, "state": "closed", "merged": True, "title": "Mend 🧵"}
        repository = {"id": 1, "full_name": "acme/shop"}
        return {"action": "closed", "pull_request": pull, "repository": repository, "sender": {"login": "ada"}}

    def prove(self, body: bytes, *, secret: str = "", stamp: str = "") -> Headers:
        del stamp
        digest = hmac.new((secret or self.secret).encode(), body, hashlib.sha256)
        return [(self.proof, f"sha256={digest.hexdigest()}")]

    def others(self) -> Headers:
        return [("X-GitHub-Event", "pull_request"), ("X-GitHub-Delivery", str(uuid4()))]
