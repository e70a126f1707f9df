"""What a forge has to tell: the pull request is read anew, and what became of it is told once in its thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from core.model.chat import Post, PostKey
from core.model.errors import ForgeError
from core.model.forge import PullNews
from core.model.work import PullRequest, PullState, TaskState, Work, WorkId
from core.ports import Clock, Forge, Store
from core.posts import Posts
from core.runs.answer import link

log = structlog.get_logger()

PAUSES = (5.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds between tries to read what a forge has news of; only that pull request waits meanwhile."""


@dataclass(frozen=True, slots=True)
class News:
    store: Store
    posts: Posts
    forges: Mapping[str, Forge]
    clock: Clock

    async def learn(self, news: PullNews) -> None:
        """May be called again with the same news: what it finds said and done it leaves. ForgeError: nobody answers."""
        for work in await self._about(news):
            pull = await self._read(work, news)
            if pull.state is not PullState.OPEN:
                await self._tell(work, pull, news.actor)

    async def _about(self, news: PullNews) -> list[Work]:
        """The open work that this pull request is of."""
        works = [each for each in await self.store.open_works() if each.pull and each.pull.number == news.number]
        return [work for work in works if await self._is_in(work, news)]

    async def _is_in(self, work: Work, news: PullNews) -> bool:
        """GitHub's names are the same in any case."""
        project = await self.store.project(work.project)
        if project is None or project.repo.forge != news.repo.forge:
            return False
        return project.repo.path.lower() == news.repo.path.lower()

    async def _read(self, work: Work, news: PullNews) -> PullRequest:
        project = await self.store.project(work.project)
        assert project is not None
        for pause in PAUSES:
            try:
                return await self.forges[project.repo.forge].pull_request(project, news.number)
            except ForgeError as error:
                log.warning("news.unread", cause=news.cause, reason=str(error), again_seconds=pause)
                await self.clock.sleep(pause)
        return await self.forges[project.repo.forge].pull_request(project, news.number)

    async def _tell(self, work: Work, pull: PullRequest, actor: str) -> None:
        """Said first: what is cut after it is done by the next try, what is cut before it would be known to nobody."""
        await self.posts.say(ended_key(work.id, pull), work.thread, Post(ended_words(work, pull, actor)))
        await end_work(self.store, work, pull)


def ended_key(work: WorkId, pull: PullRequest) -> PostKey:
    """Whoever ended it, and by whichever way it is known, it is told once."""
    return PostKey(f"pull:{work}:{pull.number}:{pull.state}")


def ended_words(work: Work, pull: PullRequest, actor: str) -> str:
    by = f" by {actor}" if actor else ""
    if pull.state is PullState.MERGED:
        done = f" {work.task} is done." if work.task else ""
        return f"🎉 {link(pull)} is merged into `{pull.base}`{by}.{done}"
    return f"🚪 {link(pull)} was closed{by} without being merged. What you say next begins on a branch of its own."


async def end_work(store: Store, work: Work, pull: PullRequest) -> None:
    """Work ends with its pull request; its task is done when it was merged."""
    await store.put_pull(work.id, pull)
    if work.task is not None and pull.state is PullState.MERGED:
        await store.put_task_state(work.task, TaskState.DONE)
    await store.close_work(work.id)
