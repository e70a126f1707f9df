"""The agents in the real sandbox: what they write arrives exactly, and nothing outlives a Stop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.agents import AGENTS, AgentTools
from adapters.agents.command import Command
from adapters.agents.config import AnthropicConfig, CommandConfig
from adapters.sandbox import choose
from core.model.errors import AgentUnready, SandboxError
from core.ports import Agent, Sandbox
from tests.adapters.agents.turns import Notes, nobody_asked, turn_in
from tests.fakes.llm import FakeLLM, Reply, ToolUse, Use, Words


@pytest.fixture
async def sandbox(tmp_path: Path) -> Sandbox:
    try:
        return await choose("auto", [])
    except SandboxError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no sandbox works on this machine: {error}")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


def loop(llm: FakeLLM, sandbox: Sandbox, sessions: Path) -> Agent:
    config = AnthropicConfig.model_validate({"model": "m", "base_url": llm.anthropic_base})
    return AGENTS["anthropic"].build("sam", config, AgentTools(sandbox, sessions))


async def test_reads_edits_and_commands_work_inside(sandbox: Sandbox, checkout: Path, tmp_path: Path) -> None:
    content = "naïve 🤖\r\nno end" * 10_000
    uses = (
        ToolUse("edit", {"path": "src/a.txt", "old": "", "new": content + "<<1>>"}),
        ToolUse("edit", {"path": "src/a.txt", "old": "<<1>>", "new": "\0"}),
        ToolUse("bash", {"command": "pwd; ls; cat ../sessions/* /root/.bashrc"}),
        ToolUse("read", {"path": "src/a.txt", "lines": 1}),
    )
    async with FakeLLM() as llm:
        llm.script([Reply(uses=uses), Words("Done.")])
        await loop(llm, sandbox, tmp_path / "sessions").take_turn(turn_in(checkout), Notes(), nobody_asked)
        results = [each["content"] for each in llm.requests[-1].body["messages"][-1]["content"]]

    assert (checkout / "src/a.txt").read_bytes() == (content + "\0").encode()
    assert results[2].startswith(f"{checkout}\nsrc\n")
    assert "history" not in results[2]
    assert results[3].startswith("naïve 🤖\r\n")


async def test_nothing_outlives_a_stop(sandbox: Sandbox, checkout: Path, tmp_path: Path) -> None:
    mark = str(60_000 + int(uuid4()) % 1_000_000)
    command = f"(setsid sleep {mark} &) ; trap '' TERM; touch began; sleep {mark}; sleep {mark}"
    async with FakeLLM() as llm:
        llm.script([Use("bash", command=command)])
        agent = loop(llm, sandbox, tmp_path / "sessions")
        working = asyncio.create_task(_taken(agent, checkout))
        await _there(checkout / "began")
        assert _running(mark)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    assert not _running(mark)


async def _taken(agent: Agent, checkout: Path) -> None:
    await agent.take_turn(turn_in(checkout), Notes(), nobody_asked)


async def _there(path: Path) -> None:
    async with asyncio.timeout(10):
        while not os.path.exists(path):  # noqa: ASYNC110, ASYNC240, PTH110 - a child makes it, no event does
            await asyncio.sleep(0.01)


def _running(mark: str) -> list[str]:
    """The sleeps of this test that live anywhere on the machine."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", mark.encode()]:
            found.append(each.parent.name)
    return found


async def test_a_recipe_works_inside_with_the_programs_beside_this_python(sandbox: Sandbox, checkout: Path) -> None:
    (checkout / "a.py").write_text("x=1")
    agent = Command("tidy", CommandConfig(steps=(("ruff", "format", "--isolated", "."),)), sandbox)

    ready = await agent.ready()
    await agent.take_turn(turn_in(checkout), Notes(), nobody_asked)

    assert ready.is_usable, ready.missing
    assert (checkout / "a.py").read_text() == "x = 1\n"


async def test_a_program_that_is_not_inside_is_said(sandbox: Sandbox, checkout: Path) -> None:
    agent = Command("tidy", CommandConfig(steps=(("./absent.sh",),)), sandbox)

    with pytest.raises(AgentUnready, match="No such file"):
        await agent.take_turn(turn_in(checkout), Notes(), nobody_asked)
