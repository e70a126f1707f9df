"""Cron lines that nobody means."""

from __future__ import annotations

import pytest

from core.digests import CRON_LENGTH, parse_when
from core.model.errors import BadAsk


@pytest.mark.parametrize("minutes", ["0," * 100_000 + "0", "0," * (CRON_LENGTH // 2) + "0"])
def test_a_cron_line_without_end_is_refused(minutes: str) -> None:
    with pytest.raises(BadAsk, match="too long for a cron line"):
        parse_when((minutes, "0", "*", "*", "*"), "UTC")


@pytest.mark.parametrize("zone", ["../../etc/passwd", "Europe/../../etc/passwd", "A/" * 5_000, "a\0/b", "/etc/passwd"])
def test_a_zone_is_never_a_path(zone: str) -> None:
    with pytest.raises(BadAsk):
        parse_when(("daily", "09:00", zone), "UTC")
