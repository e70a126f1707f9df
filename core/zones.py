"""Time zones by their IANA names."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def is_zone(name: str) -> bool:
    """`Europe/Berlin` is one. Whatever was typed is answered: nothing is raised."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def span(since: datetime, until: datetime, zone: str) -> str:
    """`from 12:03 to 12:20 (Europe/Berlin)`, with the days where they differ."""
    begin, end = since.astimezone(ZoneInfo(zone)), until.astimezone(ZoneInfo(zone))
    if begin.date() == end.date():
        return f"from {begin:%H:%M} to {end:%H:%M} ({zone})"
    days = [f"{each:%a} {each.day} {each:%b}, {each:%H:%M}" for each in (begin, end)]
    return f"from {days[0]} to {days[1]} ({zone})"


def local_time(when: datetime, now: datetime, zone: str) -> str:
    """`15:20 (Europe/Berlin)`; on another day `Tue 24 Nov, 15:20 (Europe/Berlin)`. Rounded up to the minute."""
    there = (when + timedelta(seconds=59)).astimezone(ZoneInfo(zone))
    is_today = there.date() == now.astimezone(ZoneInfo(zone)).date()
    return f"{there:%H:%M} ({zone})" if is_today else f"{there:%a} {there.day} {there:%b}, {there:%H:%M} ({zone})"
