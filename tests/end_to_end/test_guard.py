"""The guard on both platforms: what a person must say yes to is shown, kept over a kill, and done as it was said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.hub import Hub
from tests.end_to_end.process import BotProcess
from tests.end_to_end.rooms import Room, Shown
from tests.end_to_end.test_main_way import agent, config, room_called
from tests.fakes.llm import FakeLLM, Scripted, Use, Words

LOCK, CODE = "uv.lock", "calc.py"
BEGUN: Mapping[str, str | bytes] = {CODE: "x = 1\n", LOCK: "version = 1\n"}
YES = {"rules": [{"then": "allow", "kind": kind} for kind in ("run", "edit")]}
"""To each act of the agent: what is asked about here comes after them."""
PLATFORMS = pytest.mark.parametrize("name", ["telegram by polling", "slack by socket"])


def script() -> list[Scripted]:
    return [
        Use("edit", path=CODE, old="x = 1", new="x = 2"),
        Use("bash", command="printf 'version = 1\\nsource = \"https://elsewhere.example\"\\n' > uv.lock"),
        Words("Done."),
    ]


@dataclass
class Stand:
    room: Room
    hub: Hub
    bot: BotProcess
    thread: str

    async def card(self, after: int = 0) -> Shown:
        return await self.room.hear(self.thread, "🛡", "your yes", LOCK, after=after)


@asynccontextmanager
async def asked(name: str, folder: Path, guard: dict[str, Any]) -> AsyncIterator[Stand]:
    """A run has changed a lock file beside its code."""
    async with room_called(name) as room, Hub(folder, BEGUN) as hub, FakeLLM() as llm:
        llm.script(script())
        settings = config(room, hub, {"claude": agent("anthropic", llm.anthropic_base)}) | {
            "guard": guard,
            "approvals": YES,
        }
        async with BotProcess(folder / "bot", settings) as bot:
            created = await room.say(f"/create_project DEMO Demo Project {hub.path}")
            await room.hear(created, "DEMO", "Demo Project")
            task = await room.say("/create_task DEMO Two")
            await room.hear(task, "DEMO-1")
            yield Stand(room, hub, bot, await room.say("/execute DEMO-1 claude"))


@PLATFORMS
@pytest.mark.parametrize(
    ("label", "published"),
    [("Publish all", {CODE, LOCK}), ("Without these", {CODE}), ("Deny", set[str]())],
)
async def test_what_is_answered_is_what_is_published(
    name: str, label: str, published: set[str], tmp_path: Path
) -> None:
    async with asked(name, tmp_path, {}) as stand:
        card = await stand.card()
        assert "elsewhere.example" in card.text
        assert "x = 2" not in card.text
        assert list(card.buttons) == ["Publish all", "Without these", "Deny"]
        assert stand.hub.branches() == ["main"]
        await stand.room.press(card, label)
        await stand.room.hear(stand.thread, "✅" if published else "❌")

        changed = {
            path: text != str(BEGUN[path]).encode()
            for path, text in (stand.hub.files("task/DEMO-1") if published else {}).items()
        }
        assert {path for path, is_so in changed.items() if is_so} == published
        assert len(await stand.hub.pulls()) == bool(published)


@PLATFORMS
async def test_the_question_outlives_a_kill(name: str, tmp_path: Path) -> None:
    async with asked(name, tmp_path, {}) as stand:
        card = await stand.card()
        await stand.bot.kill()
        await stand.bot.start()
        await stand.room.press(card, "Without these")
        end = await stand.room.hear(stand.thread, "✅", "Left out")

        assert LOCK in end.text
        assert stand.hub.files("task/DEMO-1")[LOCK] == str(BEGUN[LOCK]).encode()


@PLATFORMS
async def test_where_two_are_needed_who_asked_may_not_answer(name: str, tmp_path: Path) -> None:
    async with asked(name, tmp_path, {"second": True}) as stand:
        await stand.room.press(await stand.card(), "Publish all")
        await stand.room.hear(stand.thread, "somebody else must say")

        assert stand.hub.branches() == ["main"]


@PLATFORMS
async def test_with_the_guard_off_it_is_published(name: str, tmp_path: Path) -> None:
    """The control."""
    async with asked(name, tmp_path, {"locks": "allow"}) as stand:
        await stand.room.hear(stand.thread, "✅")

        assert b"elsewhere.example" in stand.hub.files("task/DEMO-1")[LOCK]
