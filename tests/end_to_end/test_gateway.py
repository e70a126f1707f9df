"""A real bot with its models behind the gateway: what they cost is counted over kills, and a budget holds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from tests.end_to_end.stage import ADA, Stage, stage
from tests.end_to_end.test_talk import link, post
from tests.fakes.llm import Fault, Use, Words

ASK = """
import json, os, urllib.request
body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "What?"}]}).encode()
headers = {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, headers)
print("the model said:", "It is d" in urllib.request.urlopen(request, timeout=30).read().decode())
print("environment:", sorted(os.environ.values()))
"""


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


def spent(scene: Stage) -> list[tuple[int, int, int, int]]:
    """Tokens in and out, calls, and how many of them are estimated."""
    with closing(sqlite3.connect(scene.folder / "bot" / "data" / "patchbay.db")) as database:
        rows = database.execute("SELECT input_tokens, output_tokens, calls, estimated FROM spend").fetchall()
    return [tuple(row) for row in rows]


async def test_a_budget_stops_a_run_over_a_kill_until_an_owner_allows_more(scene: Stage) -> None:
    """Each reply takes 110 tokens: the third is not asked for."""
    scene.more = {"budgets": {"run": {"tokens": 150}}}
    scene.llm.script([Use("bash", command="echo one"), Use("edit", path="a.txt", old="", new="a")])
    async with scene.bot("telegram") as bot:
        await link(scene)
        scene.telegram.say(ADA, "Write a.txt")
        card = await post(scene, "Shall it go on?")
        asked = len(scene.llm.requests)
        await bot.kill()
        await bot.start()
        scene.llm.script([Words("Written.")])
        scene.telegram.press(ADA, scene.telegram.button(ADA, "Allow 145 tokens more"))
        await post(scene, "Written.")
        scene.telegram.say(ADA, "/budget")
        told = await post(scene, "What models cost")

    assert asked == 2
    assert "220 of 150 tokens" in card.text
    assert "This chat, today" in told.text
    assert "330 tokens" in told.text
    assert len(scene.llm.requests) == 3


async def test_a_call_that_a_kill_cut_is_counted_once_and_as_an_estimate(scene: Stage) -> None:
    async with scene.bot("telegram") as bot:
        await link(scene)
        scene.llm.script([Use("bash", command="echo one"), Fault.HANG])
        scene.telegram.say(ADA, "Do it")
        async with asyncio.timeout(60):
            while len(scene.llm.requests) < 2:  # noqa: ASYNC110 - the model tells nobody
                await asyncio.sleep(0.01)
        await bot.kill()
        scene.llm.script([Words("Done, after all.")])
        await bot.start()
        await post(scene, "Done, after all.")

    found = spent(scene)
    assert (sum(row[2] for row in found), sum(row[3] for row in found)) == (3, 1)


async def test_a_program_of_a_recipe_reaches_its_model_and_never_the_key(scene: Stage) -> None:
    key = f"key-{uuid4()}"
    scene.more = {
        "gateway": {"upstreams": {"lab": {"type": "openai", "base_url": scene.llm.openai_base, "api_key": key}}}
    }
    scene.agents = {"guest": {"type": "command", "steps": [["python3", "-c", ASK]], "models": ["lab"]}}
    scene.llm.always = Words("It is done.")
    async with scene.bot("telegram"):
        await link(scene)
        scene.telegram.say(ADA, "/settings agent guest")
        await post(scene, "Settings of this chat")
        scene.telegram.say(ADA, "ask it")
        told = await post(scene, "the model said: True")

    assert key not in told.text
    assert key in str(scene.llm.requests[0].headers)
    assert [row[2:] for row in spent(scene)] == [(1, 0)]
