"""What GitHub tells by webhook: signed, committed to the inbox, then acknowledged.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries and
…/webhooks/webhook-events-and-payloads#pull_request. The signature covers the body alone, no time and no id: whoever
has caught a delivery can bring it again under another id. So the body's own hash names the cause, and what it says is
only a reason to ask GitHub.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import structlog

from core.model.chat import Cause, Delivery
from core.model.errors import StoreError
from core.model.forge import PullNews
from core.model.strict import strict_json
from core.model.work import RepoRef
from core.ports import HttpAnswer, Take

log = structlog.get_logger()

PATH = "/github/webhook"
SIGNATURE = "x-hub-signature-256"
NAME = "github"

ACTIONS = frozenset({"closed"})
"""Of a pull request. What else becomes of one changes nothing that is kept."""

LONGEST_NAME = 200
"""GitHub: a login has at most 39 characters, a repository's name 100."""


class GithubWebhook:
    """Fulfils NewsSource and Webhooked."""

    name = NAME
    webhook_path = PATH

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("a webhook without a secret is open to anybody")
        self._secret = secret.encode()
        self._take: Take | None = None
        self._reading = asyncio.Lock()
        """One at a time: a thread that reads a mebibyte of JSON holds up all others."""

    def open(self, take: Take) -> None:
        self._take = take

    def read(self, raw: bytes) -> PullNews | None:
        """Never raises, whatever the bytes are."""
        try:
            kept = json.loads(raw)
            return _news(kept["event"], kept["body"], hashlib.sha256(raw).hexdigest()[:32])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    async def receive(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        found = {name.lower(): value for name, value in headers.items()}
        given = [value for name, value in headers.items() if name.lower() == SIGNATURE]
        if len(given) != 1 or not self._is_signed(given[0], body):
            return HttpAnswer(401, b"bad signature\n")
        async with self._reading:
            raw = await asyncio.to_thread(_canonical, found.get("x-github-event", ""), body)
        if raw is None:
            return HttpAnswer(400, b"not a delivery of GitHub; set the content type of the webhook to JSON\n")
        if self._take is None:
            return HttpAnswer(503, b"try again later\n")
        delivery = Delivery(NAME, found.get("x-github-delivery", "")[:LONGEST_NAME], raw)
        try:
            await self._take([delivery])
        except StoreError as error:
            log.warning("github.not_taken", error=str(error))
            return HttpAnswer(503, b"try again later\n")
        return HttpAnswer(202)

    def _is_signed(self, signature: str, body: bytes) -> bool:
        """Over the raw bytes, in constant time."""
        right = f"sha256={hmac.new(self._secret, body, hashlib.sha256).hexdigest()}"
        return hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace"))


def _canonical(event: str, body: bytes) -> bytes | None:
    """The same for the same words, whatever their order. None: not JSON."""
    try:
        found = strict_json(body)
        if not isinstance(found, dict):
            return None
        return json.dumps({"event": event, "body": found}, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None


def _news(event: str, body: Mapping[str, Any], digest: str) -> PullNews | None:
    if event != "pull_request" or body["action"] not in ACTIONS:
        return None
    path, number = body["repository"]["full_name"], body["pull_request"]["number"]
    sender = body.get("sender")
    actor = sender.get("login", "") if isinstance(sender, dict) else ""
    is_sound = isinstance(path, str) and len(path) <= LONGEST_NAME and type(number) is int and number > 0
    if not is_sound or not isinstance(actor, str):
        return None
    return PullNews(Cause(f"{NAME}:{digest}"), RepoRef(NAME, path), number, actor[:LONGEST_NAME])
