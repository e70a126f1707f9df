"""Secrets in what would be published: the real redactor's shapes count, plain placeholders do not."""

from __future__ import annotations

import base64
from uuid import uuid4

import pytest

from adapters.secrets import Redactor
from core.guard import holder

LIVE = uuid4().hex
SECRETS = {
    "a live one": f"key = {LIVE}",
    "a live one in base64": base64.b64encode(f"user:{LIVE}".encode()).decode(),
    "a live one drawn out": f"{LIVE[:9]}\u200b{LIVE[9:]}",
    "GitHub": "token: gh" + "p_" + "a1" * 18,
    "Slack": "xo" + "xb-123456789012-" + "a1b2" * 6,
    "AWS": "AK" + "IA" + "ABCDEFGH12345678",
    "Telegram": "123456789:" + "Ab1" * 12,
    "a private key": "-----BEGIN " + "PRIVATE KEY-----\nMIIB\n-----END " + "PRIVATE KEY-----",
    "a header": "Authorization: Bearer " + uuid4().hex,
    "an address": f"postgres://app:{uuid4().hex}@db.corp.internal/app",
}
NONE = {
    "words": "The token is kept in the vault, never in a file.",
    "a header with a word": "Authorization: Bearer token",
    "a header with a variable": 'headers = {"Authorization": "Bearer $TOKEN"}',
    "a header with a blank": "Authorization: Bearer <your token>",
    "a template": "Authorization: Bearer {token}",
    "the usual password": "postgres://user:password@db.corp.internal/app",
    "a password here": "postgres://app:hunter2@localhost:5432/app",
    "a password of a service": "redis://app:hunter2@redis:6379/0",
    "an example": "https://ann:hunter2@www.example.com/x",
    "a variable": "postgres://app:${DB_PASSWORD}@db.corp.internal/app",
    "a hash": uuid4().hex + uuid4().hex,
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_found(name: str) -> None:
    assert holder(Redactor([LIVE]))(f"a = 1\n{SECRETS[name]}\nb = 2")


@pytest.mark.parametrize("name", NONE)
def test_a_placeholder_is_none(name: str) -> None:
    assert not holder(Redactor([LIVE]))(f"a = 1\n{NONE[name]}\nb = 2")


def test_one_that_stands_beside_a_placeholder_is_found() -> None:
    text = f"Authorization: Bearer $TOKEN\nAuthorization: Bearer {uuid4().hex}"

    assert holder(Redactor([LIVE]))(text)
