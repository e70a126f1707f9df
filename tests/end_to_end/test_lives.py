"""Starting, stopping and starting again: one bot for one data folder, a drain that cuts nothing, PostgreSQL below."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import postgres_database
from tests.end_to_end.process import BotProcess
from tests.end_to_end.stage import ADA, Stage, stage, until_running
from tests.end_to_end.test_talk import link, post
from tests.fakes.llm import Use, Words
from tests.fakes.local_slack import free_port
from tests.fakes.telegram import Shown
from tests.repositories import files_on, has_branch


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


async def test_a_second_bot_on_the_same_data_refuses_to_start(scene: Stage) -> None:
    async with scene.bot("telegram") as first:
        second = BotProcess(scene.folder / "second", {**first.config, "http": {"port": free_port()}})
        await second.launch()
        code = await second.ended(20)

        assert code == 2
        assert "Traceback" not in second.log
        assert "another" in second.log.lower()
        scene.telegram.say(ADA, "/projects")
        await post(scene, "no project")


async def test_sigterm_during_a_run_drains_and_the_run_goes_on_after_the_next_start(scene: Stage) -> None:
    scene.llm.script([Use("edit", path="a.txt", old="", new="a"), Use("bash", command="sleep 60.125"), Words("Over.")])
    scene.more = {"limits": {"drain_seconds": 2}}
    bot = scene.bot("telegram")
    async with bot:
        await link(scene)
        scene.telegram.say(ADA, "Take your time")
        await until_running("sleep 60.125")
        assert await bot.stop() == 0
        await until_running("sleep 60.125", wanted=False)
        scene.llm.script([Words("Over, after all.")])
        scene.telegram.say(ADA, "/status")
        await bot.start()
        end = await post(scene, "Over, after all.")
        await post(scene, "Take your time · claude · RUNNING")

    assert end.text.startswith("✅")
    [pull] = scene.repo.pulls
    assert files_on(scene.bare, pull["head"]["ref"])["a.txt"] == b"a"


async def test_the_whole_way_on_postgresql_killed_once(scene: Stage) -> None:
    async with postgres_database() as url:
        scene.more = {"database_url": url}
        scene.llm.script([Use("edit", path="a.txt", old="", new="a"), Use("bash", command="sleep 60.25")])
        bot = scene.bot("telegram")
        async with bot:
            await link(scene)
            scene.telegram.say(ADA, "/create_task DEMO Write a.txt")
            await post(scene, "DEMO-1")
            scene.telegram.say(ADA, "/execute DEMO-1 claude")
            await until_running("sleep 60.25")
            await bot.kill()
            scene.llm.script([Words("Written.")])
            await bot.start()
            await until_running("sleep 60.25", wanted=False)
            end = await post(scene, "Written.")

    assert scene.repo.pulls[0]["html_url"]
    assert end.kind == "new"
    assert files_on(scene.bare, "task/DEMO-1")["a.txt"] == b"a"
    assert not list(bot.data.glob("*.db"))


ONCE = "echo kept > kept.txt; test -f again || { touch again; sleep 60.375; }; rm again"


async def cut(scene: Stage, bot: BotProcess) -> Shown:
    """A run of something that must not simply be repeated, killed in the middle and started again."""
    await link(scene)
    scene.telegram.say(ADA, "/create_task DEMO Do it once")
    await post(scene, "DEMO-1")
    scene.telegram.say(ADA, "/execute DEMO-1 once")
    await until_running("sleep 60.375")
    await bot.restart()
    await until_running("sleep 60.375", wanted=False)
    return await post(scene, "was cut")


async def test_a_cut_run_is_told_shown_and_taken_up_by_a_press(scene: Stage) -> None:
    scene.agents["once"] = {"type": "command", "steps": [["sh", "-c", ONCE]]}
    async with scene.bot("telegram") as bot:
        told = await cut(scene, bot)
        scene.telegram.press(ADA, scene.telegram.button(ADA, "Show diff"))
        await post(scene, "+kept")
        scene.telegram.press(ADA, scene.telegram.button(ADA, "Resume"))
        end = await post(scene, "✅")

    assert {"Resume", "Discard", "Show diff"} <= {key["text"] for row in told.buttons for key in row}
    assert "#1" in end.text
    assert files_on(scene.bare, "task/DEMO-1")["kept.txt"] == b"kept\n"


async def test_a_cut_run_is_discarded_by_a_press_and_the_thread_is_free(scene: Stage) -> None:
    scene.agents["once"] = {"type": "command", "steps": [["sh", "-c", ONCE]]}
    scene.llm.script([Words("At your service.")])
    async with scene.bot("telegram") as bot:
        await cut(scene, bot)
        scene.telegram.press(ADA, scene.telegram.button(ADA, "Discard"))
        await post(scene, "Discarded")
        scene.telegram.say(ADA, "/link DEMO claude")
        await post(scene, "agent claude")
        scene.telegram.say(ADA, "Are you free?")
        await post(scene, "At your service.")

    assert scene.repo.pulls == []
    assert not has_branch(scene.bare, "task/DEMO-1")
