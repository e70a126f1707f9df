"""/execute, /status, /cancel, /history, /new, and the buttons of runs, as people say and press them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.model.chat import ThreadRef
from core.model.errors import AgentError, ForgeError, WorkspaceError
from core.model.events import Readiness, TurnAsk, TurnEnd, TurnResult
from core.model.work import Run, RunState
from core.ports import Note
from tests.fakes.agent import FakeAgent, for_ever
from tests.whole import WholeBot, whole_bot

QUESTION = TurnResult("", end=TurnEnd.ASKED, question="Which one?", options=("Status", "Light blue"))


@pytest.fixture
async def one_at_once(tmp_path: Path) -> AsyncIterator[WholeBot]:
    async with whole_bot(tmp_path, most_at_once=1) as bot:
        await bot.linked()
        yield bot


def inside(bot: WholeBot, root: str) -> ThreadRef:
    return replace(bot.platform.thread, root=root)


async def working(bot: WholeBot, text: str = "Work for ever", *, root: str = "") -> None:
    """A run whose agent is at work."""
    bot.agent.script.append(for_ever)
    bot.agent.began.clear()
    await bot.said(text, thread=inside(bot, root))
    async with asyncio.timeout(5):
        await bot.agent.began.wait()


async def states(bot: WholeBot, run: Run) -> list[RunState]:
    return [each.state for each in await bot.store.changes(run.id)]


async def runs(bot: WholeBot) -> list[Run]:
    """Oldest first."""
    return (await bot.store.runs_of(bot.platform.thread.room, 50))[::-1]


# ---------------------------------------------------------------------------------------------- execute


async def test_execute_names_what_is_missing(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")

    assert "DEMO has no task `DEMO-7`. `/tasks DEMO` lists them." in (await bot.ask("/execute DEMO-7")).text
    assert "There is no project `SHOP`." in (await bot.ask("/execute SHOP-1")).text
    wrong = await bot.ask("/execute DEMO-1 scriptde")
    assert "There is no agent `scriptde`. Did you mean `scripted`?" in wrong.text
    assert await runs(bot) == []


async def test_execute_when_the_agent_is_not_usable_begins_nothing(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    bot.agent.readiness = Readiness("a script", is_usable=False, missing="set ANTHROPIC_API_KEY")

    named = await bot.ask("/execute DEMO-1 scripted")
    assert named.text == "The agent `scripted` is not usable: set ANTHROPIC_API_KEY"
    unnamed = await bot.ask("/execute DEMO-1")

    assert unnamed.text == "No agent is usable yet. /agents says what each of them lacks."
    assert await runs(bot) == []


async def test_an_agent_that_may_work_is_tried_where_none_surely_does(bot: WholeBot) -> None:
    await bot.linked()
    bot.agent.readiness = Readiness("a script", is_usable=False, missing="its provider is slow", may_try=True)

    assert await bot.runs.agent_for() == "scripted"


async def test_execute_gives_the_agent_what_was_said_beside_it(tmp_path: Path) -> None:
    codex = FakeAgent("codex")
    async with whole_bot(tmp_path, agents=[codex]) as bot:
        await bot.linked()
        await bot.ask("/link DEMO codex")
        await bot.ask("/create_task DEMO Login")

        await bot.ask("/execute DEMO-1 codex mind the tests")
        await bot.ask("/execute DEMO-1")

        assert [turn.prompt for turn in codex.turns] == ["Login\n\nmind the tests", "Login"]
        assert [turn.words for turn in codex.turns] == [("mind", "the", "tests"), ()]
        assert bot.agent.turns == []


@pytest.mark.parametrize("named", ["", " scripted"])
async def test_an_agent_is_asked_once_whether_it_is_usable(bot: WholeBot, named: str) -> None:
    asked: list[str] = []
    ready = bot.agent.ready

    async def counted() -> Readiness:
        asked.append("ready")
        return await ready()

    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    bot.agent.ready = counted  # type: ignore[method-assign]
    await bot.ask(f"/execute DEMO-1{named}")

    assert asked == ["ready"]


async def test_plain_words_on_a_tasks_work_reach_a_recipe(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    await bot.ask("/execute DEMO-1")

    await bot.ask("only tests please")

    assert [turn.words for turn in bot.agent.turns] == [(), ("only", "tests", "please")]


async def test_the_agent_of_another_projects_link_does_not_count(tmp_path: Path) -> None:
    codex = FakeAgent("codex")
    async with whole_bot(tmp_path, agents=[codex]) as bot:
        await bot.linked()
        await bot.ask("/create_task DEMO Login")
        await bot.ask("/create_project SHOP Shop")
        await bot.ask("/link SHOP codex")

        await bot.ask("/execute DEMO-1")

        assert len(bot.agent.turns) == 1


async def test_a_linked_agent_that_is_gone_is_told(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/link DEMO scripted")
    bot.agents.clear()

    assert "There is no agent `scripted`. /agents lists them." in (await bot.ask("Mend it")).text


async def test_a_task_that_is_worked_on_elsewhere_is_not_begun_twice(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    await working(bot, "/execute DEMO-1", root="a")

    await bot.said("/execute DEMO-1", thread=inside(bot, "b"))
    told = await bot.platform.shown("is being worked on by scripted in another thread of Fake")

    run = await bot.only_run()
    assert f"say `/cancel {run.id[:8]}` first" in told.text


async def test_a_task_is_taken_up_again_on_its_branch_or_on_a_new_one(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    for number in range(3):
        bot.workspaces.changes = {f"{number}.py": "1"}
        await bot.ask("/execute DEMO-1")
        if number:
            await bot.platform.press("Merge")
            await bot.quiet()

    assert sorted(bot.workspaces.branches) == ["task/DEMO-1", "task/DEMO-1-2"]


async def test_execute_that_is_heard_again_after_its_run_was_cancelled(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    await working(bot)
    said = await bot.platform.say("/execute DEMO-1")
    await bot.inbox.until_quiet()
    line = next(each for each in await runs(bot) if each.state is RunState.PENDING)
    await bot.said(f"/cancel {line.id}")

    await bot.conversation.hear(said)

    await bot.platform.shown("That run was cancelled before.")


# ---------------------------------------------------------------------------------------------- status


async def test_status_says_what_goes_on(bot: WholeBot) -> None:
    assert (await bot.ask("/status")).text == "Nothing is running here. This chat is not linked; /link."
    await bot.linked()
    assert (await bot.ask("/status")).text == "Nothing is running here. This chat talks about **DEMO**."
    await working(bot)
    await bot.clock.forward(65)

    await bot.said("/status")
    shown = await bot.platform.shown("- ▸ Work for ever · scripted · RUNNING · 1m 05s")

    assert shown.labels == ["⏹ Work for ever · RUNNING"]
    await bot.platform.press("⏹ Work for ever · RUNNING")
    await bot.quiet()
    assert (await bot.only_run()).state is RunState.CANCELLED


async def test_status_says_what_does_not_answer(bot: WholeBot) -> None:
    bot.conversation._desk = replace(bot.desk, troubles=lambda: ["GitHub is away.", "Slack is away."])
    away = "⚠️ GitHub is away.\n\n⚠️ Slack is away."
    assert (await bot.ask("/status")).text.endswith(f"This chat is not linked; /link.\n\n{away}")
    await bot.linked()
    await working(bot)

    await bot.said("/status")
    shown = await bot.platform.shown("- ▸ Work for ever")

    assert shown.text.startswith(f"This chat talks about **DEMO**.\n\n{away}\n\n- ▸ Work")


async def test_status_of_many_runs_says_how_many_more(one_at_once: WholeBot) -> None:
    bot = one_at_once
    await working(bot, "One", root="0")
    for number in range(1, 12):
        await bot.said(f"Number {number}", thread=inside(bot, str(number)))

    await bot.said("/status")
    shown = await bot.platform.shown("- … 2 more")

    assert len(shown.labels) == 5
    assert "- 🕓 Number 9 · scripted · PENDING" in shown.text


# ---------------------------------------------------------------------------------------------- cancel


async def test_cancel_without_a_run(bot: WholeBot) -> None:
    assert (await bot.ask("/cancel")).text == "Nothing is running here that could be stopped."
    assert "I know no run `abcdef`." in (await bot.ask("/cancel abcdef")).text
    assert "I know no run `abc`." in (await bot.ask("/cancel abc")).text


async def test_cancel_of_a_run_that_is_over(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    run = await bot.only_run()

    assert (await bot.ask(f"/cancel {run.id[:8]}")).text == "“Mend it” is over already: COMPLETED."


async def test_cancel_at_the_top_asks_which_of_several(bot: WholeBot) -> None:
    await bot.linked()
    await working(bot, "One", root="a")
    await working(bot, "Two", root="b")

    await bot.said("/cancel")
    choose = await bot.platform.shown("Several runs are open here. Which one?")
    assert choose.labels == ["One · RUNNING", "Two · RUNNING"]
    await bot.platform.press("Two · RUNNING")
    await bot.platform.shown("**CANCELLED**")

    assert [run.state for run in await runs(bot)] == [RunState.RUNNING, RunState.CANCELLED]


async def test_cancel_at_the_top_means_the_one_run(bot: WholeBot) -> None:
    await bot.linked()
    await working(bot, "One", root="a")
    await bot.said("/cancel", thread=inside(bot, "b"))
    await bot.platform.shown("Nothing is running here that could be stopped.")

    await bot.ask("/cancel")

    assert (await bot.only_run()).state is RunState.CANCELLED


async def test_cancel_of_a_run_in_line(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    await working(bot)
    await bot.said("/execute DEMO-1")
    line = await bot.platform.shown("Waits until “Work for ever” is over in this thread")
    assert line.labels == ["⏹ Stop"]

    await bot.platform.press(line.buttons[0])
    await bot.platform.shown("“DEMO-1 Login” is taken out of the line. Nothing had been changed.")
    await bot.posts.until_quiet()

    assert "**CANCELLED**" in line.text
    assert line.labels == []
    run = (await runs(bot))[1]
    assert await states(bot, run) == [RunState.PENDING, RunState.CANCELLED]
    await bot.ask("/cancel")
    assert len(bot.agent.turns) == 1


async def test_a_run_that_waits_for_an_answer_is_stopped(bot: WholeBot) -> None:
    bot.agent.script = [QUESTION]
    await bot.linked()
    await bot.ask("Paint it")

    await bot.ask("/cancel")

    assert "Stopped by Olga" in bot.platform.posts[-1].text
    assert await states(bot, await bot.only_run()) == [
        RunState.PENDING,
        RunState.PLANNING,
        RunState.RUNNING,
        RunState.WAITING,
        RunState.CANCELLED,
    ]


async def test_what_was_said_to_a_run_that_is_stopped_is_told(bot: WholeBot) -> None:
    await bot.linked()
    await working(bot)
    await bot.said("And the tests")
    await bot.said("And the docs")

    await bot.ask("/cancel")

    left = bot.platform.find_shown("is **not** taken up. Say it again if you still want it:")
    assert left is not None
    assert "> And the tests  \n> And the docs" in left.text
    assert len(bot.agent.turns) == 1


async def test_a_stop_between_two_turns_leaves_the_second(bot: WholeBot) -> None:
    async def first(turn: TurnAsk, note: Note) -> TurnResult:
        await bot.said("And the tests")
        await bot.store.ask_stop(turn.run, "Olga")
        return TurnResult("one")

    bot.agent.script = [first]
    await bot.linked()

    await bot.ask("Mend it")

    assert len(bot.agent.turns) == 1
    assert bot.platform.find_shown("> And the tests") is not None
    assert (await bot.only_run()).state is RunState.CANCELLED


# ---------------------------------------------------------------------------------- history and new


async def test_history_lists_the_last_runs_with_their_states(bot: WholeBot) -> None:
    assert "No run yet in this chat." in (await bot.ask("/history")).text
    bot.agent.script = [AgentError("It broke.")]
    await bot.linked()
    for number in range(11):
        await bot.ask(f"Number {number}")

    shown = (await bot.ask("/history")).text

    assert shown.count("✅ Number") == 10
    assert "❌" not in shown
    assert "  \n  PENDING → PLANNING → RUNNING → COMPLETED" in shown
    assert "02 Mar 09:00 UTC · 0s" in shown


async def test_history_of_a_run_at_work(bot: WholeBot) -> None:
    await bot.linked()
    await working(bot)

    await bot.said("/history")

    assert "PENDING → PLANNING → RUNNING" in (await bot.platform.shown("The last runs")).text


async def test_new_leaves_the_branch_behind(bot: WholeBot) -> None:
    assert "There is nothing to leave behind here." in (await bot.ask("/new")).text
    await bot.linked()
    bot.workspaces.changes = {"a.py": "1"}
    await bot.ask("Mend it")

    assert "Left behind: `patchbay/" in (await bot.ask("/new")).text
    bot.workspaces.changes = {"b.py": "1"}
    await bot.ask("Mend it again")

    assert len(bot.workspaces.branches) == 2


async def test_new_is_refused_while_a_run_works(bot: WholeBot) -> None:
    await bot.linked()
    await working(bot)

    await bot.said("/new")

    await bot.platform.shown("“Work for ever” is still RUNNING on `patchbay/")


# ----------------------------------------------------------------------------------- questions and cuts


async def test_an_answer_that_is_offered_is_never_a_command(bot: WholeBot) -> None:
    bot.agent.script = [QUESTION]
    await bot.linked()
    asked = await bot.ask("Paint it")

    await bot.platform.press("Status")
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Paint it", "Status"]
    await bot.platform.press(asked.buttons[1])
    await bot.quiet()
    assert "That question was settled before: “Paint it” is COMPLETED." in bot.platform.posts[-1].text
    assert len(bot.agent.turns) == 2


async def test_an_answer_wakes_its_run_though_the_bot_died_before_it_could(bot: WholeBot) -> None:
    async def die(*_: object) -> None:
        died.set()
        await asyncio.Event().wait()

    died, bot.agent.script = asyncio.Event(), [QUESTION]
    await bot.linked()
    await bot.ask("Paint it")
    bot.engine.signal, signal = die, bot.engine.signal  # type: ignore[method-assign, assignment]
    await bot.platform.press("Light blue")
    await died.wait()

    bot.engine.signal = signal  # type: ignore[method-assign]
    await bot.restart()
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Paint it", "Light blue"]
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_an_answer_is_taken_once(bot: WholeBot) -> None:
    bot.agent.script = [QUESTION, for_ever]
    await bot.linked()
    await bot.ask("Paint it")
    bot.agent.began.clear()

    pressed = await bot.platform.press("Light blue")
    await bot.inbox.until_quiet()
    await bot.conversation.hear(pressed)
    await bot.agent.began.wait()

    assert [turn.prompt for turn in bot.agent.turns] == ["Paint it", "Light blue"]
    assert (await bot.store.queued_turns((await bot.only_run()).id)) == []


async def test_a_question_nobody_answers_ends_the_run(bot: WholeBot) -> None:
    bot.agent.script = [replace(QUESTION, options=())]
    await bot.linked()
    asked = await bot.ask("Paint it")
    assert asked.text.endswith("*Answer here, and I go on.*")

    await bot.clock.forward(24 * 3600 + 1)
    await bot.quiet()

    assert "Nobody answered for 24 hours." in bot.platform.posts[-1].text
    assert (await bot.only_run()).state is RunState.CANCELLED


async def test_a_word_that_was_taken_up_already_wakes_nobody(bot: WholeBot) -> None:
    async def first(turn: TurnAsk, note: Note) -> TurnResult:
        await bot.said("And the tests")
        return TurnResult("one")

    bot.agent.script = [first, QUESTION]
    await bot.linked()
    await bot.ask("Mend it")
    assert (await bot.only_run()).state is RunState.WAITING

    await bot.platform.press("Light blue")
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "And the tests", "Light blue"]
    assert len([each for each in bot.platform.posts if "Which one?" in each.text]) == 1


async def test_what_was_said_before_the_cut_answers_what_is_asked_after_it(bot: WholeBot) -> None:
    await bot.linked()
    await working(bot, "Paint it")
    bot.agent.script = [QUESTION]
    await bot.said("Light blue")
    await bot.restart()
    await bot.platform.shown("I restarted, and `Paint it` was cut.")
    await bot.quiet()

    await bot.platform.press("Resume")
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Paint it", "Paint it", "Light blue"]
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_what_was_said_before_the_cut_does_not_resume_it(bot: WholeBot) -> None:
    await bot.linked()
    await working(bot, "Mend it")
    await bot.said("And the tests")

    await bot.restart()
    card = await bot.platform.shown("I restarted, and `Mend it` was cut.")
    await bot.quiet()
    assert len(bot.agent.turns) == 1
    assert (await bot.only_run()).state is RunState.WAITING
    await bot.platform.press(card.buttons[0])
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "Mend it", "And the tests"]


async def test_discard_says_what_was_not_taken_up(bot: WholeBot) -> None:
    await bot.linked()
    await working(bot, "Mend it")
    await bot.said("And the tests")
    await bot.restart()
    card = await bot.platform.shown("was cut.")

    await bot.platform.press(card.buttons[1])
    await bot.quiet()
    assert bot.platform.find_shown("> And the tests") is not None
    await bot.platform.press(card.buttons[0])
    await bot.quiet()

    assert "That was settled before: the run is CANCELLED." in bot.platform.posts[-1].text
    assert "I know no run `nothing`." in (await bot.ask("/resume nothing")).text


async def test_a_cut_that_is_stopped(bot: WholeBot) -> None:
    await bot.linked()
    await working(bot, "Mend it")
    await bot.restart()
    await bot.platform.shown("was cut.")

    await bot.ask("/cancel")

    assert (await bot.only_run()).state is RunState.CANCELLED
    assert len(bot.agent.turns) == 1


# ----------------------------------------------------------------------------------- what goes wrong


async def refuse_to_publish(*_: object, **__: object) -> None:
    raise WorkspaceError("The branch is protected.")


async def test_what_cannot_be_published_is_kept_and_published_again(bot: WholeBot) -> None:
    async def work(turn: TurnAsk, note: Note) -> TurnResult:
        bot.workspaces.fault = WorkspaceError("The push was refused: the disk there is full.")
        return TurnResult("done")

    bot.agent.script = [work]
    bot.workspaces.changes = {"a.py": "1"}
    await bot.linked()

    failed = await bot.ask("Mend it")
    assert "The push was refused: the disk there is full." in failed.text
    assert "What was done is not published. It is safe in the bot's workspace" in failed.text
    assert failed.labels == ["Publish again"]
    assert bot.workspaces.discarded == []
    assert (await bot.only_run()).state is RunState.FAILED
    await bot.platform.press("Publish again")
    await bot.quiet()
    assert "The push was refused" in bot.platform.posts[-1].text
    bot.workspaces.fault = None
    bot.forge.fault = ForgeError("unseen: no pull request is asked for")
    publish, bot.workspaces.publish = bot.workspaces.publish, refuse_to_publish  # type: ignore[method-assign]
    await bot.platform.press("Publish again")
    await bot.quiet()
    again = bot.platform.posts[-1]
    assert "The branch is protected.\n\nWhat was done is not published." in again.text
    assert again.labels == ["Publish again"]
    bot.workspaces.publish = publish  # type: ignore[method-assign]
    bot.forge.fault = None
    await bot.platform.press("Publish again")
    await bot.quiet()

    published = bot.platform.posts[-1]
    assert "**1 file changed**" in published.text
    assert published.labels == ["Show diff", "Open pull request"]
    assert bot.workspaces.discarded == [(await bot.only_run()).id]
    await bot.platform.press("Open pull request")
    await bot.quiet()
    assert len(bot.forge.pulls) == 1


async def test_publish_when_there_is_nothing_to_publish(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    run = await bot.only_run()

    assert "There is nothing left to publish on `patchbay/" in (await bot.ask(f"/publish {run.id}")).text
    await working(bot)
    await bot.said(f"/publish {run.id}")
    await bot.platform.shown("is being worked on; publish when that is over.")


async def test_a_workspace_that_cannot_be_made_ends_the_run(bot: WholeBot) -> None:
    bot.workspaces.fault = WorkspaceError("No space is left on the bot's disk.")
    await bot.linked()

    failed = await bot.ask("Mend it")

    assert failed.text == (
        "❌ **Mend it** · scripted\n\nNo space is left on the bot's disk.\n\n"
        "Nothing was changed. Say it again to try once more."
    )
    assert failed.labels == []
    assert (await bot.only_run()).state is RunState.FAILED
    assert len(bot.workspaces.discarded) == 1


async def test_an_agent_that_breaks_the_bot_is_told_and_nothing_is_thrown_away(bot: WholeBot) -> None:
    async def broken(turn: TurnAsk, note: Note) -> TurnResult:
        raise ZeroDivisionError

    bot.agent.script = [broken]
    await bot.linked()

    failed = await bot.ask("Mend it")

    assert "Something went wrong inside the bot" in failed.text
    assert failed.labels == ["Publish again"]
    assert bot.workspaces.discarded == []
    assert (await bot.ask("/status")).text.startswith("Nothing is running here.")


async def test_an_agent_that_is_taken_out_of_the_configuration(bot: WholeBot) -> None:
    await bot.linked()
    bot.agent.script = [QUESTION]
    await bot.ask("Paint it")
    bot.agents.clear()

    told = await bot.ask("Blue")

    assert "The agent `scripted` is no longer configured; /agents lists them." in told.text
    assert (await bot.only_run()).state is RunState.FAILED
