"""The guard in a run: nothing that is guarded is published unasked, and the answer counts for what was shown alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.guard import GuardAction, GuardClass, GuardPolicy
from core.guard.policy import OFF
from core.model.chat import Button
from core.model.errors import WorkspaceError
from core.model.events import TurnAsk, TurnResult
from core.model.work import RunState
from core.ports import Note
from tests.fakes.agent import for_ever
from tests.fakes.platform import ShownPost
from tests.whole import MEMBER, WholeBot

WORKFLOW = ".github/workflows/ci.yml"
SECRET = "sec" + "ret-of-the-bot-0815"


@pytest.fixture
async def held(bot: WholeBot) -> WholeBot:
    """A run has changed a workflow beside its code."""
    await bot.linked()
    bot.workspaces.changes = {"a.py": "x = 1", WORKFLOW: "on: push\u202e"}
    await bot.ask("Mend it")
    return bot


def card(bot: WholeBot) -> ShownPost:
    return next(post for post in reversed(bot.platform.posts) if "🛡" in post.text and post.post.buttons)


def policy(bot: WholeBot, guard: GuardPolicy, **facts: Any) -> None:
    """As another configuration would have it, from the next start on."""
    object.__setattr__(bot.steps, "guard", guard)
    for name, value in facts.items():
        object.__setattr__(bot.steps, name, value)


def button(post: ShownPost, label: str) -> Button:
    return next(each for row in post.history[0].buttons for each in row if each.label == label)


async def press(bot: WholeBot, label: str, post: ShownPost | None = None) -> None:
    await bot.platform.press(button(post or card(bot), label))
    await bot.quiet()


def branch(bot: WholeBot) -> dict[str, str]:
    return next(iter(bot.workspaces.branches.values()), {})


async def test_what_is_guarded_holds_everything_back_and_shows_exactly_that(held: WholeBot) -> None:
    assert (await held.only_run()).state is RunState.WAITING
    assert branch(held) == {}
    shown = card(held)
    assert WORKFLOW in shown.text
    assert "a.py" not in shown.text
    assert "<U+202E>" in shown.text
    assert [each.label for row in shown.post.buttons for each in row] == ["Publish all", "Without these", "Deny"]
    assert held.forge.pulls == []


async def test_nothing_guarded_is_published_unasked(bot: WholeBot) -> None:
    await bot.linked()
    bot.workspaces.changes = {"a.py": "x = 1"}
    await bot.ask("Mend it")

    assert branch(bot) == {"a.py": "x = 1"}
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_with_the_guard_off_a_workflow_is_published(bot: WholeBot) -> None:
    """The control."""
    policy(bot, OFF)
    await bot.linked()
    bot.workspaces.changes = {WORKFLOW: "on: push"}
    await bot.ask("Mend it")

    assert branch(bot) == {WORKFLOW: "on: push"}


async def test_publish_all(held: WholeBot) -> None:
    question = card(held)
    await press(held, "Publish all")

    assert set(branch(held)) == {"a.py", WORKFLOW}
    assert (await held.only_run()).state is RunState.COMPLETED
    assert len(held.forge.pulls) == 1
    assert "**published**" in question.text
    assert question.post.buttons == ()


async def test_without_these_publishes_the_rest_and_keeps_them(held: WholeBot) -> None:
    await press(held, "Without these")

    assert branch(held) == {"a.py": "x = 1"}
    assert held.workspaces.changes == {WORKFLOW: "on: push\u202e"}
    assert f"Left out, and kept in the bot's workspace: `{WORKFLOW}`" in held.platform.posts[-1].text
    assert (await held.only_run()).state is RunState.COMPLETED
    assert (await held.only_run()).id not in held.workspaces.discarded


async def test_deny_keeps_everything_in_the_checkout(held: WholeBot) -> None:
    await press(held, "Deny")

    run = await held.only_run()
    assert branch(held) == {}
    assert set(held.workspaces.changes) == {"a.py", WORKFLOW}
    assert run.state is RunState.FAILED
    assert run.id not in held.workspaces.discarded
    assert "the answer about a file of it was no" in held.platform.posts[-1].text


async def test_silence_is_no(held: WholeBot) -> None:
    await held.clock.forward(24 * 3600 + 1)
    await held.quiet()

    assert branch(held) == {}
    assert "nobody said yes" in held.platform.posts[-1].text
    assert (await held.only_run()).state is RunState.FAILED


async def test_what_was_kept_back_can_be_published_again_and_is_asked_about_again(held: WholeBot) -> None:
    await press(held, "Deny")
    await press(held, "Publish again", held.platform.posts[-1])
    assert branch(held) == {}

    again = card(held)
    await press(held, "Deny", again)
    assert "Not published, by" in held.platform.posts[-1].text
    await press(held, "Publish all", again)

    assert set(branch(held)) == {"a.py", WORKFLOW}


async def test_published_again_without_these(held: WholeBot) -> None:
    await press(held, "Deny")
    await press(held, "Publish again", held.platform.posts[-1])
    question = card(held)
    await press(held, "Without these", question)
    assert branch(held) == {"a.py": "x = 1"}
    assert "Left out" in held.platform.posts[-1].text

    await held.ask(f"/publish {(await held.only_run()).id}")
    await press(held, "Without these")

    assert "There is nothing left to publish" in held.platform.posts[-1].text


async def test_an_answer_counts_for_the_files_that_were_shown_alone(held: WholeBot) -> None:
    question = card(held)
    held.workspaces.changes[WORKFLOW] = "on: pull_request_target"
    await press(held, "Publish all", question)

    assert branch(held) == {}
    assert "on: pull_request_target" in card(held).text
    await held.ask(button(question, "Publish all").says)
    assert "settled before" in held.platform.posts[-1].text
    assert branch(held) == {}
    await press(held, "Publish all")
    assert branch(held)[WORKFLOW] == "on: pull_request_target"


async def test_what_else_is_published_may_change_when_they_stay_out(held: WholeBot) -> None:
    held.workspaces.changes["b.py"] = "y = 1"
    await press(held, "Without these")

    assert branch(held) == {"a.py": "x = 1", "b.py": "y = 1"}


async def test_the_question_survives_a_restart(held: WholeBot) -> None:
    await held.restart()
    await held.quiet()
    await press(held, "Publish all")

    assert set(branch(held)) == {"a.py", WORKFLOW}


async def test_only_one_answer_counts(held: WholeBot) -> None:
    question = card(held)
    await held.platform.press(button(question, "Without these"))
    await held.platform.press(button(question, "Publish all"))
    await held.quiet()

    assert branch(held) == {"a.py": "x = 1"}


async def test_a_stop_answers_no(held: WholeBot) -> None:
    await held.ask("/cancel")

    assert branch(held) == {}
    assert (await held.only_run()).state is RunState.CANCELLED
    assert "would have needed a yes" in held.platform.posts[-1].text


async def test_a_discard_answers_no(held: WholeBot) -> None:
    await held.ask(f"/discard {(await held.only_run()).id}")

    assert branch(held) == {}


async def test_a_resume_answers_nothing(held: WholeBot) -> None:
    await held.ask(f"/resume {(await held.only_run()).id}")

    assert (await held.only_run()).state is RunState.WAITING


async def test_what_is_said_meanwhile_is_the_next_turn_and_then_it_is_asked_again(held: WholeBot) -> None:
    first = card(held)
    await held.ask("And the docs")

    assert [turn.prompt for turn in held.agent.turns] == ["Mend it", "And the docs"]
    assert branch(held) == {}
    assert "asked again later" in first.text
    second = card(held)
    assert second.post.buttons != ()
    await press(held, "Publish all")
    assert set(branch(held)) == {"a.py", WORKFLOW}


async def test_what_was_left_out_is_not_asked_about_twice(held: WholeBot) -> None:
    async def change(turn: TurnAsk, note: Note) -> TurnResult:
        held.workspaces.changes["c.py"] = "z = 1"
        await held.platform.say("And more")
        await held.inbox.until_quiet()
        return TurnResult("done")

    held.agent.script = [change, TurnResult("done")]
    await held.platform.say("Go on")
    await held.quiet()
    await press(held, "Without these")

    assert branch(held) == {"a.py": "x = 1", "c.py": "z = 1"}
    assert (await held.only_run()).state is RunState.COMPLETED


async def test_a_run_that_was_stopped_asks_nothing(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    bot.workspaces.changes = {WORKFLOW: "on: push"}
    await bot.ask("/cancel")

    assert branch(bot) == {}
    assert (await bot.only_run()).state is RunState.CANCELLED
    assert "Publish again" in [each.label for row in bot.platform.posts[-1].post.buttons for each in row]


async def test_a_secret_is_published_only_by_who_types_it_out(bot: WholeBot) -> None:
    policy(bot, GuardPolicy(), redact=lambda text: text.replace(SECRET, "[redacted]"))
    await bot.linked()
    bot.workspaces.changes = {"a.py": f"key = '{SECRET}'"}
    await bot.ask("Mend it")

    shown = card(bot)
    assert SECRET not in "".join(post.text for post in bot.platform.posts)
    assert [each.label for row in shown.post.buttons for each in row] == ["Without these", "Deny"]
    typed = next(word for word in shown.text.split("`") if "expressly" in word)
    await bot.ask(typed.replace("expressly", "all"))
    assert branch(bot) == {}
    await bot.ask(next(word for word in card(bot).text.split("`") if "expressly" in word))
    assert branch(bot) == {"a.py": f"key = '{SECRET}'"}


async def test_what_the_configuration_denies_nobody_publishes(bot: WholeBot) -> None:
    policy(bot, GuardPolicy({GuardClass.WORKFLOWS: GuardAction.DENY}))
    await bot.linked()
    bot.workspaces.changes = {WORKFLOW: "on: push"}
    await bot.ask("Mend it")
    says = card(bot).post.buttons[0][0].says
    for word in ("all", "expressly"):
        await bot.ask(says.replace("without", word))
        assert branch(bot) == {}
    assert "lets nobody publish" in card(bot).text

    await press(bot, "Without these")

    assert branch(bot) == {}
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_who_asked_for_the_run_may_not_answer_where_two_are_needed(held: WholeBot) -> None:
    policy(held, GuardPolicy(second=True))
    says = card(held).post.buttons[0][0].says
    await held.ask(says)
    assert "somebody else must say" in held.platform.posts[-1].text
    assert branch(held) == {}

    await held.ask(says, person=MEMBER)

    assert set(branch(held)) == {"a.py", WORKFLOW}


@pytest.mark.parametrize("words", ["/guard", "/guard x all", "/guard x never 0123456789ab", "/guard x all 01234"])
async def test_only_what_a_button_would_say_is_understood(bot: WholeBot, words: str) -> None:
    assert "The buttons under what is held back say this" in (await bot.ask(words)).text


async def test_a_publish_that_fails_after_the_answer_is_told(held: WholeBot) -> None:
    held.workspaces.fault = WorkspaceError("The disk is full.")
    await press(held, "Publish all")

    assert "The disk is full." in held.platform.posts[-1].text
    held.workspaces.fault = None
    await press(held, "Publish again", held.platform.posts[-1])
    assert "🛡" in held.platform.posts[-1].text


async def test_many_paths_and_a_long_diff_are_cut(bot: WholeBot) -> None:
    await bot.linked()
    bot.workspaces.changes = {f".github/workflows/{number}.yml": "x" * 2000 for number in range(30)}
    await bot.ask("Mend it")

    shown = card(bot)
    assert "30 files need your yes" in shown.text
    assert "… 10 more" in shown.text
    await press(bot, "Without these")
    assert "and 12 more" in bot.platform.posts[-1].text


async def test_a_run_that_works_again_publishes_nothing_aside(held: WholeBot) -> None:
    await press(held, "Deny")
    says = held.platform.posts[-1].post.buttons[0][0].says
    held.agent.script = [for_ever]
    held.agent.began.clear()
    await held.said("Go on")
    await held.agent.began.wait()

    await held.said(says)
    await held.posts.until_quiet()

    assert any("is being worked on; publish when that is over" in post.text for post in held.platform.posts)
    assert branch(held) == {}


def test_a_policy_can_be_changed_in_one_place() -> None:
    assert replace(GuardPolicy(), second=True).action(GuardClass.SECRETS) is GuardAction.EXPRESSLY


async def test_what_was_taken_up_before_the_question_does_not_answer_it(bot: WholeBot) -> None:
    async def first(turn: TurnAsk, note: Note) -> TurnResult:
        await bot.platform.say("And the build")
        await bot.inbox.until_quiet()
        return TurnResult("done")

    async def second(turn: TurnAsk, note: Note) -> TurnResult:
        bot.workspaces.changes = {WORKFLOW: "on: push"}
        return TurnResult("done")

    bot.agent.script = [first, second]
    await bot.linked()
    await bot.ask("Mend it")

    assert card(bot).post.buttons != ()
    assert (await bot.only_run()).state is RunState.WAITING
    await press(bot, "Publish all")
    assert branch(bot) == {WORKFLOW: "on: push"}


async def test_what_still_cannot_be_published_can_be_tried_again(held: WholeBot) -> None:
    await press(held, "Deny")
    await press(held, "Publish again", held.platform.posts[-1])

    async def refuse(*_: object, **__: object) -> None:
        raise WorkspaceError("The push was refused.")

    held.workspaces.publish = refuse  # type: ignore[method-assign]
    await press(held, "Publish all")

    assert "The push was refused." in held.platform.posts[-1].text
    assert "Publish again" in held.platform.posts[-1].labels
