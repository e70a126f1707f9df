"""What GitHub tells by webhook reaches the thread once, also when the bot is killed right after it has said yes."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from tests.end_to_end.stage import ADA, OWNER, REPO, ROOM, Stage, stage
from tests.fakes.llm import Use, Words

SECONDS = 60.0
MERGED = "is merged into"


async def tell(scene: Stage, secret: str) -> int:
    """GitHub says that its first pull request was merged, under a new id each time."""
    repo = {"full_name": REPO}
    news = {"action": "closed", "pull_request": {"number": 1}, "repository": repo, "sender": {"login": "grace"}}
    body = json.dumps(news).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": f"sha256={signature}",
        "Content-Type": "application/json",
    }
    url = f"http://127.0.0.1:{scene.port}/github/webhook"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status


async def say(scene: Stage, platform: str, command: str) -> None:
    if platform == "telegram":
        scene.telegram.say(ADA, f"/{command}", sender=ADA)
    else:
        await scene.slack.say(ROOM, OWNER, command)


def said(scene: Stage, platform: str, words: str) -> list[str]:
    posts = scene.telegram.posts if platform == "telegram" else scene.slack.posts
    return [each.text for each in posts if words in each.text]


async def until(scene: Stage, platform: str, words: str) -> None:
    server = scene.telegram if platform == "telegram" else scene.slack
    await server.wait_for(lambda: said(scene, platform, words), SECONDS)


@pytest.mark.parametrize("platform", ["telegram", "slack"])
async def test_a_merge_on_github_is_told_once_over_a_kill(tmp_path: Path, platform: str) -> None:
    async with stage(tmp_path) as scene:
        secret = uuid4().hex
        scene.llm.script([Use("edit", path="one.txt", old="", new="one"), Words("One is there.")])
        bot = scene.bot(platform)
        bot.config["github"] = {**bot.config["github"], "webhook_secret": secret}
        async with bot:
            for words, answer in (
                (f"create_project DEMO Demo {REPO}", "linked to it"),
                ("create_task DEMO Mend it", "has it done"),
                ("execute DEMO-1", "One is there."),
            ):
                await say(scene, platform, words)
                await until(scene, platform, answer)
            scene.repo.pulls[0].update(state="closed", merged=True, merged_at="2026-11-20T12:00:00Z")

            assert await tell(scene, uuid4().hex) == 401
            first = await tell(scene, secret)
            await bot.kill()
            await bot.start()
            again = [await tell(scene, secret) for _ in range(3)]

            assert (first, again) == (202, [202] * 3)
            await until(scene, platform, MERGED)
            assert await bot.stop() == 0
        words, *more = said(scene, platform, MERGED)
        assert "by grace. DEMO-1 is done." in words
        # One that the kill met on its way to Telegram comes again, and says so.
        assert len(more) <= (platform == "telegram")
        assert all("♻️" in each for each in more)
