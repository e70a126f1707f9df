"""Where no sandbox works the bot talks, and no agent runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.agents.config import CommandConfig
from adapters.sandbox import NoSandbox
from bot.config import Access, Allowed, Config, HttpConfig
from bot.wiring import build
from core.model.errors import AgentUnready, SandboxError
from core.ports import Access as SandboxAccess
from tests.fakes.platform import FakePlatform


async def test_without_a_sandbox_agents_are_listed_and_refused(tmp_path: Path) -> None:
    config = Config(
        data=tmp_path,
        http=HttpConfig(port=0),
        access=Access(owners=(Allowed("fake", "", "owner"),)),
        agents={"tidy": CommandConfig(steps=(("true",),))},
    )
    platform = FakePlatform()
    app = build(config, NoSandbox("there is no bubblewrap"), platforms={"fake": platform})

    async def talk() -> int:
        await platform.say("/agents")
        await platform.shown("✗ `tidy`")
        await platform.say("/create_project DEMO Demo")
        await platform.shown("is ready")
        await platform.say("Tidy up")
        await platform.shown("no sandbox works on the bot's machine")
        with pytest.raises(AgentUnready):
            await app.desk.agents["tidy"].take_turn(None, print, None)  # type: ignore[arg-type]
        return 7

    async with asyncio.timeout(30):
        assert await app.run(talk) == 7


async def test_nothing_starts_in_no_sandbox() -> None:
    sandbox = NoSandbox("there is no bubblewrap")

    assert not (await sandbox.probe()).is_usable
    with pytest.raises(SandboxError, match="no bubblewrap"):
        sandbox.wrap(("true",), "/", SandboxAccess.READ, {})
