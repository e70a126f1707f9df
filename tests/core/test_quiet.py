"""Quiet hours, in the chat's own time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.model.work import ChatSettings
from core.quiet import QuietHours
from tests.fakes.clock import FakeClock
from tests.whole import WholeBot

TABLE = [
    ("", "", "03:00", False),
    ("22:00-07:00", "", "21:59", False),
    ("22:00-07:00", "", "22:00", True),
    ("22:00-07:00", "", "06:59", True),
    ("22:00-07:00", "", "07:00", False),
    ("12:00-13:00", "", "12:59", True),
    ("12:00-13:00", "", "13:00", False),
    ("12:00-12:00", "", "12:00", False),
    ("22:00-07:00", "Asia/Tokyo", "14:00", True),
    ("22:00-07:00", "Asia/Tokyo", "23:00", False),
]


@pytest.mark.parametrize(("hours", "zone", "time", "is_quiet"), TABLE)
async def test_quiet_hours(bot: WholeBot, hours: str, zone: str, time: str, is_quiet: bool) -> None:  # noqa: FBT001
    room = bot.platform.thread.room
    await bot.store.put_settings(ChatSettings(room, quiet=hours, zone=zone))
    clock = FakeClock(datetime.fromisoformat(f"2026-07-01T{time}").replace(tzinfo=UTC))

    assert await QuietHours(bot.store, clock)(room) is is_quiet


async def test_the_bots_own_zone_counts_where_the_chat_chose_none(bot: WholeBot) -> None:
    room = bot.platform.thread.room
    await bot.store.put_settings(ChatSettings(room, quiet="10:00-12:00"))
    clock = FakeClock(datetime(2026, 7, 1, 9, tzinfo=UTC))

    assert await QuietHours(bot.store, clock, "Europe/Berlin")(room)
    assert not await QuietHours(bot.store, clock)(room)
