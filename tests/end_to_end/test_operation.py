"""A real bot, watched from outside: it tells how it is, and its backup, taken in a run, goes on with that run."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.process import KEPT, ROOT, BotProcess
from tests.end_to_end.stage import ADA, Stage, stage, until_running
from tests.end_to_end.test_talk import link, post
from tests.fakes.llm import Use, Words
from tests.repositories import files_on

CLI_SECONDS = 30.0


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


async def told(scene: Stage, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{scene.port}{path}") as answer:
        return answer.status, await answer.text()


async def patchbay(folder: Path, *words: str) -> tuple[int, str]:
    """As a person gives it beside the bot: exit code, and what was said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", *words),
        cwd=folder,
        env={**{name: value for name, value in os.environ.items() if name.startswith(KEPT)}, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(CLI_SECONDS):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_a_bot_that_works_says_so_and_tells_what_it_did(scene: Stage) -> None:
    scene.llm.script([Words("Nothing to do.")])
    async with scene.bot("telegram", "slack"):
        await link(scene)
        scene.telegram.say(ADA, "Look around")
        await post(scene, "Nothing to do.")
        ready, parts = await told(scene, "/readyz")
        status, numbers = await told(scene, "/metrics")

    assert (ready, status) == (200, 200)
    assert '"platforms": {"telegram": true, "slack": true}' in parts
    assert 'patchbay_deliveries_taken_total{platform="telegram"}' in numbers
    assert 'patchbay_posts_total{outcome="sent",platform="telegram"}' in numbers
    assert 'patchbay_turn_seconds_count{agent="claude",outcome="done"} 1.0' in numbers
    assert 'patchbay_tokens_total{agent="claude",direction="in"}' in numbers
    assert "process_resident_memory_bytes" in numbers


async def test_a_backup_from_the_middle_of_a_run_goes_on_with_it_elsewhere(scene: Stage) -> None:
    scene.llm.script([Use("edit", path="a.txt", old="", new="a"), Use("bash", command="sleep 60.375")])
    bot = scene.bot("telegram")
    file = scene.folder / "b.tar.gz"
    async with bot:
        await link(scene)
        scene.telegram.say(ADA, "/create_task DEMO Write a.txt")
        await post(scene, "DEMO-1")
        scene.telegram.say(ADA, "/execute DEMO-1 claude")
        await until_running("sleep 60.375")
        busy, refused = await patchbay(bot.folder, "inbox", "list", "--config", str(bot.path))
        made, said = await patchbay(bot.folder, "backup", str(file), "--config", str(bot.path))
        await bot.kill()
    await until_running("sleep 60.375", wanted=False)
    new = BotProcess(scene.folder / "elsewhere", bot.config | {"data": str(scene.folder / "elsewhere" / "data")})
    back, restored = await patchbay(scene.folder, "restore", str(file), "--data", str(new.data))
    scene.llm.script([Use("edit", path="a.txt", old="", new="again"), Words("Written.")])
    async with new:
        await post(scene, "Written.")

    assert (busy, made, back) == (2, 0, 0), (refused, said, restored)
    assert "stop the bot" in refused
    [pull] = scene.repo.pulls
    assert files_on(scene.bare, pull["head"]["ref"])["a.txt"] == b"again"
