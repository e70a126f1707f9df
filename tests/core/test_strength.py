"""Shared secrets that may be set, and those that may not."""

from __future__ import annotations

from uuid import uuid4

import pytest

from core.model.strength import LEAST_CHARACTERS, weakness


def test_what_chance_made_is_strong() -> None:
    assert weakness(uuid4().hex) == ""
    assert weakness(uuid4().hex[:LEAST_CHARACTERS]) == ""


@pytest.mark.parametrize("secret", ["", "x", "secret", "0123456789abcdefghi"[: LEAST_CHARACTERS - 1]])
def test_a_short_one_is_refused(secret: str) -> None:
    assert "shorter than 20 characters" in weakness(secret)


@pytest.mark.parametrize("secret", ["a" * 64, "changeme" * 8, "1234" * 10])
def test_a_long_one_that_says_little_is_refused(secret: str) -> None:
    assert "too easy to guess" in weakness(secret)
