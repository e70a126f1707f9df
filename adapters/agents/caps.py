"""When a usage cap resets: read from a provider's headers, or from what it or a command-line agent says in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

LONGEST = timedelta(days=35)
"""No cap lasts longer than a month; a time beyond is misread, or a mistake."""
LAST_LINES = 8
"""Of an output: a program that ends at a cap says so at its end."""

_CAP = re.compile(
    r"\b(?:usage|session|weekly|hourly|daily|monthly|5-hour|rate|request|token|message)s? (?:limit|cap|quota)s?"
    r"(?: (?:is|was|has been))? (?:reached|exceeded|hit)\b"
    r"|\b(?:hit|reached|exceeded) (?:your|the)\b.{0,40}?\b(?:limit|cap|quota)\b",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"\|(\d{10})(\d{3})?\b")
"""`Claude AI usage limit reached|1760000000`"""
_WHEN = r"\b(?:resets?|try again|retry|available(?: again)?|come back)(?: (?:at|on))?:? "
_ISO = re.compile(_WHEN + r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)", re.IGNORECASE)
_PIECE = r"\d+(?:\.\d+)?\s*(?:milliseconds?|ms|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])"
_IN = re.compile(
    rf"\b(?:resets?|try again|retry|available(?: again)?|come back|wait)(?: (?:in|after))? "
    rf"((?:{_PIECE}[\s,]*(?:and\s+)?)+)",
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(
    _WHEN + rf"(?:({'|'.join(_MONTHS)})[a-z]*\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (?:(\d{{4}}),? )?(?:at )?)?"
    r"(\d{1,2})(?::(\d\d))? ?(am|pm)?\b(?: ?\(([A-Za-z_+/-]{3,40})\))?",
    re.IGNORECASE,
)
_SECONDS = {"ms": 0.001, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}


def capped_until(output: str, now: datetime) -> datetime | None:
    """For a program that failed: when the cap that it names at its end resets. None: it names none, or no time."""
    lines = output.strip().splitlines()[-LAST_LINES:]
    for number, line in enumerate(lines):
        if _CAP.search(line):
            return reset_in(" ".join(" ".join(lines[number : number + 2]).split()), now)
    return None


def reset_in(text: str, now: datetime) -> datetime | None:
    """The time that a text names, in UTC; one without a zone is of this machine. None: no time that can be believed."""
    here = now.astimezone().tzinfo or UTC
    try:
        found = _epoch(text) or _iso(text, here) or _after(text, now) or _clock(text, now, here)
    except (ValueError, OverflowError):
        return None
    return believed(found, now)


def believed(when: datetime | None, now: datetime) -> datetime | None:
    """None for what is over, or too far away."""
    return when.astimezone(UTC) if when is not None and now < when <= now + LONGEST else None


def reset_of(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When the last of the limits of which nothing remains resets, as Anthropic and OpenAI tell it."""
    times = [
        _time(headers[name], now)
        for name in headers
        if (limit := _RESET.fullmatch(name.lower())) and _remaining(headers, limit) == "0"
    ]
    if headers.get("anthropic-ratelimit-unified-status") == "rejected":
        times.append(_time(headers.get("anthropic-ratelimit-unified-reset", ""), now))
    known = [each for each in (believed(when, now) for when in times) if each is not None]
    return max(known, default=None)


_RESET = re.compile(r"(anthropic-ratelimit-[a-z-]+?|x-ratelimit)-reset(-[a-z-]+)?")


def _remaining(headers: Mapping[str, str], limit: re.Match[str]) -> str | None:
    return headers.get(f"{limit[1]}-remaining{limit[2] or ''}")


def _time(value: str, now: datetime) -> datetime | None:
    """RFC 3339, seconds or milliseconds since 1970, or a duration such as `6m0s`."""
    try:
        if value.isdigit() and len(value) in {10, 13}:
            return datetime.fromtimestamp(int(value[:10]), UTC)
        if re.fullmatch(rf"(?:{_PIECE})+", value):
            return now + _duration(value)
        when = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _epoch(text: str) -> datetime | None:
    found = _EPOCH.search(text)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def _iso(text: str, here: tzinfo) -> datetime | None:
    found = _ISO.search(text)
    if not found:
        return None
    when = datetime.fromisoformat(found[1])
    return when if when.tzinfo else when.replace(tzinfo=here)


def _after(text: str, now: datetime) -> datetime | None:
    found = _IN.search(text)
    return now + _duration(found[1]) if found else None


def _duration(text: str) -> timedelta:
    total = 0.0
    for number, unit in re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.lower()):
        total += float(number) * _SECONDS["ms" if unit in {"ms", "millisecond", "milliseconds"} else unit[0]]
    return timedelta(seconds=total)


def _clock(text: str, now: datetime, here: tzinfo) -> datetime | None:
    """`3pm`, `15:20`, `Oct 24, 3:20 PM (Europe/Berlin)`: the next time that a clock there shows it."""
    found = _CLOCK.search(text)
    if not found or (found[5] is None and found[6] is None):
        return None
    zone = _zone(found[7], here)
    hour = int(found[4])
    if found[6]:
        hour = hour % 12 + (12 if found[6].lower() == "pm" else 0)
    today = now.astimezone(zone)
    when = today.replace(hour=hour, minute=int(found[5] or 0), second=0, microsecond=0)
    if found[1] is None:
        return when if when > today else when + timedelta(days=1)
    month = _MONTHS.index(found[1].lower()) + 1
    dated = when.replace(year=int(found[3] or today.year), month=month, day=int(found[2]))
    return dated if found[3] or dated > today else dated.replace(year=today.year + 1)


def _zone(name: str | None, here: tzinfo) -> tzinfo:
    try:
        return ZoneInfo(name) if name else here
    except (KeyError, ValueError, OSError):
        return here
