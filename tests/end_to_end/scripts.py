"""What the scripted model does in these tests: several steps, with bytes that are easily spoilt on the way."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import aiohttp
import pytest

from tests.fakes.llm import FakeLLM, Reply, Scripted, ToolUse, Use, Words
from tests.fakes.local_slack import free_port

AIMOCK = Path(__file__).parents[2] / ".ci/counterparts/node_modules/@copilotkit/aimock/dist/cli.js"
PATHS = {"anthropic": "", "openai": "/v1", "ollama": ""}

ODD = 'def login(name):\r\n\treturn "naïve 🤖" + \'quotes\' + `x` + "\\\\n" # ${HOME} $(id)\r\n\u2028\x7f no end'
"""Both kinds of line ends, tabs, quotes, what a shell would expand, a line separator, no newline at the end."""
BEGUN: dict[str, str | bytes] = {
    "calc.py": b"def add(a, b):\r\n    return a - b\r\n",
    "notes.md": "# Notes\n\n\tkept as it is — naïve",
}
ASKED = "Implement login feature"
ANSWER = "**Done**: `login` is there."
BASH = "printf 'tab\\there\\n' > 'odd name é.txt' && chmod +x calc.py && wc -c src/login.py"

MADE = {
    "calc.py": b"def add(a, b):\r\n    return a + b\r\n",
    "notes.md": str(BEGUN["notes.md"]).encode(),
    "src/login.py": ODD.encode(),
    "odd name é.txt": b"tab\there\n",
}
"""What the branch holds when the script is over."""


def steps() -> list[Scripted]:
    return [
        Reply("Looking.", (ToolUse("read", {"path": "calc.py"}), ToolUse("bash", {"command": "ls"}))),
        Use("plan", entries=[{"text": "login", "done": False}]),
        Use("edit", path="src/login.py", old="", new=ODD),
        Use("edit", path="calc.py", old="return a - b\r\n", new="return a + b\r\n"),
        Use("bash", command=BASH),
        Words(ANSWER),
    ]


def script(llm: FakeLLM) -> None:
    llm.script(steps())


@asynccontextmanager
async def aimock(folder: Path) -> AsyncIterator[str]:
    """The same script, told by a server that someone else wrote; its address."""
    node = shutil.which("node")
    if node is None or not AIMOCK.exists():
        reason = "aimock is not installed: run `npm ci` in .ci/counterparts"
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    fixtures = [_fixture(turn, entry) for turn, entry in enumerate(steps())]
    (folder / "fixtures.json").write_text(json.dumps({"fixtures": fixtures}))
    port = free_port()
    argv = [node, str(AIMOCK), "-p", str(port), "-f", str(folder / "fixtures.json"), "--strict"]
    environment = {**os.environ, "AIMOCK_STRICT_TURN_INDEX": "1"}
    process = await asyncio.create_subprocess_exec(*argv, env=environment, stdout=DEVNULL, stderr=DEVNULL)
    try:
        await _answering(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def _fixture(turn: int, entry: Scripted) -> dict[str, Any]:
    assert isinstance(entry, Reply)
    calls = [{"name": each.name, "arguments": json.dumps(each.arguments)} for each in entry.uses]
    response = {"toolCalls": calls} if calls else {"content": entry.text}
    return {"match": {"userMessage": ASKED, "turnIndex": turn}, "response": response}


async def _answering(url: str) -> None:
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
