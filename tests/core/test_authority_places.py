"""What an ask is about decides which grants count: what is named, what is worked on in the thread, what is linked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.model.chat import Cause, Person, ThreadRef
from core.model.people import EVERYWHERE, Grant, Role, in_chat, in_project
from core.model.work import ProjectKey, RunState
from tests.fakes.agent import for_ever
from tests.whole import MEMBER, REVIEWER, STRANGER, VIEWER, WholeBot

DEMO, SITE = ProjectKey("DEMO"), ProjectKey("SITE")


@pytest.fixture
async def two(bot: WholeBot) -> WholeBot:
    """DEMO is linked here, SITE next door."""
    await bot.linked()
    await bot.ask("/create_project SITE Site", thread=next_door(bot))
    return bot


def next_door(bot: WholeBot) -> ThreadRef:
    return replace(bot.platform.thread, chat="next door")


def thread(bot: WholeBot, root: str = "t1") -> ThreadRef:
    return replace(bot.platform.thread, root=root)


async def give(bot: WholeBot, role: Role, *, project: ProjectKey | None = None) -> Person:
    """To somebody who has nothing else: for the project, else for this chat."""
    scope = in_project(project) if project else in_chat(bot.platform.thread.room)
    await bot.store.put_grant(Grant(STRANGER, scope, role, "test", bot.clock.now()))
    return STRANGER


async def run_of_site(bot: WholeBot) -> str:
    """Begun by the owner in a thread of this chat, which talks about DEMO."""
    await bot.ask("/create_task SITE Tidy")
    bot.workspaces.changes = {"secret.py": "1"}
    await bot.ask("/execute SITE-1", thread=thread(bot))
    return (await bot.only_run()).id


@pytest.mark.parametrize("form", ["id", "beginning", "work", "task"])
async def test_what_is_named_is_weighed_by_its_own_project(two: WholeBot, form: str) -> None:
    run = await run_of_site(two)
    found = await two.only_run()
    name = {"id": run, "beginning": run[:8], "work": found.work, "task": "SITE-1"}[form]
    person = await give(two, Role.OWNER)

    refused = await two.ask(f"/diff {name}", person=person)
    assert refused.text == "Only a viewer may do that here; what you were granted does not count here."
    await give(two, Role.VIEWER, project=SITE)

    assert "secret.py" in (await two.ask(f"/diff {name}", person=person)).text


async def test_a_name_of_nothing_is_weighed_by_where_it_is_said(two: WholeBot) -> None:
    person = await give(two, Role.DEVELOPER)

    for name in ("nothing-at-all", "abc"):
        assert "I know no run" in (await two.ask(f"/diff {name}", person=person)).text


async def test_words_in_a_thread_are_about_the_work_in_it(two: WholeBot) -> None:
    await run_of_site(two)
    person = await give(two, Role.DEVELOPER)

    refused = await two.ask("And push it", person=person, thread=thread(two))
    assert "what you were granted does not count here" in refused.text
    assert len(two.agent.turns) == 1

    await two.ask("Mend it", person=person, thread=thread(two, "t2"))
    assert [turn.prompt for turn in two.agent.turns][1:] == ["Mend it"]


async def test_words_to_a_run_at_work_are_about_its_project(two: WholeBot) -> None:
    await two.ask("/create_task SITE Tidy")
    two.agent.script = [for_ever]
    await two.said("/execute SITE-1", thread=thread(two))
    await two.agent.began.wait()
    person = await give(two, Role.ADMIN)

    await two.said("/cancel", person=person, thread=thread(two))
    await two.platform.shown("what you were granted does not count here")

    assert (await two.only_run()).state is RunState.RUNNING


async def test_talk_in_a_thread_of_ours_by_who_may_only_look_is_let_alone(two: WholeBot) -> None:
    """No work, and no reproach for each word."""
    await two.ask("Mend it", thread=thread(two))
    count = len(two.platform.posts)

    for person in (VIEWER, REVIEWER, STRANGER):
        await two.platform.say("looks good", person=person, thread=thread(two), is_addressed=False)
    await two.quiet()

    assert len(two.platform.posts) == count
    assert len(two.agent.turns) == 1


async def test_a_developer_stops_what_they_asked_for_and_an_admin_anything(two: WholeBot) -> None:
    two.agent.script = [for_ever]
    await two.said("Work for ever", thread=thread(two))
    await two.agent.began.wait()
    run = await two.only_run()

    for words in ("/cancel", f"/discard {run.id}"):
        since = len(two.platform.posts)
        await two.said(words, person=MEMBER, thread=thread(two))
        told = await two.platform.shown("was asked for by Olga: only they, or an admin, may end it.", since=since)
        assert told.ref.thread == thread(two)
    await two.platform.halt(person=MEMBER, thread=thread(two))
    await two.inbox.until_quiet()
    assert (await two.only_run()).state is RunState.RUNNING


async def test_a_developer_stops_their_own(two: WholeBot) -> None:
    two.agent.script = [for_ever]
    await two.said("Work for ever", person=MEMBER, thread=thread(two))
    await two.agent.began.wait()

    await two.ask("/cancel", person=MEMBER, thread=thread(two))

    assert (await two.only_run()).state is RunState.CANCELLED


async def test_a_viewer_opens_no_pull_request(two: WholeBot) -> None:
    await two.ask("Mend it", thread=thread(two))
    run = await two.only_run()
    assert (await two.steps.work_of(run)).pull is None

    refused = await two.ask("/pr", person=VIEWER, thread=thread(two))
    assert refused.text == "That has no pull request yet, and only a developer may open one."


async def test_what_is_edited_is_weighed_again(two: WholeBot) -> None:
    """Who was let go meanwhile corrects nothing that still waits."""
    await two.store.put_grant(Grant(STRANGER, EVERYWHERE, Role.DEVELOPER, "test", two.clock.now()))
    two.agent.script = [for_ever]
    await two.said("Work for ever", thread=thread(two))
    await two.agent.began.wait()
    said = await two.platform.say("And the tests", person=STRANGER, thread=thread(two))
    await two.inbox.until_quiet()
    await two.said("/revoke fake:stranger")

    for person in (STRANGER, MEMBER):
        await two.platform.say("and push", person=person, thread=thread(two), corrects=said.cause)
    await two.platform.say("and push", thread=thread(two), corrects=Cause("unheard"))
    await two.inbox.until_quiet()

    run = await two.only_run()
    assert [turn.text for turn in await two.store.queued_turns(run.id)] == ["And the tests"]
