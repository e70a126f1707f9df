"""Files that are made to burst the bot: it reads them for the model, in its own memory and beside its own loop."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from pathlib import Path

import pytest

from adapters.agents.model import Call
from adapters.agents.tools import FILE_BYTES, Tools
from adapters.sandbox import Unsandboxed
from core.model.work import Checkout, ProjectKey, RunId
from tests.adapters.agents.turns import nobody_asked

LINES = 4_000_000


def tools(folder: Path) -> Tools:
    checkout = Checkout(RunId("run"), ProjectKey("DEMO"), str(folder), "branch", "main", "0" * 40)
    return Tools(checkout, Unsandboxed(), lambda _event: None, nobody_asked)


async def read(folder: Path, **arguments: object) -> str:
    return (await tools(folder).use(Call("1", "read", json.dumps({"path": "file", **arguments})))).text


async def test_a_file_of_line_ends_takes_its_own_size_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"ab\n" * LINES)
    tracemalloc.start()
    try:
        shown = await read(tmp_path, from_line=LINES - 1, lines=1)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert shown == f"ab\n\n[lines {LINES - 1}-{LINES - 1} of {LINES}]"
    assert most < 4 * 3 * LINES


async def test_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"ab\n" * LINES)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    task = asyncio.create_task(beat())
    await read(tmp_path)
    task.cancel()

    assert beats > 3


@pytest.mark.parametrize(
    ("content", "arguments", "shown"),
    [
        (b"", {}, "(the file is empty)"),
        (b"a\nb\nc", {}, "a\nb\nc"),
        (b"a\nb\nc", {"from_line": 2}, "b\nc\n[lines 2-3 of 3]"),
        (b"a\nb\nc\n", {"from_line": 2, "lines": 1}, "b\n\n[lines 2-2 of 3]"),
        (b"a\nb\n", {"from_line": 9}, "\n[lines 9-8 of 2]"),
        (b"a\r\nb\r\n", {"lines": 1}, "a\r\n\n[lines 1-1 of 2]"),
        (b"a\nb\n", {"from_line": 1, "lines": 10**30}, "a\nb\n"),
        (b"a\nb\n", {"from_line": "1e300"}, f"\n[lines {int(1e300)}-{int(1e300) - 1} of 2]"),
    ],
)
async def test_which_lines_are_shown(tmp_path: Path, content: bytes, arguments: dict[str, object], shown: str) -> None:
    (tmp_path / "file").write_bytes(content)

    assert await read(tmp_path, **arguments) == shown


async def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 40)

    assert f"larger than {FILE_BYTES:,} bytes" in await read(tmp_path)
