"""The example that must always work, on both platforms in both ways, over every kind of model, against servers that
others wrote.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.hub import Hub
from tests.end_to_end.process import BotProcess
from tests.end_to_end.rooms import EmulatedTelegram, RealSlack, Room
from tests.end_to_end.scripts import ANSWER, ASKED, BEGUN, MADE, PATHS, aimock
from tests.fakes.local_slack import BINARY, CHANNEL
from tests.repositories import git, modes_on

ROOMS: dict[str, Callable[[], Any]] = {
    "telegram by polling": lambda: EmulatedTelegram("polling"),
    "telegram by webhook": lambda: EmulatedTelegram("webhook"),
    "slack by socket": lambda: RealSlack("socket"),
    "slack by http": lambda: RealSlack("http"),
}


UNKNOWN_THERE = "sendMessage: Bad Request: link_preview_options is not supported yet"
"""The one thing that Telegram knows and this server does not; then it is sent without."""


def config(room: Room, hub: Hub, agents: dict[str, Any]) -> dict[str, Any]:
    return {
        "access": {"owners": [room.owner], "chats": [f"slack:{CHANNEL}"] if room.name == "slack" else []},
        room.name: room.section,
        "github": hub.section,
        "agents": agents,
        "http": {"port": room.port},
        "guard": {"executables": "allow"},
    }


def agent(api: str, url: str) -> dict[str, Any]:
    key = {} if api == "ollama" else {"api_key": f"key-{uuid4()}"}
    return {"type": api, "model": "scripted", "base_url": url + PATHS[api], **key}


@asynccontextmanager
async def room_called(name: str) -> AsyncIterator[Room]:
    if name.startswith("slack") and not BINARY.exists():
        pytest.skip("local-slack is not installed: run `npm ci` in .ci/counterparts")
    async with ROOMS[name]() as room:
        yield room


@pytest.mark.parametrize(
    ("name", "api"),
    [
        ("telegram by polling", "anthropic"),
        ("telegram by webhook", "openai"),
        ("slack by socket", "ollama"),
        ("slack by http", "anthropic"),
    ],
)
async def test_from_a_message_to_a_pull_request(name: str, api: str, tmp_path: Path) -> None:
    async with (
        room_called(name) as room,
        Hub(tmp_path, BEGUN) as hub,
        aimock(tmp_path) as llm,
        BotProcess(tmp_path / "bot", config(room, hub, {"claude": agent(api, llm)})),
    ):
        created = await room.say(f"/create_project DEMO Demo Project {hub.path}")
        await room.hear(created, "DEMO", "Demo Project")
        asked = await room.say(f"/create_task DEMO {ASKED}")
        await room.hear(asked, "DEMO-1", ASKED)
        thread = await room.say("/execute DEMO-1 claude")
        end = await room.hear(thread, "✅")
        pulls = await hub.pulls()
        if thread:
            await room.until(
                lambda posts: next((e for e in posts if e.thread == thread and "COMPLETED" in e.text), None)
            )

        assert hub.files("task/DEMO-1") == MADE
        assert modes_on(hub.bare, "task/DEMO-1")["calc.py"] == "100755"
        assert git(hub.bare, "merge-base", "main", "task/DEMO-1") == git(hub.bare, "rev-parse", "main")
        message = git(hub.bare, "log", "-1", "--format=%B", "task/DEMO-1")
        assert message.startswith("DEMO-1: Implement login feature\n\n")
        assert "\nCo-authored-by: claude <" in message
        [pull] = pulls
        assert (pull["head"]["ref"], pull["base"]["ref"], pull["state"]) == ("task/DEMO-1", "main", "open")
        assert "<!-- patchbay:run:" in pull["body"]
        assert pull["html_url"] in end.text
        assert ANSWER.replace("*", "").replace("`", "") in end.text.replace("*", "").replace("`", "")
    if isinstance(room, EmulatedTelegram):
        assert set(room.refused) <= {UNKNOWN_THERE}
