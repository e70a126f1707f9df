"""The built-in loop against a language model server that we did not write: aimock, on all three APIs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from adapters.agents import AGENTS, AgentTools
from core.model.events import TurnResult
from tests.adapters.agents.turns import Notes, nobody_asked, turn_in
from tests.fakes.sandbox import PassThrough

ROOT = Path(__file__).parents[3]
SERVER = ROOT / ".ci/counterparts/node_modules/@copilotkit/aimock/dist/cli.js"
START_SECONDS = 20.0
PATHS = {"anthropic": "", "openai": "/v1", "ollama": ""}


CONTENT = "def add(a, b):\r\n    return a - b  # naïve 🤖 \u2028\u2029\x85"


def says(turn: int, prompt: str, **response: Any) -> dict[str, Any]:
    """What the model says after `turn` replies of its own to a talk that holds `prompt`."""
    return {"match": {"userMessage": prompt, "turnIndex": turn}, "response": response}


def use(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": json.dumps(arguments)}


FIXTURES = [
    says(0, "Mend", toolCalls=[use("edit", path="src/new.py", old="", new=CONTENT)]),
    says(1, "Mend", toolCalls=[use("edit", path="src/new.py", old="a - b", new="a + b")]),
    says(
        2,
        "Mend",
        toolCalls=[
            use("bash", command="wc -c < src/new.py"),
            use("read", path="calc.py"),
            use("bash", command="false"),
        ],
    ),
    says(3, "Mend", content="**Mended** it.", usage={"input_tokens": 40, "output_tokens": 4}),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of an aimock that answers by the fixtures above."""
    node = shutil.which("node")
    if node is None or not SERVER.exists():
        reason = "aimock is not installed: run `npm ci` in .ci/counterparts"
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    (tmp_path / "fixtures.json").write_text(json.dumps({"fixtures": FIXTURES}))
    port = _free_port()
    argv = [node, str(SERVER), "-p", str(port), "-f", str(tmp_path / "fixtures.json"), "--strict"]
    environment = {**os.environ, "AIMOCK_STRICT_TURN_INDEX": "1"}
    with Popen(argv, env=environment, stdout=DEVNULL, stderr=DEVNULL) as process:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, "aimock did not start"
            time.sleep(0.05)
        else:
            return


async def take(api: str, url: str, folder: Path, prompt: str, notes: Notes) -> TurnResult:
    key = {} if api == "ollama" else {"api_key": f"key-{uuid4()}"}
    entry = {"type": api, "model": "scripted", "base_url": url + PATHS[api], **key}
    kind = AGENTS[api]
    tools = AgentTools(PassThrough(), folder.parent / "sessions")
    agent = kind.build("sam", kind.config.model_validate(entry), tools)
    return await agent.take_turn(turn_in(folder, prompt), notes, nobody_asked)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("api", sorted(PATHS))
async def test_a_scripted_work_of_several_steps(api: str, server: str, checkout: Path) -> None:
    (checkout / "calc.py").write_text("x = 1\n")
    notes = Notes()

    result = await take(api, server, checkout, "Mend calc.py", notes)
    async with aiohttp.ClientSession() as session, session.get(f"{server}/__aimock/journal") as answer:
        journal = await answer.text()

    assert result.answer == "**Mended** it."
    assert notes.said == result.answer
    assert (checkout / "src/new.py").read_bytes() == CONTENT.replace("a - b", "a + b").encode()
    assert notes.titles == ["edit src/new.py", "edit src/new.py", "wc -c < src/new.py", "read calc.py", "false"]
    assert [each.ok for each in notes.ends] == [True, True, True, True, False]
    assert "[exit 1]" in journal
