"""Runs that wait in a real bot: for a usage cap to reset, and because they took the bot down again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.end_to_end.stage import ADA, Stage, stage, until_running
from tests.end_to_end.test_talk import link, post
from tests.fakes.llm import Status, Use, Words
from tests.repositories import files_on


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


async def test_a_run_at_a_usage_cap_is_parked_over_a_kill_and_goes_on_in_its_session(scene: Stage) -> None:
    scene.llm.script([Use("edit", path="a.txt", old="", new="a"), Status(429, retry_after="7200")])
    async with scene.bot("telegram") as bot:
        await link(scene)
        scene.telegram.say(ADA, "Write a.txt")
        card = await post(scene, "The cap resets at")
        await bot.restart()
        scene.telegram.say(ADA, "And tell me about it")
        await post(scene, "usage cap is reached. It gets this")
        asked = len(scene.llm.requests)
        scene.llm.script([Words("Written."), Words("It holds an a.")])
        scene.telegram.press(ADA, scene.telegram.button(ADA, "Resume now"))
        await post(scene, "Written.")
        end = await post(scene, "It holds an a.")

    assert "usage cap is reached" in card.text
    assert "then I go on by myself" in card.text
    assert {"Resume now", "⏹ Stop"} == {key["text"] for row in card.buttons for key in row}
    again = scene.llm.requests[asked]
    assert "You were interrupted" in again.last_words
    assert "a.txt" in str(again.body["messages"])
    assert "✅" in end.text
    assert files_on(scene.bare, scene.repo.pulls[0]["head"]["ref"])["a.txt"] == b"a"


async def test_a_run_that_three_kills_cut_is_not_taken_up_a_fourth_time(scene: Stage) -> None:
    async with scene.bot("telegram") as bot:
        await link(scene)
        scene.llm.always = Use("bash", command="sleep 60.4375")
        scene.telegram.say(ADA, "Take me down")
        for _ in range(3):
            await until_running("sleep 60.4375")
            await bot.kill()
            await until_running("sleep 60.4375", wanted=False)
            asked = len(scene.llm.requests)
            await bot.start()
        card = await post(scene, "was cut by 3 restarts")
        await post(scene, "is not taken up again by itself")
        assert len(scene.llm.requests) == asked
        scene.llm.always = Words("Over, after all.")
        scene.telegram.press(ADA, scene.telegram.button(ADA, "Resume"))
        await post(scene, "Over, after all.")

    assert {"Resume", "Discard", "Show diff"} == {key["text"] for row in card.buttons for key in row}
