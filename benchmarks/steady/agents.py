"""A model that talks while it thinks: agents that each tell some forty pieces a second, edit files and run things."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

from tests.fakes.llm import Entry, FakeLLM, Reply, Request, ToolUse, Use, Words

PIECE_SECONDS = 0.025
THOUGHT = "I look at the code, `line by line`, and see what **must** change; then I change it.\n" * 20
BIG = "".join(
    f"def function_{number}(value: int) -> int:\n    return value * {number}\n\n\n" for number in range(1_500)
)
"""About 100 kB, as a generated file is."""
OUTPUT = "seq 1 150000; ls -la"
"""About a megabyte."""
ANSWER = "**Done.**\n\n" + "".join(f"- `function_{number}` returns {number} times its value\n" for number in range(120))
ASKED = re.compile(r"Change (n\d+)")


async def paced(inner: AsyncIterator[str], pause: float) -> AsyncIterator[str]:
    async for each in inner:
        yield each
        if "delta" in each:
            await asyncio.sleep(pause)


def make_talkative(llm: FakeLLM, pause: float = PIECE_SECONDS) -> None:
    """Its words come piece by piece, `pause` seconds apart."""
    plain = llm._anthropic_chunks  # noqa: SLF001 - ours as well

    def chunks(reply: Reply) -> AsyncIterator[str]:
        return paced(plain(reply), pause) if reply.text else plain(reply)

    llm._anthropic_chunks = chunks  # type: ignore[method-assign] # noqa: SLF001
    llm.always = work


def work(asked: Request) -> Entry:
    talk = json.dumps(asked.body["messages"])
    found = [*ASKED.finditer(talk)]
    if not found:
        return Words("There is nothing to do.")
    name, taken = found[-1][1], talk[found[-1].end() :].count('"tool_result"')
    steps: tuple[Entry, ...] = (
        Reply(THOUGHT, (ToolUse("read", {"path": "calc.py"}), ToolUse("plan", {"items": [{"text": name}]}))),
        Use("edit", path=f"{name}.py", old="", new=BIG),
        Reply(THOUGHT, (ToolUse("bash", {"command": OUTPUT}),)),
        Use("edit", path=f"{name}.py", old="return value * 7\n", new="return 7 * value\n"),
        Reply(THOUGHT, (ToolUse("bash", {"command": "git status --short; sleep 1"}),)),
        Words(ANSWER),
    )
    return steps[min(max(taken - 1, 0) if taken else 0, len(steps) - 1)]
