"""The loop of the program."""

from __future__ import annotations

import asyncio
import sys

import pytest

from bot import loop


async def which() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_uvloop_is_used_where_it_is() -> None:
    pytest.importorskip("uvloop")

    assert loop.run(which()) == "uvloop"


def test_without_it_the_bot_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert loop.run(which()).startswith("asyncio")
