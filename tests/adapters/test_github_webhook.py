"""GitHub's webhooks: who may bring one, what is committed before it is acknowledged, and what is read of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from adapters.forges.github_webhook import GithubWebhook
from core.model.chat import Delivery
from core.model.errors import StoreError
from core.model.forge import PullNews
from core.ports import HttpAnswer

SECRET = uuid4().hex
MUTATIONS = 2_000


def closed(number: Any = 7, path: Any = "acme/shop", *, action: str = "closed", **more: Any) -> dict[str, Any]:
    """The fields of a `pull_request` delivery that are looked at, and some that are not."""
    pull = {"number": number, "state": "closed", "merged": True, "title": "Mend 🧵", **more}
    return {
        "action": action,
        "number": number,
        "pull_request": pull,
        "repository": {"id": 1, "full_name": path},
        "sender": {"login": "ada", "id": 5, "type": "User"},
    }


class Taken:
    def __init__(self, fault: Exception | None = None) -> None:
        self.deliveries: list[Delivery] = []
        self.fault = fault

    async def __call__(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
        if self.fault:
            raise self.fault
        self.deliveries += deliveries


def opened(fault: Exception | None = None) -> tuple[GithubWebhook, Taken]:
    hook, taken = GithubWebhook(SECRET), Taken(fault)
    hook.open(taken)
    return hook, taken


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers(body: bytes, *, event: str = "pull_request", **more: str) -> dict[str, str]:
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": signature(body),
        "Content-Type": "application/json",
        **more,
    }


async def bring(hook: GithubWebhook, body: bytes, **more: str) -> HttpAnswer:
    return await hook.receive(headers(body, **more), body)


async def test_it_is_acknowledged_once_it_is_taken_and_read_as_news() -> None:
    hook, taken = opened()

    answer = await bring(hook, json.dumps(closed()).encode())

    assert answer.status == 202
    [delivery] = taken.deliveries
    news = hook.read(delivery.raw)
    assert isinstance(news, PullNews)
    assert (delivery.platform, news.lane, news.actor) == ("github", "github:acme/shop#7", "ada")


async def test_what_cannot_be_kept_is_not_acknowledged() -> None:
    hook, _ = opened(StoreError("disk full"))

    assert (await bring(hook, json.dumps(closed()).encode())).status == 503
    assert (await bring(GithubWebhook(SECRET), json.dumps(closed()).encode())).status == 503


async def test_the_same_words_are_one_cause_whatever_the_id_says() -> None:
    hook, taken = opened()
    body = closed()

    await bring(hook, json.dumps(body).encode())
    await bring(hook, json.dumps(dict(reversed(body.items())), indent=2).encode())
    await bring(hook, json.dumps(closed(8)).encode())

    causes = [news.cause for each in taken.deliveries if (news := hook.read(each.raw))]
    assert causes[0] == causes[1] != causes[2]


@pytest.mark.parametrize(
    "wrong",
    ["", "sha256=", "sha1=" + "0" * 40, "sha256=" + "0" * 64, "\udcff", "sha256=é", "SHA256=", "sha256=" + "é" * 64],
)
async def test_a_wrong_signature_is_refused(wrong: str) -> None:
    hook, taken = opened()
    body = json.dumps(closed()).encode()

    assert (await bring(hook, body, **{"X-Hub-Signature-256": wrong})).status == 401
    assert taken.deliveries == []


async def test_no_signature_and_another_secret_are_refused() -> None:
    hook, taken = opened()
    body = json.dumps(closed()).encode()
    bare = {name: value for name, value in headers(body).items() if "Signature" not in name}

    assert (await hook.receive(bare, body)).status == 401
    assert (await bring(hook, body, **{"X-Hub-Signature-256": signature(body, uuid4().hex)})).status == 401
    assert taken.deliveries == []


async def test_a_body_that_was_changed_after_it_was_signed_is_refused() -> None:
    hook, taken = opened()
    body, dice, refused = json.dumps(closed()).encode(), random.Random(7), 0

    for _ in range(MUTATIONS):
        spot = dice.randrange(len(body))
        other = body[:spot] + bytes([body[spot] ^ dice.randrange(1, 256)]) + body[spot + dice.randrange(2) :]
        refused += (await hook.receive(headers(body), other)).status == 401

    assert refused == MUTATIONS
    assert taken.deliveries == []
    assert (await bring(hook, body)).status == 202


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"payload=%7B%7D", b"\xff\xfe", b"[" * 100_000, b'"x"', b"1e999999"]
)
async def test_signed_nonsense_is_a_clear_400(body: bytes) -> None:
    hook, taken = opened()

    assert (await bring(hook, body)).status == 400
    assert taken.deliveries == []


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("ping", {"zen": "Keep it logically awesome."}),
        ("pull_request", closed(action="labeled")),
        ("pull_request", closed("7")),
        ("pull_request", closed(0)),
        ("pull_request", closed(True)),
        ("pull_request", closed(path="x" * 300)),
        ("pull_request", closed(path=None)),
        ("pull_request", {**closed(), "sender": {"login": 5}}),
        ("pull_request", {"action": "closed"}),
        ("pull_request", {"action": ["closed"], "repository": 1}),
        ("push", {"ref": "refs/heads/main"}),
        ("", {}),
    ],
)
async def test_what_is_not_for_us_is_acknowledged_and_read_as_nothing(event: str, body: dict[str, Any]) -> None:
    hook, taken = opened()

    assert (await bring(hook, json.dumps(body).encode(), event=event)).status == 202
    assert hook.read(taken.deliveries[0].raw) is None


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"1", b'{"event": 1}', b'{"event": "pull_request", "body": []}'])
def test_reading_never_raises(raw: bytes) -> None:
    assert GithubWebhook(SECRET).read(raw) is None


async def test_nobody_in_particular_may_have_done_it() -> None:
    hook, taken = opened()
    body = {name: value for name, value in closed().items() if name != "sender"}

    await bring(hook, json.dumps(body).encode())

    news = hook.read(taken.deliveries[0].raw)
    assert news is not None
    assert not news.actor


def test_without_a_secret_there_is_no_door() -> None:
    with pytest.raises(ValueError, match="without a secret"):
        GithubWebhook("")
