"""Corners of the steps of a run: each may be done again after a crash, and what is gone is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.model.chat import Cause
from core.model.errors import NotFound, WorkspaceError
from core.model.events import SessionNamed, TurnAsk, TurnEnd, TurnResult, UsageSeen
from core.model.work import (
    Checkout,
    Project,
    ProjectKey,
    RepoRef,
    Run,
    RunId,
    RunState,
    Usage,
    Work,
    WorkId,
)
from core.ports import Note
from core.runs.outcome import Outcome, OutcomeKind, Published
from tests.fakes.agent import for_ever
from tests.whole import WholeBot


def checkout(run: Run) -> Checkout:
    return Checkout(run.id, ProjectKey("DEMO"), "/work", "b", "main", "0" * 40)


async def test_what_is_gone_is_said(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    run = await bot.only_run()

    with pytest.raises(NotFound, match="There is no run nothing"):
        await bot.steps.fail(RunId("nothing"), "x")
    with pytest.raises(NotFound, match=f"The work of run {run.id} is gone"):
        await bot.steps.work_of(replace(run, work=WorkId("nothing")))
    work = Work(WorkId("w"), ProjectKey("GONE"), "b", run.thread)
    with pytest.raises(NotFound, match="There is no project GONE any more"):
        await bot.steps.publish_again(run, work)


async def test_the_base_branch_of_a_project_is_learned_when_it_is_first_used(bot: WholeBot) -> None:
    key = ProjectKey("DEMO")
    await bot.store.add_project(Project(key, "Demo", RepoRef("local")), Cause("c"))
    await bot.ask("/link DEMO")

    await bot.ask("Mend it")

    project = await bot.store.project(key)
    assert project is not None
    assert project.base == "main"


async def test_a_finish_that_is_done_again_says_nothing_twice(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    run = await bot.only_run()
    count = len(bot.platform.posts)

    assert await bot.steps.finish(run.id, Outcome(OutcomeKind.DONE, 1, "done: Mend it"), Published())
    await bot.quiet()

    assert len(bot.platform.posts) == count


async def test_what_comes_in_at_the_last_moment_is_the_next_turn(bot: WholeBot) -> None:
    await bot.linked()
    whole, late = bot.store.end_run, ["And the tests"]

    async def end_run(run: RunId, state: RunState, *rest: object) -> bool:
        if late:
            await bot.platform.say(late.pop())
            await bot.inbox.until_quiet()
        return await whole(run, state, *rest)  # type: ignore[arg-type]

    bot.store.end_run = end_run  # type: ignore[assignment, method-assign]
    await bot.ask("Mend it")

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "And the tests"]
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_a_turn_that_is_stopped_keeps_its_session_and_its_cost(bot: WholeBot) -> None:
    async def play(turn: TurnAsk, note: Note) -> TurnResult:
        note(SessionNamed("s-1"))
        note(UsageSeen(Usage(10, 5, 0.5)))
        return await for_ever(turn, note)

    bot.agent.script = [play]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    await bot.ask("/cancel")
    await bot.ask("Go on")

    assert bot.agent.turns[1].session == "s-1"
    first = (await bot.store.runs_of(bot.platform.thread.room, 5))[-1]
    assert first.usage == Usage(10, 5, 0.5)


async def test_a_session_of_another_agent_is_not_given_on(bot: WholeBot) -> None:
    bot.agent.script = [TurnResult("one", session="s-1")]
    await bot.linked()
    await bot.ask("Mend it")
    run = await bot.only_run()
    await bot.store.put_session(run.work, "another", "s-2")

    await bot.ask("Go on")

    assert bot.agent.turns[1].session == ""


async def test_a_plain_message_is_given_word_by_word_to_a_recipe(bot: WholeBot) -> None:
    await bot.linked()

    await bot.ask("tidy  src tests")

    assert bot.agent.turns[0].words == ("tidy", "src", "tests")


async def test_a_workspace_that_cannot_be_thrown_away_does_not_hold_the_run(bot: WholeBot) -> None:
    async def stuck(run: RunId) -> None:
        raise WorkspaceError("The disk is read-only.")

    bot.workspaces.discard = stuck  # type: ignore[method-assign]
    await bot.linked()

    assert "done: Mend it" in (await bot.ask("Mend it")).text
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_a_question_is_committed_work_in_progress(bot: WholeBot) -> None:
    bot.agent.script = [TurnResult("I looked.", end=TurnEnd.ASKED, question="Red?", options=("x" * 60, "No"))]
    await bot.linked()

    asked = await bot.ask("Paint it")

    assert asked.text == "I looked.\n\n❓ **Red?**"
    assert asked.labels == ["x" * 40, "No"]
    await bot.platform.press("x" * 40)
    await bot.quiet()
    assert bot.agent.turns[1].prompt == "x" * 60


async def test_a_commit_says_who_asked_and_what_the_agent_proposes(bot: WholeBot) -> None:
    bot.agent.script = [TurnResult("done", subject="Mend the login\nand more"), for_ever]
    await bot.linked()
    bot.workspaces.changes = {"a.py": "1"}
    await bot.ask("Please mend the login " + "very well " * 10)
    bot.agent.began.clear()
    bot.workspaces.changes = {"b.py": "1"}
    await bot.said("And " + "the tests " * 10)
    await bot.agent.began.wait()
    await bot.ask("/cancel")

    first, second = bot.workspaces.messages
    assert first.subject == "Mend the login and more"
    assert first.description == "Asked by Olga."
    assert first.trailers[0] == "Co-authored-by: scripted <scripted@agents.invalid>"
    assert len(second.subject) <= 72
    assert second.subject.endswith("…")
    assert second.description == "Unfinished: the run was ended before the agent was done."
