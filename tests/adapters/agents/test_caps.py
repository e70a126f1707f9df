"""When a usage cap resets, as providers and command-line agents say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.agents.caps import capped_until, reset_in, reset_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def at(hour: int, minute: int = 0, *, day: int = 20, month: int = 11, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "when"),
    [
        (f"Claude AI usage limit reached|{int(at(15, 20).timestamp())}", at(15, 20)),
        (f"Claude AI usage limit reached|{int(at(15, 20).timestamp())}000", at(15, 20)),
        ("5-hour limit reached ∙ usage limit reached, resets 3:20pm (UTC)", at(15, 20)),
        ("You've hit your session limit · resets 3pm (Europe/Berlin)", at(14)),
        ("You've hit your weekly limit · resets Nov 24, 3pm (UTC)", at(15, day=24)),
        ("usage limit reached, resets 9am (UTC)", at(9, day=21)),
        ("usage limit reached, resets at 12am (UTC)", at(0, day=21)),
        ("usage limit reached, try again at 15:20 (UTC)", at(15, 20)),
        ("You've hit your usage limit. Try again at Nov 24th, 2026 3:20 PM (UTC).", at(15, 20, day=24)),
        ("You've hit your usage limit. Upgrade to Pro or try again in 2 days 3 hours 5 minutes.", at(15, 5, day=22)),
        ("Rate limit reached. Please try again in 6m0s.", at(12, 6)),
        ("Rate limit exceeded, retry in 90.5s", NOW + timedelta(seconds=90.5)),
        ("usage limit reached; wait 1h, 30m and 20 seconds", at(13, 30) + timedelta(seconds=20)),
        ("usage limit reached, retry after 250ms", NOW + timedelta(milliseconds=250)),
        ("usage limit reached, resets at 2026-11-20T15:20:00Z", at(15, 20)),
        ("usage limit reached, resets on 2026-11-20 15:20+01:00", at(14, 20)),
    ],
)
def test_the_reset_is_read(said: str, when: datetime) -> None:
    assert reset_in(said, NOW) == when
    assert capped_until(f"working\n\n{said}\n", NOW) == when


@pytest.mark.parametrize(
    "said",
    [
        "",
        "usage limit reached",
        "usage limit reached, resets soon",
        "usage limit reached, resets 5",
        "usage limit reached, resets 25:00",
        "usage limit reached, resets Feb 30, 3pm",
        "usage limit reached, resets 2026-13-45T99:99",
        "usage limit reached, try again in 99999999999999 days",
        "usage limit reached, try again in 40 days",
        "usage limit reached|1000000000",
        "usage limit reached|9999999999",
        "Try again in 5 minutes: two tests failed",
        "assert reset('3:20pm') == 1",
    ],
)
def test_what_names_no_cap_or_no_time_is_none(said: str) -> None:
    assert capped_until(said, NOW) is None


def test_the_time_may_stand_on_the_next_line_and_old_lines_do_not_count() -> None:
    said = "You have reached your usage limit.\nIt resets 3:20pm (UTC)."

    assert capped_until(said, NOW) == at(15, 20)
    assert capped_until(said + "\nwork" * 10, NOW) is None


def test_a_time_without_a_zone_is_of_this_machine() -> None:
    local = NOW.astimezone() + timedelta(hours=2)

    assert reset_in(f"usage limit reached, resets {local:%H:%M} (Nowhere/Land)", NOW) == NOW + timedelta(hours=2)
    assert reset_in(f"usage limit reached, resets at {local:%Y-%m-%d %H:%M}", NOW) == NOW + timedelta(hours=2)


def test_a_date_without_a_year_is_the_next_one() -> None:
    now = at(12, day=30, month=12)

    assert reset_in("resets Jan 2, 3pm (UTC)", now) == at(15, day=2, month=1, year=2027)


@pytest.mark.parametrize(
    ("headers", "when"),
    [
        ({}, None),
        (
            {"anthropic-ratelimit-tokens-remaining": "7", "anthropic-ratelimit-tokens-reset": "2026-11-20T13:00:00Z"},
            None,
        ),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-20T12:00:30Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-20T13:00:00Z",
            },
            at(13),
        ),
        (
            {
                "anthropic-ratelimit-unified-status": "rejected",
                "anthropic-ratelimit-unified-reset": str(int(at(17).timestamp())),
            },
            at(17),
        ),
        ({"anthropic-ratelimit-unified-status": "rejected"}, None),
        (
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1h2m3s"},
            at(13, 2) + timedelta(seconds=3),
        ),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{int(at(14).timestamp())}000"}, at(14)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-11-20T14:00:00"}, at(14)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
    ],
)
def test_the_headers_of_what_is_used_up_count(headers: dict[str, str], when: datetime | None) -> None:
    assert reset_of(headers, NOW) == when


@given(st.text(max_size=200), st.sampled_from(["", "usage limit reached, resets ", "try again in ", "resets at "]))
def test_whatever_is_said_is_read_or_left(text: str, before: str) -> None:
    when = reset_in(before + text, NOW)

    assert when is None or NOW < when <= NOW + timedelta(days=35)
    capped_until(before + text, NOW)
    reset_of({"x-ratelimit-remaining": "0", "x-ratelimit-reset": text}, NOW)
