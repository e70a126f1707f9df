"""429s and lost replies: the small form; `python -m benchmarks.limits` is the large one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.limits.busy import busy
from benchmarks.limits.lost import lost


@pytest.mark.parametrize("platform", ["telegram", "slack"])
async def test_no_chat_is_called_before_its_time_and_its_order_stays(platform: str, tmp_path: Path) -> None:
    result = await busy(platform, 12, tmp_path, "small", small=True)

    assert result.faults == []
    assert result.refused == 12


@pytest.mark.parametrize("platform", ["telegram", "slack"])
async def test_no_post_is_lost_and_none_is_said_twice_unsaid(platform: str, tmp_path: Path) -> None:
    result = await lost(platform, 20, tmp_path, "small", chats=10)

    assert result.faults == []
    assert result.before + result.after == 20
