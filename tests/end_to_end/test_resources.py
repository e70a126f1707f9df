"""When what lies below fails, nothing is acknowledged, it says so, and it goes on by itself when that is mended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.end_to_end.faulty import breakable_fsync, limit_files, own_postgres, small_disk
from tests.end_to_end.process import BotProcess
from tests.end_to_end.stage import ADA, OWNER, ROOM, Stage, stage
from tests.end_to_end.test_talk import post

SOON = 60.0
"""Seconds; a bound for what takes one or two."""


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


async def until(claim: Callable[[], Awaitable[Any]]) -> Any:
    """What it gives, once that is truthy."""
    async with asyncio.timeout(SOON):
        while not (found := await claim()):  # noqa: ASYNC110 - another process rings no bell
            await asyncio.sleep(0.05)
    return found


async def readiness(scene: Stage) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{scene.port}/readyz") as answer:
        return answer.status, json.loads(await answer.text())


async def until_ready(scene: Stage, status: int) -> dict[str, Any]:
    async def is_so() -> dict[str, Any] | None:
        seen, parts = await readiness(scene)
        return parts if seen == status else None

    found = await until(is_so)
    assert isinstance(found, dict)
    return found


async def answered(scene: Stage, status: int) -> bool:
    return status in scene.slack.answers


async def asked(scene: Stage, text: str, *words: str) -> str:
    before = len(scene.telegram.posts)
    scene.telegram.say(ADA, text)
    return (await post(scene, *words, after=before)).text


async def takes_nothing(scene: Stage, text: str) -> int:
    """It is said, polled for again and again, and never acknowledged; the id of the update."""
    telegram = scene.telegram
    telegram.say(ADA, text)
    update = int(telegram.updates[-1]["update_id"])
    polls = len(telegram.called("getUpdates"))
    await telegram.wait_for(lambda: len(telegram.called("getUpdates")) > polls + 3, SOON)
    assert update not in telegram.acknowledged
    return update


async def breaks_and_mends(
    scene: Stage, bot: BotProcess, break_: Callable[[], object], mend: Callable[[], object]
) -> None:
    """What is said meanwhile is answered afterwards, and the owner reads what happened."""
    telegram = scene.telegram
    await asked(scene, "/projects", "no project")
    await until_ready(scene, 200)
    break_()
    down = await until_ready(scene, 503)
    before = len(telegram.posts)
    update = await takes_nothing(scene, "/agents")
    await asyncio.to_thread(mend)
    await until_ready(scene, 200)
    await post(scene, "claude", "built-in loop", after=before)
    await telegram.wait_for(lambda: update in telegram.acknowledged, SOON)
    await post(scene, "🔔", "nothing that is said is taken")
    await post(scene, "🔔", "takes writes again")
    await asked(scene, "/status", "running")

    assert down["database"] is False
    assert bot.log.count("store.down") == bot.log.count("store.back") == 1


async def test_a_disk_that_is_full(scene: Stage) -> None:
    bot = scene.bot("telegram", "slack", slack_mode="http")
    with small_disk(bot.data) as disk:
        async with bot:
            await breaks_and_mends(scene, bot, disk.fill, disk.empty)
            disk.fill()
            await until_ready(scene, 503)
            refused = asyncio.create_task(scene.slack.say(ROOM, OWNER, "projects", times=1))
            assert await until(lambda: answered(scene, 503))
            assert 200 not in scene.slack.answers
            refused.cancel()
            await asyncio.gather(refused, return_exceptions=True)
            disk.empty()
            await until_ready(scene, 200)
            await scene.slack.say(ROOM, OWNER, "help")
            assert await until(lambda: answered(scene, 200))


async def test_a_disk_that_cannot_keep(scene: Stage) -> None:
    fsync = breakable_fsync(scene.folder)
    bot = scene.bot("telegram")
    bot.environment |= fsync.environment
    async with bot:
        await breaks_and_mends(scene, bot, fsync.break_, fsync.mend)
        fsync.break_()
        await until_ready(scene, 503)
        before = len(scene.telegram.posts)
        await takes_nothing(scene, "/help")
        await bot.kill()
        fsync.mend()
        await bot.start()
        await post(scene, "/execute", after=before)
        await until_ready(scene, 200)


async def test_a_database_server_that_goes_and_comes_back(scene: Stage) -> None:
    with own_postgres() as server:
        scene.more["database_url"] = server.url
        bot = scene.bot("telegram")
        async with bot:
            await breaks_and_mends(scene, bot, server.stop, server.start)
            scene.llm.script([])
            await asked(scene, "/create_project DEMO Demo", "linked")


async def test_no_files_are_left_to_open(scene: Stage) -> None:
    bot = scene.bot("telegram")
    async with bot:
        await asked(scene, "/projects", "no project")
        limit_files(bot.pid, None)
        await scene.telegram.stop()
        scene.telegram.say(ADA, "/agents")
        await asyncio.sleep(0)
        await scene.telegram.start(scene.telegram.port)
        limit_files(bot.pid, 1024)
        await post(scene, "claude", "built-in loop")
        await until_ready(scene, 200)


@pytest.mark.parametrize("is_silent", [False, True], ids=["refuses", "accepts and never answers"])
async def test_a_network_that_is_parted(scene: Stage, *, is_silent: bool) -> None:
    telegram, bot = scene.telegram, scene.bot("telegram")
    async with bot:
        await asked(scene, "/projects", "no project")
        await until_ready(scene, 200)
        port = telegram.port
        await telegram.stop()
        telegram.say(ADA, "/agents")
        update = telegram.updates[-1]["update_id"]
        if is_silent:
            await nobody_answers(port)
        else:
            lost = await until_ready(scene, 503)
            assert lost["platforms"] == {"telegram": False}
            assert lost["circuits"]["telegram"] in {"open", "half_open"}
            assert lost["database"] is True
        assert update not in telegram.acknowledged
        await telegram.start(port)
        await post(scene, "claude", "built-in loop")
        await until_ready(scene, 200)

    assert bot.log.count("circuit.opened") == bot.log.count("circuit.closed") == (0 if is_silent else 1)
    assert bot.log.count("telegram.poll.back") == 1


async def nobody_answers(port: int) -> None:
    """Somebody connects, asks, and waits for nothing; then the line is cut."""
    asks: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asks.put(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", port)
    async with asyncio.timeout(SOON):
        first = await asks.get()
    server.close()
    first.transport.abort()
