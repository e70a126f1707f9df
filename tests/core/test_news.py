"""What a forge tells: read anew, told once in the thread, and the work and its task end with the pull request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from core.model.chat import Cause, Delivery
from core.model.errors import ForgeError
from core.model.forge import PullNews
from core.model.work import PullState, RepoRef, TaskState, WorkId
from core.news import PAUSES
from core.ports import Take
from tests.whole import WholeBot


@dataclass
class Source:
    """Tells of pull request `raw` of the bot's project."""

    name: str = "local"
    path: str = ""
    taken: list[str] = field(default_factory=list)

    def open(self, take: Take) -> None:
        self._take = take

    def read(self, raw: bytes) -> PullNews | None:
        return PullNews(Cause(f"local:{raw.decode()}"), RepoRef(self.name, self.path), int(raw.split(b"/")[0]), "grace")

    async def tell(self, *raw: bytes) -> None:
        await self._take([Delivery(self.name, str(each), each) for each in raw])


@pytest.fixture
async def told(bot: WholeBot) -> Source:
    """A task has been done, and its pull request is open."""
    await bot.linked()
    await bot.ask("/create_task DEMO Mend it")
    bot.workspaces.changes = {"a.py": "1"}
    await bot.ask("/execute DEMO-1")
    source = Source()
    source.open(bot.inbox.take_for(source))
    return source


def said(bot: WholeBot, words: str) -> Sequence[str]:
    return [text for text in bot.platform.texts() if words in text]


async def test_a_merge_elsewhere_is_told_and_the_task_is_done(bot: WholeBot, told: Source) -> None:
    bot.forge.put_state(1, PullState.MERGED)

    await told.tell(b"1", b"1", b"1/again")
    await bot.quiet()

    [words] = said(bot, "is merged into")
    assert words.endswith("is merged into `main` by grace. DEMO-1 is done.")
    [task] = await bot.store.tasks((await bot.store.projects())[0].key)
    assert task.state is TaskState.DONE
    assert await bot.store.open_works() == []


async def test_one_that_is_closed_unmerged_leaves_the_task_where_it_is(bot: WholeBot, told: Source) -> None:
    bot.forge.put_state(1, PullState.CLOSED)

    await told.tell(b"1")
    await bot.quiet()

    [words] = said(bot, "closed by grace")
    assert "What you say next begins on a branch of its own." in words
    [task] = await bot.store.tasks((await bot.store.projects())[0].key)
    assert task.state is TaskState.IN_REVIEW
    assert await bot.store.open_works() == []


@pytest.mark.parametrize(
    ("raw", "name", "path"), [(b"1", "local", ""), (b"2", "local", ""), (b"1", "github", ""), (b"1", "local", "a/b")]
)
async def test_what_is_said_is_not_believed(bot: WholeBot, told: Source, raw: bytes, name: str, path: str) -> None:
    """The pull request is still open, or it is another's."""
    told.name, told.path = name, path
    if (raw, name, path) != (b"1", "local", ""):
        bot.forge.put_state(1, PullState.MERGED)

    await told.tell(raw)
    await bot.quiet()

    assert said(bot, "is merged") == []
    assert len(await bot.store.open_works()) == 1


async def test_a_forge_that_is_away_is_asked_again(bot: WholeBot, told: Source) -> None:
    bot.forge.put_state(1, PullState.MERGED)
    bot.forge.fault = ForgeError("away")

    await told.tell(b"1")
    await bot.clock.forward(1)
    assert said(bot, "is merged") == []
    bot.forge.fault = None
    await bot.clock.forward(PAUSES[0])
    await bot.quiet()

    assert len(said(bot, "is merged")) == 1


async def test_one_that_stays_away_is_set_aside_and_only_the_owners_hear_of_it(bot: WholeBot, told: Source) -> None:
    bot.forge.fault = ForgeError("away")
    before = len(bot.platform.posts)

    await told.tell(b"1")
    quiet = asyncio.create_task(bot.inbox.until_quiet())
    while not quiet.done():
        await bot.clock.forward(max(PAUSES))

    assert [each.arrival.key for each in await bot.store.asides()] == ["local:1"]
    assert len(bot.platform.posts) == before


async def test_what_was_taken_before_a_crash_is_learned_after_it(bot: WholeBot, told: Source) -> None:
    bot.forge.put_state(1, PullState.MERGED)
    bot.forge.fault = ForgeError("away")
    await told.tell(b"1")

    await bot.crash()
    bot.forge.fault = None
    await bot.start()
    await bot.inbox.take_up(told)
    await bot.quiet()

    assert len(said(bot, "is merged")) == 1


async def test_the_merge_button_and_the_news_of_it_are_told_once(bot: WholeBot, told: Source) -> None:
    await bot.said("/merge DEMO-1")
    await told.tell(b"1")
    await bot.quiet()

    assert len(said(bot, "is merged into")) == 1


async def test_who_merges_from_another_thread_is_answered_there_too(bot: WholeBot, told: Source) -> None:
    other = replace(bot.platform.thread, root="t9")

    await bot.ask("/merge DEMO-1", thread=other)

    assert {post.ref.thread for post in bot.platform.posts if "is merged into" in post.text} == {
        bot.platform.thread,
        other,
    }


async def test_work_of_a_project_that_is_gone_is_nobodys(
    bot: WholeBot, told: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(_key: str) -> None:
        return None

    monkeypatch.setattr(bot.store, "project", nobody)

    await told.tell(b"1")
    await bot.quiet()

    assert (await bot.store.work(WorkId((await bot.store.open_works())[0].id))) is not None


async def test_without_anybody_who_listens_news_are_settled(bot: WholeBot) -> None:
    from core.inbox import Inbox  # noqa: PLC0415 - one that nobody has told who hears news

    inbox, source = Inbox(bot.store, bot.clock, bot.conversation.hear, bot.conversation.set_aside), Source()
    source.open(inbox.take_for(source))
    work = asyncio.create_task(inbox.work())

    await source.tell(b"5")
    await inbox.until_quiet()
    work.cancel()

    assert await bot.store.unsettled() == []
