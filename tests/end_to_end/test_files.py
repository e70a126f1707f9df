"""A long answer on the platforms as they are: its beginning and the whole, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.model.chat import Button, File, Post, PostKey, ThreadRef
from core.ports import ChatPlatform, Clock
from core.posts import Posts
from tests.answers import ANSWERS
from tests.contracts.benches import CHAT, build
from tests.databases import sqlite_store
from tests.fakes import slack as slack_fake
from tests.fakes import telegram as telegram_fake
from tests.fakes.clock import FakeClock
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram

ANSWER = "\n\n".join(ANSWERS * 3).strip()
POST = Post(
    "✅ **Mend it**",
    ((Button("Show diff", "/diff w1"),),),
    file=File("answer.md", ANSWER),
    below="**2 files changed** (+3 -1) on `task/DEMO-1`\n\nPull request: [#3](https://example.org/3)",
)
COMPLETE = "files.completeUploadExternal"
SECONDS = 30.0


class Running:
    """An outbox at work over one platform. The clock is moved until what is claimed holds."""

    def __init__(self, posts: Posts, clock: FakeClock, thread: ThreadRef) -> None:
        self.posts, self._clock, self._thread = posts, clock, thread

    async def say(self, until: Callable[[], object]) -> None:
        await self.posts.say(PostKey("answer:1"), self._thread, POST)
        async with asyncio.timeout(SECONDS):
            while not (until() and self.posts.is_quiet()):
                await asyncio.sleep(0.01)
                await self._clock.forward(5)


@asynccontextmanager
async def running(folder: Path, platform: ChatPlatform, chat: str, root: str) -> AsyncIterator[Running]:
    clock = FakeClock()
    held: Clock = clock
    async with sqlite_store(folder) as store:
        await platform.connect()
        posts = Posts(store, {platform.name: platform}, held)
        task = asyncio.create_task(posts.work())
        try:
            yield Running(posts, clock, ThreadRef(platform.name, platform.tenant, chat, root))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await platform.close()


@asynccontextmanager
async def over_slack(folder: Path, server: FakeSlack) -> AsyncIterator[Running]:
    given = {"bot_token": server.bot_token, "app_token": server.app_token, "api_base": server.base}
    async with running(folder, build("slack", folder, given), "C1", "1700000000.000001") as made:
        yield made
    assert server.violations == []


@asynccontextmanager
async def over_telegram(folder: Path, server: FakeTelegram) -> AsyncIterator[Running]:
    given = {"token": server.token, "api_base": server.base}
    async with running(folder, build("telegram", folder, given), str(CHAT), "") as made:
        yield made


@pytest.mark.parametrize("fault", [None, "lost", "reset", "busy"])
async def test_slack_shows_the_beginning_and_the_file_once(tmp_path: Path, fault: str | None) -> None:
    async with FakeSlack() as server, over_slack(tmp_path, server) as outbox:
        if fault is not None:
            server.plan(COMPLETE, slack_fake.Fault(fault))
        await outbox.say(lambda: server.files.complete)

        [brief, shared] = server.posts
        [file] = server.files.complete
        assert "**2 files changed**" in brief.markdown
        assert "is in the file below" in brief.markdown
        assert list(brief.buttons) == ["Show diff"]
        assert shared.files == [file]
        assert "show_user" in file.text
        assert "\x1b" not in file.text


async def test_slack_without_the_scope_says_all_of_it(tmp_path: Path) -> None:
    async with FakeSlack() as server, over_slack(tmp_path, server) as outbox:
        server.plan("files.getUploadURLExternal", slack_fake.Fault("error", "missing_scope"))
        await outbox.say(lambda: any("/" in each.markdown[-9:] for each in server.posts[2:]))

        said = "\n".join(each.markdown for each in server.posts[1:])
        assert "could not be sent as a file" in said
        assert said.count("async def show_user") == ANSWER.count("async def show_user")
        assert server.files.complete == []


@pytest.mark.parametrize("is_lost", [False, True])
async def test_telegram_sends_the_file_at_most_twice_and_says_so(tmp_path: Path, *, is_lost: bool) -> None:
    async with FakeTelegram() as server, over_telegram(tmp_path, server) as outbox:
        if is_lost:
            server.fail("sendDocument", telegram_fake.Fault(telegram_fake.Kind.RESET_AFTER))
        await outbox.say(lambda: len(server.documents) == 1 + is_lost)

        assert len(server.posts) == 1
        assert "2 files changed" in server.posts[0].text
        assert len({each.text for each in server.documents}) == 1
        assert [each.caption[:1] for each in server.documents] == ["", "♻"][: 1 + is_lost]


async def test_telegram_without_files_says_all_of_it(tmp_path: Path) -> None:
    async with FakeTelegram() as server, over_telegram(tmp_path, server) as outbox:
        server.fail("sendDocument", telegram_fake.Fault.refuse(400, "Bad Request: CHAT_SEND_DOCS_FORBIDDEN"))
        await outbox.say(lambda: len(server.posts) > 20)

        said = "\n".join(each.text for each in server.posts[1:])
        assert said.count("async def show_user") == ANSWER.count("async def show_user")
        assert server.documents == []
