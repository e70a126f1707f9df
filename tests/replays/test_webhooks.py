"""Public mistakes at the doors of webhooks: forged, unset and guessed secrets. Each works where the guard is off."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from time import time
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr, ValidationError

from adapters.chat.slack.config import SlackConfig
from adapters.chat.slack.platform import Slack
from adapters.chat.slack.receive import Intake, Signed
from adapters.chat.slack.receive import receive as slack_receive
from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from adapters.forges import FORGES, GithubConfig
from adapters.forges.github_webhook import GithubWebhook
from core.model.chat import Delivery, Said
from core.model.errors import ConfigError
from tests import doors
from tests.fakes.telegram import FakeTelegram

SECRET = uuid4().hex
HEADER = "X-Telegram-Bot-Api-Secret-Token"
OWNER = 7
FORGED = json.dumps({"update_id": 1, **doors.telegram_said(OWNER, OWNER, "/create_task DEMO pwned")}).encode()


@dataclass
class Taken:
    deliveries: list[Delivery] = field(default_factory=list)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
        self.deliveries += deliveries


def webhook_config(server: FakeTelegram, **fields: Any) -> TelegramConfig:
    given = {
        "token": server.token,
        "api_base": server.base,
        "mode": "webhook",
        "webhook_url": "https://bot.example.com",
    }
    return TelegramConfig.model_validate(given | {"webhook_secret": SECRET} | fields)


@asynccontextmanager
async def called() -> AsyncIterator[tuple[Telegram, Taken]]:
    """Telegram by webhook, listening."""
    taken = Taken()
    async with FakeTelegram() as server:
        platform = Telegram(webhook_config(server), ())
        await platform.connect()
        task = asyncio.create_task(platform.listen(taken, None))
        await server.wait_for(lambda: len(server.called("setWebhook")) == 2)
        yield platform, taken
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await platform.close()


async def test_cve_2026_28454_a_telegram_webhook_without_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds the address can write any `from.id`, an owner's too."""
    async with called() as (platform, taken):
        for headers in ({}, {HEADER: ""}, {HEADER: "0" * 32}, {HEADER: SECRET[:-1]}, {HEADER: SECRET + "0"}):
            answer = await platform.receive(headers, FORGED)
            assert answer.status == 401
        assert taken.deliveries == []

        monkeypatch.setattr(Telegram, "_is_signed", lambda *_: True)
        assert (await platform.receive({}, FORGED)).status == 200
        said = platform.read(taken.deliveries[0].raw)
        assert isinstance(said, Said)
        assert said.person.id == str(OWNER)


# ------------------------------------------------------------------------------------- secrets not set


@pytest.mark.parametrize("secret", ["", " ", "\t"])
async def test_cve_2026_102649_an_unset_secret_is_not_accepted(secret: str) -> None:
    """No door opens without one, so that none can be found open."""
    async with FakeTelegram() as server:
        with pytest.raises(ValidationError, match="webhook_secret"):
            webhook_config(server, webhook_secret=secret)
        webhook_config(server)
    slack = {"bot_token": "xoxb-1", "mode": "http", "signing_secret": secret}
    with pytest.raises(ConfigError, match="signing_secret"):
        Slack(SlackConfig.model_validate(slack), ())
    with pytest.raises(ValueError, match="open to anybody"):
        GithubWebhook(secret.strip())
    assert FORGES["github"].news(GithubConfig(token=SecretStr("x"))) is None


async def test_cve_2026_102649_what_an_empty_secret_would_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check alone is not enough: an empty secret signs whatever anybody likes."""
    hook = GithubWebhook(SECRET)
    taken = Taken()
    hook.open(taken)
    body = json.dumps({"action": "closed"}).encode()
    forged = {"X-GitHub-Event": "pull_request", "X-Hub-Signature-256": f"sha256={sign(b'', body)}"}
    assert (await hook.receive(forged, body)).status == 401

    monkeypatch.setattr(hook, "_secret", b"")
    assert (await hook.receive(forged, body)).status == 202


# ------------------------------------------------------------------------------------ secrets guessed


def sign(secret: bytes, body: bytes) -> str:
    return hmac.new(secret, body, sha256).hexdigest()


class Compared:
    """How far `==` gets before it knows: what a clock would tell whoever guesses."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, bytes]] = []

    def __call__(self, one: Any, other: Any) -> bool:
        pair = [each.encode() if isinstance(each, str) else bytes(each) for each in (one, other)]
        self.calls.append((pair[0], pair[1]))
        return pair[0] == pair[1]


def naive_steps(right: str, guess: str) -> int:
    """Of a comparison that stops at the first letter that differs."""
    return next((at for at, (one, other) in enumerate(zip(right, guess, strict=False)) if one != other), len(guess))


async def guess_github(hint: str) -> None:
    hook = GithubWebhook(SECRET)
    hook.open(Taken())
    assert (await hook.receive({"x-hub-signature-256": f"sha256={hint}"}, b"{}")).status == 401


async def guess_slack(hint: str) -> None:
    headers = {"X-Slack-Request-Timestamp": str(int(time())), "X-Slack-Signature": f"v0={hint}"}
    assert (await slack_receive(Intake(), Signed(SECRET), headers, b"{}")).status == 401


async def guess_telegram(hint: str) -> None:
    async with called() as (platform, _):
        assert (await platform.receive({HEADER: hint}, FORGED)).status == 401


@pytest.mark.parametrize("guess", [guess_github, guess_slack, guess_telegram])
async def test_cve_2022_24912_a_secret_is_compared_in_constant_time(
    guess: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `hmac.compare_digest`, and by nothing before it: a right beginning is refused as a wrong one is."""
    compared = Compared()
    monkeypatch.setattr(hmac, "compare_digest", compared)
    hints = ("0" * 64, SECRET[:16] + "0" * 48)

    for hint in hints:
        await guess(hint)

    assert len(compared.calls) == len(hints)
    assert naive_steps(SECRET, hints[1]) > naive_steps(SECRET, "~" * 64), "a naive one would tell them apart"
