"""`patchbay inbox`, from poison in a stopped bot to the delivery that is handled after all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.store import DatabaseStore
from core.model.chat import Delivery
from core.ports import Arrival
from tests.bot.cli_door import new_token, patchbay, running_elsewhere, write
from tests.databases import sqlite_store

KEY = "slack:T1:C1:1700.1"
SAID = '{"text":"my \x1b[31mdiary"}'


async def _poison(here: Path, raw: str, *keys: str) -> None:
    async with sqlite_store(here / "data") as store:
        for key in keys:
            await store.accept([Arrival(key, Delivery("slack", key, raw.encode()))], "slack", None)
            await store.fail(key, "")
            await store.set_aside(key, "ValueError('my diary')")


async def _unsettled(here: Path) -> list[str]:
    store = DatabaseStore(None, here / "data")
    await store.open()
    try:
        return [each.key for each in await store.unsettled()]
    finally:
        await store.close()


@pytest.fixture
def configured(here: Path) -> Path:
    write(here / "config.yaml", "telegram: {token: 'env:T'}\n")
    return here


def inbox(*words: str) -> tuple[int, str, str]:
    said = patchbay("inbox", *words, T="1:x")
    return said.code, said.out, said.err


def test_an_empty_inbox_says_so(configured: Path) -> None:
    assert inbox("list") == (0, "Nothing is set aside.\n", "")


def test_the_list_tells_everything_but_what_was_said(configured: Path) -> None:
    asyncio.run(_poison(configured, SAID, KEY, "other key"))

    code, out, _ = inbox("list")

    assert code == 0
    first, second = out.splitlines()
    assert first.startswith(f"{KEY}  slack  20")
    assert first.endswith(" UTC  1 tries  ValueError")
    assert second.startswith("'other key'  slack  ")
    assert "diary" not in out


def test_the_content_is_shown_on_demand_without_steering_the_terminal(configured: Path) -> None:
    token = new_token()
    write(configured / "config.yaml", f"telegram: {{token: '{token}'}}\n")
    asyncio.run(_poison(configured, SAID + token, KEY))

    code, out, _ = inbox("list", "--show")

    assert code == 0
    assert "ValueError('my diary')" in out
    assert '{"text":"my  [31mdiary"}' in out
    assert token not in out


def test_what_is_replayed_waits_for_the_next_start(configured: Path) -> None:
    asyncio.run(_poison(configured, SAID, KEY, "b", "c"))

    one = inbox("replay", KEY)
    two = inbox("replay", "b", "c")

    assert one == (0, "One delivery is handled at the next start of the bot.\n", "")
    assert two == (0, "2 deliveries are handled at the next start of the bot.\n", "")
    assert asyncio.run(_unsettled(configured)) == [KEY, "b", "c"]


def test_what_is_dropped_is_gone(configured: Path) -> None:
    asyncio.run(_poison(configured, SAID, KEY))

    code, out, _ = inbox("drop", KEY)

    assert (code, out.startswith("One delivery is not handled any more")) == (0, True)
    assert inbox("list")[1] == "Nothing is set aside.\n"
    assert asyncio.run(_unsettled(configured)) == []


@pytest.mark.parametrize("word", ["replay", "drop"])
def test_a_key_that_is_not_there_is_refused_with_the_next_step(configured: Path, word: str) -> None:
    code, out, err = inbox(word, "no such")

    assert (code, out) == (2, "")
    assert err == "Nothing is set aside under 'no such'. `patchbay inbox list` shows what is.\n"


def test_the_inbox_of_a_bot_that_runs_is_its_own(configured: Path) -> None:
    patchbay("migrate", T="1:x")

    with running_elsewhere(configured):
        code, _, err = inbox("list")

    assert code == 2
    assert "stop the bot" in err
