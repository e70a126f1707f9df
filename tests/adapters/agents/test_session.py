"""The memory of the built-in loop: it outlives the process, and never holds a call without its result."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.agents import session as sessions
from adapters.agents.loop import STOPPED
from core.model.errors import AgentError
from core.model.events import SessionNamed
from tests.adapters.agents.conftest import Looping
from tests.adapters.agents.turns import is_alive, pid_in
from tests.fakes.llm import Reply, ToolUse, Use, Words


async def test_the_next_turn_remembers(looping: Looping) -> None:
    looping.llm.script([Use("bash", command="echo first"), Words("One."), Words("Two.")])
    first = await looping.take(looping.turn("begin"))

    second = await looping.take(looping.turn("and on", session=first.session))

    assert second.session == first.session
    body = json.dumps(looping.llm.requests[-1].body)
    assert all(each in body for each in ("begin", "echo first", "One.", "and on"))


async def test_the_session_is_named_before_anything_else_and_after_the_run(looping: Looping) -> None:
    looping.llm.script([Words("One.")])
    turn = looping.turn()

    result = await looping.take(turn)

    assert looping.notes.events[0] == SessionNamed(turn.run)
    assert result.session == turn.run


async def test_a_stop_in_a_command_closes_every_call(looping: Looping) -> None:
    looping.llm.script(
        [
            Reply(
                uses=(
                    ToolUse("bash", {"command": "echo done already"}),
                    ToolUse("bash", {"command": "echo $$ > pid; sleep 600"}),
                    ToolUse("bash", {"command": "echo never"}),
                )
            ),
        ]
    )
    turn = looping.turn("work")
    working = asyncio.create_task(looping.take(turn))
    pid = await pid_in(looping.folder / "pid")

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert not is_alive(pid)
    looping.llm.script([Words("I go on.")])
    await looping.take(looping.turn("go on", session=turn.run))
    body = json.dumps(looping.llm.requests[-1].body)
    assert "done already" in body
    assert body.count(STOPPED) == 2
    assert looping.prompt() == "go on"


@pytest.mark.parametrize("killed_in", ["tool", "reply"])
async def test_after_kill_9_the_turn_goes_on_instead_of_beginning_again(looping: Looping, killed_in: str) -> None:
    run = str(uuid4())
    if killed_in == "tool":
        looping.llm.script([Use("bash", command="echo $$ > pid; sleep 600"), Words("I went on.")])
    else:
        looping.llm.script([Use("bash", command="echo $$ > pid"), Words("lost"), Words("I went on.")])
        looping.llm.delay = 0.3
    child = await asyncio.to_thread(_start, looping, run)
    try:
        pid = await pid_in(looping.folder / "pid")
        async with asyncio.timeout(10):
            while killed_in == "reply" and len(looping.llm.requests) < 2:  # noqa: ASYNC110 - the fake has no event for it
                await asyncio.sleep(0.01)
    finally:
        child.kill()
        await asyncio.to_thread(child.wait)
    _end(pid)
    looping.llm.delay = 0.0

    result = await looping.take(looping.turn("Do the work.", is_retry=True, run=run))

    assert result.answer == "I went on."
    assert "interrupted" in looping.prompt()
    assert "Do the work." in looping.prompt()
    assert "echo $$ > pid" in json.dumps(looping.llm.requests[-1].body)
    assert ("cut when the program stopped" in looping.results()[0]) is (killed_in == "tool")


def _start(looping: Looping, run: str) -> subprocess.Popen[bytes]:
    """The same turn in a process of its own."""
    facts: dict[str, Any] = {
        "api": looping.api,
        "base": looping.base_url,
        "folder": str(looping.folder),
        "sessions": str(looping.sessions),
        "run": run,
    }
    return subprocess.Popen([sys.executable, "-c", _PROGRAM, json.dumps(facts)], start_new_session=True)


def _end(pid: int) -> None:
    """Without a sandbox the command outlives a program that was killed."""
    if is_alive(pid):
        os.killpg(pid, signal.SIGKILL)


_PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from adapters.agents import AGENTS, AgentTools
from core.model.events import TurnAsk
from core.model.work import Checkout
from tests.adapters.agents.turns import nobody_asked
from tests.fakes.sandbox import PassThrough
facts = json.loads(sys.argv[1])
kind = AGENTS[facts["api"]]
key = {} if facts["api"] == "ollama" else {"api_key": "any"}
config = kind.config.model_validate({"type": facts["api"], "model": "scripted", "base_url": facts["base"], **key})
agent = kind.build("sam", config, AgentTools(PassThrough(), Path(facts["sessions"])))
checkout = Checkout(facts["run"], "DEMO", facts["folder"], "b", "main", "0" * 40)
turn = TurnAsk(facts["run"], "Do the work.", checkout)
asyncio.run(agent.take_turn(turn, lambda event: None, nobody_asked))
"""


async def test_a_retry_that_never_began_is_told_the_whole_prompt(looping: Looping) -> None:
    looping.llm.script([Words("Done.")])

    await looping.take(looping.turn("Do the work.", is_retry=True))

    assert "Do the work." in looping.prompt()


async def test_a_memory_that_is_gone_is_said_to_the_model(looping: Looping) -> None:
    looping.llm.script([Words("Done.")])

    result = await looping.take(looping.turn("go on", session="an-older-one"))

    assert result.session == "an-older-one"
    assert "is lost" in looping.prompt()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"history.v1": 7}', b'{"history.v1": [{}]}', b"\xff\xfe"])
async def test_a_memory_that_is_broken_is_put_aside(looping: Looping, content: bytes) -> None:
    looping.sessions.mkdir()
    (looping.sessions / "old.json").write_bytes(content)
    looping.llm.script([Words("Done.")])

    result = await looping.take(looping.turn("go on", session="old"))

    assert result.answer == "Done."
    assert (looping.sessions / "old.broken").read_bytes() == content


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "x" * 200, "a b"])
async def test_a_session_is_no_path(looping: Looping, name: str) -> None:
    with pytest.raises(AgentError, match="no session"):
        await looping.take(looping.turn(session=name))


async def test_a_disk_that_refuses_is_said(looping: Looping) -> None:
    looping.sessions.write_text("a file where the folder should be")

    with pytest.raises(AgentError, match="memory could not be"):
        await looping.take()


async def test_only_the_owner_may_read_it(looping: Looping) -> None:
    looping.llm.script([Words("Done.")])

    result = await looping.take()

    assert looping.sessions.stat().st_mode & 0o077 == 0
    assert [each.name for each in looping.sessions.iterdir()] == [f"{result.session}.json"]


async def test_a_broken_write_leaves_the_older_memory(tmp_path: Path) -> None:
    session = await sessions.open_session(tmp_path, "run", "")
    session.say("kept")
    await session.save()
    (tmp_path / "run.new").write_text("half of a wri")

    again = await sessions.open_session(tmp_path, "other", "run")

    assert [each.text for each in again.history] == ["kept"]


async def test_a_disk_that_fills_up_between_is_said(looping: Looping) -> None:
    looping.llm.script([Use("bash", command=f"rm -r {looping.sessions} && touch {looping.sessions}")])

    with pytest.raises(AgentError, match="memory could not be"):
        await looping.take()
