"""Texts made to keep the redactor busy: it runs on the event loop, over whatever agents and strangers write."""

from __future__ import annotations

from uuid import uuid4

import pytest

from adapters.secrets import BLACK, Redactor
from tests.growth import MOST, growth

LENGTH = 200_000

SEEDS = (
    "-eyJabc",
    "-eyJabcdefghijklm.",
    "-eyJabcdefghijklm.eyJ",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----BEGIN " + "A" * 29,
    "authorization: basic ",
    "://a:",
    "://" + "a" * 199 + ":",
    "/bot1",
    "123456:",
    "-sk-a_",
    "_xoxb-",
    "-npm_",
)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_text_takes_more_than_its_length(seed: str) -> None:
    assert growth(Redactor([uuid4().hex]), seed, LENGTH) < MOST


def test_a_token_in_three_parts_is_black_wherever_it_stands() -> None:
    part = uuid4().hex
    token = f"eyJ{part}.eyJ{part * 400}.{part}"

    for before in ("", " ", "token=", "key-", "a_"):
        assert Redactor()(f"{before}{token} end") == f"{before}{BLACK} end"


def test_every_key_of_several_is_black() -> None:
    def key(kind: str) -> str:
        return f"-----BEGIN {kind}PRIVATE KEY-----\n{uuid4().hex}\n-----END {kind}PRIVATE KEY-----"

    text = f"{key('RSA ')}\nand\n-----BEGIN PRIVATE KEY-----\n{key('')}"

    assert Redactor()(text) == f"{BLACK}\nand\n-----BEGIN PRIVATE KEY-----\n{BLACK}"
