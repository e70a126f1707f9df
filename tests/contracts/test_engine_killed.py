"""kill -9 around the steps of a flow on SQLite, then a start: what was kept is not done again, the rest is."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WHOLE = ["a-begins", "a-called", "a-kept", "b-begins", "b-called", "b-kept", "got-signal", "c-begins", "c-called"]
"""What a flow that is never killed does, in order."""


async def process(data: Path, pause: str = "") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.contracts.killed_flow",
        str(data),
        pause,
        cwd=ROOT,
        start_new_session=True,
        stdout=asyncio.subprocess.DEVNULL,
    )


async def told(data: Path) -> list[str]:
    log = data / "log"
    return await asyncio.to_thread(lambda: log.read_text().split() if log.exists() else [])


async def killed_at(data: Path, *words: str, pause: str) -> None:
    child = await process(data, pause)
    try:
        async with asyncio.timeout(30):
            while not set(words) <= set(await told(data)):
                assert child.returncode is None, "it ended before it was killed"
                await asyncio.sleep(0.02)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


async def went_on(data: Path) -> list[str]:
    """What the second process does, without what tells of the process alone."""
    before = len(await told(data))
    child = await process(data)
    try:
        async with asyncio.timeout(30):
            assert await child.wait() == 0
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    return [each for each in (await told(data))[before:] if each != "signalled"]


@pytest.mark.parametrize(
    ("pause", "resumes_at"),
    [
        ("a-begins", "a-begins"),
        ("a-called", "a-begins"),
        ("a-kept", "a-kept"),
        ("b-begins", "a-kept"),
        ("b-called", "a-kept"),
        ("b-kept", "a-kept"),
        ("got-signal", "a-kept"),
        ("c-begins", "a-kept"),
    ],
)
async def test_a_killed_flow_goes_on_from_its_last_step(tmp_path: Path, pause: str, resumes_at: str) -> None:
    await killed_at(tmp_path, pause, "signalled", pause=pause)
    again = await went_on(tmp_path)

    kept = WHOLE[: WHOLE.index(pause) + 1]
    not_repeated = {f"{step}-{act}" for step in "ab" for act in ("begins", "called") if f"{step}-kept" in kept}
    assert again == [*[each for each in WHOLE[WHOLE.index(resumes_at) :] if each not in not_repeated], "done"]


async def test_a_flow_that_was_killed_while_it_waited_still_waits(tmp_path: Path) -> None:
    await killed_at(tmp_path, "waiting", pause="waiting")

    assert await went_on(tmp_path) == ["a-kept", "b-kept", "got-signal", "c-begins", "c-called", "done"]
