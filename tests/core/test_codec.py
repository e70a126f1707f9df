"""The codec: what is kept comes back as it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.chat import Button, Cause, Halted, Person, Post, PostRef, Pressed, Said, ThreadRef
from core.model.codec import from_json, to_json
from core.model.work import Change, DigestPlan, FileChange, ProjectKey, PullRequest, Run, Task, Usage, Work
from core.runs.outcome import Outcome, Published

SHAPES = [
    Said, Pressed, Halted, Post, Button, Person, ThreadRef, PostRef, Run, Work, Task, PullRequest, Change, FileChange,
    Usage, DigestPlan, Outcome, Published,
]  # fmt: skip


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Pair:
    both: tuple[int, str]
    colour: Colour
    at: datetime
    maybe: tuple[Colour, ...] | None = None
    free: dict[str, str] | None = None
    key: ProjectKey | None = None


@pytest.mark.parametrize("shape", SHAPES)
def test_every_value_comes_back_as_it_was(shape: type) -> None:
    aware = st.datetimes(timezones=st.just(UTC))

    @given(st.builds(shape, **dict.fromkeys(_times(shape), aware)))
    def check(value: object) -> None:
        assert from_json(shape, json.loads(json.dumps(to_json(value)))) == value

    st.register_type_strategy(datetime, aware)
    check()


def _times(shape: type) -> list[str]:
    return [name for name, hint in shape.__annotations__.items() if hint == "datetime"]


def test_pairs_enums_and_what_is_not_there() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    pair = Pair((1, "a"), Colour.RED, at, (Colour.RED,), {"a": "b"}, ProjectKey("DEMO"))

    assert from_json(Pair, to_json(pair)) == pair
    assert from_json(Pair, {"both": [1, "a"], "colour": "red", "at": at.isoformat(), "maybe": None, "new": 1}) == Pair(
        (1, "a"), Colour.RED, at
    )


def test_a_time_is_kept_in_utc() -> None:
    berlin = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))

    assert to_json(berlin) == "2026-01-01T11:00:00+00:00"
    assert from_json(datetime, to_json(berlin)) == berlin


def test_the_keys_of_an_object_are_words() -> None:
    assert to_json({1: (True, None, 1.5)}) == {"1": [True, None, 1.5]}


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, Person])
def test_what_has_no_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no JSON for"):
        to_json(value)


@given(st.from_regex(r"[a-z]+:[A-Z0-9]*:[-0-9a-z]+:.*", fullmatch=True))
def test_a_thread_is_its_words(text: str) -> None:
    assert str(ThreadRef.parse(text)) == text


def test_a_cause_stays_a_word() -> None:
    assert from_json(Halted, to_json(Halted(Cause("c"), ThreadRef("p", "t", "c"), Person("p", "t", "i")))).cause == "c"
