"""A run, from what was said to the answer and the pull request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from core.model.chat import Person
from core.model.errors import AgentError
from core.model.events import ActionBegan, ActionEnded, TurnAsk, TurnEnd, TurnResult
from core.model.work import Link, ProjectKey, RunState, TaskState
from core.ports import Note
from tests.fakes.agent import for_ever
from tests.whole import WholeBot


async def test_the_example_that_must_always_work(bot: WholeBot) -> None:
    bot.workspaces.changes = {"login.py": "pass"}
    await bot.ask("/create_project DEMO Demo Project")
    await bot.ask("/create_task DEMO Implement login feature")

    answer = await bot.ask("/execute DEMO-1 scripted")

    assert "done: Implement login feature" in answer.text
    assert "[#1 DEMO-1: Implement login feature](https://forge.example/DEMO/pull/1)" in answer.text
    assert "**1 file changed** (+1 -0) on `task/DEMO-1`" in answer.text
    run = await bot.only_run()
    states = [each.state for each in await bot.store.changes(run.id)]
    assert states == [RunState.PENDING, RunState.PLANNING, RunState.RUNNING, RunState.COMPLETED]
    assert [task.state for task in await bot.store.tasks(ProjectKey("DEMO"))] == [TaskState.IN_REVIEW]


async def test_a_run_that_changes_nothing_completes_without_a_pull_request(bot: WholeBot) -> None:
    await bot.linked()

    answer = await bot.ask("What does it do?")

    assert "No file was changed, so there is no pull request." in answer.text
    assert (await bot.only_run()).state is RunState.COMPLETED
    assert bot.forge.pulls == []


async def test_the_anchor_shows_what_the_agent_does(bot: WholeBot) -> None:
    async def play(turn: TurnAsk, note: Note) -> TurnResult:
        note(ActionBegan("1", "pytest -q"))
        note(ActionEnded("1", ok=False, exit_code=1))
        note(ActionBegan("2", "edit `app.py`"))
        await bot.posts.until_quiet()
        return TurnResult("mended")

    bot.agent.script = [play]
    await bot.linked()
    await bot.said("Mend it")
    await bot.quiet()

    anchor = next(each for each in bot.platform.posts if each.key.startswith("anchor:"))
    shown = [post.text for post in anchor.history]
    assert any("✗ `pytest -q` (exit 1)" in text and "▸ `edit 'app.py'`" in text and "step 2" in text for text in shown)
    assert "**COMPLETED** · scripted" in anchor.text
    assert anchor.labels == []


async def test_what_is_said_during_a_run_is_its_next_turn(bot: WholeBot) -> None:
    async def first(turn: TurnAsk, note: Note) -> TurnResult:
        await bot.said("And the tests")
        return TurnResult("one")

    bot.agent.script = [first]
    await bot.linked()

    await bot.ask("Mend it")

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "And the tests"]
    assert any("Noted" in text for text in bot.platform.texts())
    assert "done: And the tests" in bot.platform.posts[-1].text
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_what_is_said_afterwards_goes_on_with_the_same_branch_session_and_pull_request(bot: WholeBot) -> None:
    bot.workspaces.changes = {"a.py": "1"}
    bot.agent.script = [TurnResult("one", session="s-1")]
    await bot.linked()
    await bot.ask("Mend it")
    bot.workspaces.changes = {"b.py": "2"}

    answer = await bot.ask("Now the rest")

    assert bot.agent.turns[1].session == "s-1"
    assert len(bot.workspaces.branches) == 1
    assert len(bot.forge.pulls) == 1
    assert "/DEMO/pull/1" in answer.text


async def test_stop_ends_the_turn_and_says_what_was_kept(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    bot.workspaces.changes = {"half.py": "1"}
    await bot.linked()
    await bot.said("Work for ever")
    await bot.agent.began.wait()

    await bot.ask("/cancel")

    assert bot.agent.cancelled == 1
    texts = bot.platform.texts()
    assert any("Stopping" in text for text in texts)
    assert any("Stopped by Olga" in text and "is kept on `patchbay/" in text for text in texts)
    assert (await bot.only_run()).state is RunState.CANCELLED
    assert bot.forge.pulls == []


async def test_an_agent_that_fails_is_told_and_the_work_is_kept(bot: WholeBot) -> None:
    bot.agent.script = [AgentError("The model answered 529 five times.")]
    bot.workspaces.changes = {"half.py": "1"}
    await bot.linked()

    answer = await bot.ask("Mend it")

    assert "The model answered 529 five times." in answer.text
    assert "kept on" in answer.text
    run = await bot.only_run()
    assert run.state is RunState.FAILED
    assert run.error == "The model answered 529 five times."


async def test_a_question_waits_and_its_answer_is_the_next_turn(bot: WholeBot) -> None:
    bot.agent.script = [TurnResult("", end=TurnEnd.ASKED, question="Which one?", options=("Red", "Blue"))]
    await bot.linked()
    asked = await bot.ask("Paint it")
    assert asked.labels == ["Red", "Blue"]
    assert (await bot.only_run()).state is RunState.WAITING

    await bot.platform.press("Blue")
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Paint it", "Blue"]
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_one_run_at_a_time_in_a_thread(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.ask("/create_task DEMO One")
    await bot.ask("/create_task DEMO Two")
    await bot.said("/execute DEMO-1")
    await bot.agent.began.wait()

    await bot.said("/execute DEMO-2")
    waiting = await bot.platform.shown("Waits until “DEMO-1 One” is over in this thread")
    assert len(bot.agent.turns) == 1
    await bot.said("/cancel")
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["One", "Two"]
    assert "**COMPLETED**" in waiting.text


async def test_other_threads_work_side_by_side(bot: WholeBot) -> None:
    bot.agent.script = [for_ever, for_ever]
    await bot.linked()
    here, there = (replace(bot.platform.thread, root=root) for root in ("a", "b"))
    await bot.said("One", thread=here)
    await bot.said("Two", thread=there)
    await bot.agent.began.wait()
    async with asyncio.timeout(5):
        while len(bot.agent.turns) < 2:  # noqa: ASYNC110 - the agent is a guest, it tells nobody
            await asyncio.sleep(0.01)

    assert {turn.prompt for turn in bot.agent.turns} == {"One", "Two"}


async def test_a_chat_that_serves_badly_is_advised_once(bot: WholeBot) -> None:
    bot.platform.advice = lambda _thread: "Switch on topics."  # type: ignore[attr-defined]
    await bot.linked()
    await bot.ask("/link DEMO")

    assert bot.platform.texts().count("💡 Switch on topics.") == 1


async def test_a_person_without_a_name_is_looked_up(bot: WholeBot) -> None:
    async def name_of(person: Person) -> str:
        return {"nameless": "Nora"}.get(person.id, "")

    bot.platform.name_of = name_of  # type: ignore[attr-defined]
    await bot.linked()
    bot.workspaces.changes = {"a.py": "1"}
    await bot.store.put_link(Link(bot.platform.thread, ProjectKey("DEMO")))
    await bot.store.offer_pairing("fake", "code", bot.clock.now() + timedelta(hours=1))
    nameless = replace(bot.platform.owner, id="nameless", name="")
    await bot.ask("/start code", person=nameless)

    await bot.ask("Mend it", person=nameless)

    assert (await bot.only_run()).asked_by.name == "Nora"
    assert "Asked by Nora" in bot.forge.drafts[0].body


async def test_a_follow_up_on_a_task_keeps_every_word_of_what_was_said(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    await bot.ask("/execute DEMO-1")
    bot.workspaces.changes = {"a.py": "1"}

    await bot.ask("And now?")

    assert bot.workspaces.messages[0].subject == "DEMO-1: And now?"
    assert [draft.title for draft in bot.forge.drafts] == ["DEMO-1: Login"]
