"""What Slack delivers, over HTTP or Socket Mode, committed to the inbox before Slack is answered.

Both ways end in the same raw form, and in the same question: has `take` returned? Only then 200, or the envelope's
ack. Over HTTP the signature's check and the commit are called directly: Bolt's dispatch adds nothing here but time.
https://docs.slack.dev/apis/events-api and …/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from time import time
from typing import Any
from urllib.parse import parse_qsl

import structlog
from slack_sdk.signature import Clock, SignatureVerifier

from adapters.chat.slack.gestures import Gestures, message_of
from adapters.chat.slack.inbound import kind_of
from core.model.chat import Delivery
from core.model.errors import StoreError
from core.model.strict import strict_json
from core.ports import HttpAnswer, Take

log = structlog.get_logger()

DONE = HttpAnswer(200)
DENIED = HttpAnswer(401, b"bad signature")
UNREADABLE = HttpAnswer(400, b"not a delivery of Slack")
NOT_NOW = HttpAnswer(503, b"try again")
HEAD_START_SECONDS = 0.002
"""For what was taken: a person waits for the answer to it, Slack waits for ours up to three seconds."""
FIELDS = 200
"""Of a form; Slack's have about fifteen."""
AHEAD_SECONDS = 60
"""Of our clock; what is dated later is no clock that is wrong, and would be good for longer."""
LONGEST_ID = 200
"""Of a delivery; Slack's have some fifty characters."""


class NotListeningError(Exception):
    """There is nobody to take a delivery: it is not acknowledged, and Slack brings it again."""


class Intake:
    """Where all deliveries of this workspace come through. Open between `open` and `shut`."""

    def __init__(self) -> None:
        self._take: Take | None = None
        self._gestures = Gestures()
        self._team = ""

    def open(self, take: Take, team: str) -> None:
        self._take, self._team = take, team

    def shut(self) -> None:
        self._take = None

    @property
    def is_open(self) -> bool:
        return self._take is not None

    async def commit(self, body: dict[str, Any]) -> None:
        """Returns when it is in the inbox. StoreError, NotListeningError: do not acknowledge."""
        take = self._take
        if take is None:
            raise NotListeningError
        await take([self.delivery(body)])

    def delivery(self, body: dict[str, Any]) -> Delivery:
        body = {key: value for key, value in body.items() if key != "token"}  # Slack's old proof of who sends: a secret
        envelope: dict[str, Any] = {"kind": kind_of(body), "body": body}
        if gesture := self._gesture(body):
            envelope["gesture"] = gesture
        raw = json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()
        return Delivery("slack", _id_of(body)[:LONGEST_ID] or hashlib.sha256(raw).hexdigest(), raw)

    def _gesture(self, body: dict[str, Any]) -> str:
        event = body.get("event")
        if not isinstance(event, dict) or str(event.get("type")) not in {"message", "app_mention"}:
            return ""
        return self._gestures.settle(
            self._team or str(body.get("team_id")), str(event.get("channel")), message_of(event)
        )


def _id_of(body: dict[str, Any]) -> str:
    """Events have an id; the rest a trigger, or the message and the moment of the act."""
    for key in ("event_id", "trigger_id"):
        if isinstance(body.get(key), str) and body[key]:
            return str(body[key])
    container, actions = body.get("container"), body.get("actions")
    if isinstance(container, dict) and isinstance(actions, list) and actions and isinstance(actions[0], dict):
        return f"{container.get('channel_id')}:{container.get('message_ts')}:{actions[0].get('action_ts')}"
    return ""


# ---------------------------------------------------------------------------------------------- http


class Signed:
    """slack_sdk's check of a signature, which raises on five kinds of malformed input; here those are just wrong."""

    def __init__(self, secret: str, now: Callable[[], float] = time) -> None:
        clock = Clock()
        clock.now = now  # type: ignore[method-assign]
        self._now = now
        self._verifier = SignatureVerifier(secret, clock)

    def is_from_slack(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Over the raw bytes, in constant time, at most five minutes old and not of tomorrow. Each header once."""
        stamps, signatures = _all(headers, "x-slack-request-timestamp"), _all(headers, "x-slack-signature")
        if len(stamps) != 1 or len(signatures) != 1:
            return False
        stamp, signature = stamps[0], signatures[0]
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 and signature.isascii()):
            return False
        if int(stamp) - self._now() > AHEAD_SECONDS:
            return False
        try:
            return self._verifier.is_valid(body, stamp, signature)
        except ValueError:  # the body is not UTF-8
            return False


def _all(headers: Mapping[str, str], name: str) -> list[str]:
    return [value for key, value in headers.items() if key.lower() == name]


async def receive(intake: Intake, signed: Signed, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
    """One request of Slack: events, slash commands and interactions share one address."""
    if not signed.is_from_slack(headers, body):
        return DENIED
    try:
        delivered = parse(body)
    except ValueError:
        return UNREADABLE
    if delivered.get("type") == "url_verification":
        return HttpAnswer(200, str(delivered.get("challenge", "")).encode("utf-8", "replace"))
    if "ssl_check" in delivered:
        return DONE
    try:
        await intake.commit(delivered)
    except RecursionError:  # nested just so deep that it could be read
        return UNREADABLE
    except (StoreError, NotListeningError) as error:
        log.warning("slack.not_taken", error=str(error) or "not listening")
        return NOT_NOW
    await asyncio.sleep(HEAD_START_SECONDS)
    return DONE


def parse(body: bytes) -> dict[str, Any]:
    """JSON, or a form: a slash command's fields, or `payload` with JSON in it. ValueError."""
    text = body.decode()
    if text.lstrip()[:1] not in {"{", "["}:
        fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS))
        if "payload" not in fields:
            if not fields:
                raise ValueError("empty")
            return dict(fields)
        text = fields["payload"]
    found = strict_json(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - what came is wrong, not what we called with
    return found
