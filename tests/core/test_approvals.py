"""Approvals as people meet them: an agent asks about one act, somebody answers, and the agent goes on or does not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.approvals.defaults import DEFAULTS
from core.approvals.desk import NO_REASON, NOBODY, REASON_SECONDS, TIMED_OUT, TOO_LONG
from core.approvals.policy import Policy, Rule, Then
from core.model.approvals import Act, ActKind, ApprovalId, Decision, Verdict
from core.model.chat import Cause, Person, Priority, ThreadRef
from core.model.events import Readiness, TurnAsk, TurnResult
from core.model.work import Checkout, ProjectKey, Run, RunId, RunState, Turn
from core.ports import Approve, Note
from core.runs.turn import Nobody
from tests.fakes.platform import ShownPost
from tests.whole import MEMBER, REVIEWER, VIEWER, WholeBot, whole_bot

DELETE = "rm -rf src"
HERE = Checkout(RunId("r1"), ProjectKey("DEMO"), "/work/r1", "b", "main", "0" * 40)
TURN = Turn(RunId("r1"), 1, Cause("c"), "do it", MEMBER)


def run_act(command: str, **changes: object) -> Act:
    made = Act(ActKind.RUN, command, ("bash", "-c", command), command, reason="It is old.")
    return replace(made, **changes)  # type: ignore[arg-type]


class Asking:
    """Asks about each of `acts` in turn, and says what it was told. `again`: after a restart it does so once more."""

    name = "asking"
    can_repeat = True

    def __init__(self) -> None:
        self.acts: Sequence[Act] = (run_act(DELETE),)
        self.verdicts: list[Verdict] = []

    async def ready(self) -> Readiness:
        return Readiness("asks", is_usable=True)

    async def take_turn(self, turn: TurnAsk, note: Note, approve: Approve) -> TurnResult:
        for act in self.acts:
            self.verdicts.append(await approve(replace(act, folder=turn.checkout.path)))
        told = ", ".join("yes" if each.granted else f"no: {each.reason}" for each in self.verdicts)
        return TurnResult(f"I was told {told}")


@pytest.fixture
def agent() -> Asking:
    return Asking()


@pytest.fixture
async def bot(tmp_path: Path, agent: Asking) -> AsyncIterator[WholeBot]:
    async with whole_bot(tmp_path, agents=[agent]) as whole:
        await whole.linked()
        await whole.ask("/link DEMO asking")
        yield whole


async def asked(bot: WholeBot, words: str = "Clean up", *, person: Person | None = None) -> ShownPost:
    """Say it, and wait for the question."""
    since = len(bot.platform.posts)
    await bot.said(words, person=person)
    return await bot.platform.shown("May the agent", since=since)


def id_in(question: ShownPost) -> ApprovalId:
    """As people read it in any form of the question."""
    return ApprovalId(re.findall(r"`([0-9a-f]{10})`", question.history[0].text)[-1])


async def asked_id(bot: WholeBot, command: str, agent: Asking) -> ApprovalId:
    agent.acts = (run_act(command),)
    return id_in(await asked(bot, f"now {command}"))


async def started(bot: WholeBot, agent: Asking) -> Run:
    """A run of this chat, which is over."""
    agent.acts = ()
    await bot.ask("Do nothing")
    return await bot.only_run()


async def test_what_the_rules_allow_is_done_and_nobody_is_asked(bot: WholeBot, agent: Asking) -> None:
    agent.acts = (run_act("pytest -q"),)

    answer = await bot.ask("Test it")

    assert agent.verdicts == [Verdict(granted=True)]
    assert "I was told yes" in answer.text
    assert not [each for each in bot.platform.posts if "🔐" in each.text]


async def test_what_the_rules_refuse_is_not_done_and_the_agent_reads_why(bot: WholeBot, agent: Asking) -> None:
    agent.acts = (run_act("sudo rm x"),)

    await bot.ask("Be root")

    assert not agent.verdicts[0].granted
    assert "there is no other account" in agent.verdicts[0].reason


async def test_a_question_shows_what_it_is_about_and_once_lets_the_agent_go_on(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)

    assert question.labels == ["Once", "This run", "Always here", "Deny"]
    assert "```sh\nrm -rf src\n```" in question.text
    assert "**Why:** It is old." in question.text
    assert "it deletes much" in question.text
    await bot.platform.shown("Waits for your yes or no: rm -rf src")
    await bot.platform.press("Once")
    await bot.quiet()
    assert agent.verdicts == [Verdict(granted=True, by="Olga")]
    assert "✅ **Allowed** once, by Olga" in question.text
    assert question.labels == []
    assert "Waits for your yes" not in bot.platform.posts[-2].text
    assert (await bot.only_run()).state is RunState.COMPLETED


async def test_a_no_that_is_pressed_waits_a_while_for_its_reason(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    await bot.platform.press("Deny", person=MEMBER)
    await bot.platform.shown("Say here why")
    await bot.ask("it is still needed", person=MEMBER)

    assert agent.verdicts == [Verdict(granted=False, reason="Mia denied it: it is still needed", by="Mia")]
    assert "⛔ **Denied** by Mia" in question.text
    assert "“it is still needed”" in question.text
    assert question.labels == []
    assert len((await bot.only_run()).id) == 36, "and it is no message to the agent besides"


async def test_a_no_without_a_reason_is_told_at_once_or_after_a_while(bot: WholeBot, agent: Asking) -> None:
    await asked(bot)
    await bot.platform.press("Deny")
    await bot.platform.shown("Say here why")
    await bot.platform.press("Go on without a reason")
    await bot.quiet()
    await asked(bot)
    await bot.platform.press("Deny")
    await bot.platform.shown("Say here why")
    await bot.clock.forward(REASON_SECONDS)
    await bot.quiet()

    assert [each.reason for each in agent.verdicts] == [NO_REASON, NO_REASON]


@pytest.mark.parametrize("words", ["yes", "Yes!", "ok", "go ahead", "👍", "yes, please"])
async def test_a_plain_yes_lets_it_be_done(bot: WholeBot, agent: Asking, words: str) -> None:
    await asked(bot)
    await bot.ask(words, person=REVIEWER)

    assert agent.verdicts == [Verdict(granted=True, by="Rob")]


@pytest.mark.parametrize("words", ["no, because it is needed", "No. It is needed", "deny: it is needed"])
async def test_a_plain_no_takes_its_reason_along(bot: WholeBot, agent: Asking, words: str) -> None:
    await asked(bot)
    await bot.ask(words, person=MEMBER)

    assert [each.reason.lower() for each in agent.verdicts] == ["mia denied it: it is needed"]


async def test_a_bare_no_is_no_at_once(bot: WholeBot, agent: Asking) -> None:
    await asked(bot)
    await bot.ask("no")

    assert [each.reason for each in agent.verdicts] == [NO_REASON]


async def test_other_words_are_for_the_agent_and_the_question_stays(bot: WholeBot, agent: Asking) -> None:
    await asked(bot)
    await bot.said("yes, but rename it first")

    assert await bot.platform.shown("📥")
    assert agent.verdicts == []


async def test_it_can_be_typed_with_the_id(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    await bot.ask(f"/approve {id_in(question)} run")
    again = await asked_id(bot, "rm -rf src tests", agent)
    await bot.ask(f"/deny `{again}` not these")

    assert agent.verdicts[0].granted
    assert agent.verdicts[-1].reason == "Olga denied it: not these"
    for wrong in ("/approve", "/approve 1 2 3", "/approve nothing", "/deny", "/approvals drop", "/approvals x y"):
        assert "✅" not in (await bot.ask(wrong)).text
    assert "once" in (await bot.ask(f"/approve {again} ever")).text


async def test_for_this_run_covers_what_is_alike_and_ends_with_it(bot: WholeBot, agent: Asking) -> None:
    agent.acts = (run_act(DELETE), run_act(DELETE), run_act(DELETE, environment=("A",)))
    await asked(bot)
    await bot.platform.press("This run")
    other = await bot.platform.shown("With the variables `A`")
    await bot.platform.press("Once")
    await bot.quiet()

    assert [each.granted for each in agent.verdicts] == [True, True, True]
    assert len([each for each in bot.platform.posts if "Allowed** for this run" in each.text]) == 1
    assert "Allowed** once" in other.text
    agent.acts = (run_act(DELETE),)
    await asked(bot, "again")


async def test_always_here_is_a_rule_until_it_is_removed(bot: WholeBot, agent: Asking) -> None:
    await asked(bot)
    await bot.platform.press("Always here")
    await bot.quiet()
    await bot.ask("again")
    listed = await bot.ask("/approvals")

    assert [each.granted for each in agent.verdicts] == [True, True]
    assert "`rm -rf src` in DEMO · Olga" in listed.text
    assert "Nothing waits" in listed.text
    await bot.platform.press("Remove rm -rf src")
    removed = await bot.platform.shown("Removed")
    assert removed
    await bot.platform.press(listed.buttons[0])
    await bot.platform.shown("Nothing is allowed for good here")
    waits = await asked(bot, "once more")
    await bot.said("/approvals")
    listed = await bot.platform.shown("Waits for a yes or no")
    assert id_in(waits) in listed.text


async def test_the_first_answer_counts_and_the_next_is_told_so(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    once, deny = question.buttons[0], question.buttons[3]
    agent.acts = ()
    await bot.platform.press(once, person=MEMBER)
    await bot.quiet()
    await bot.ask(f"/deny {id_in(question)} too late", person=REVIEWER)
    await bot.ask(f"/deny {id_in(question)} too late", person=MEMBER)

    told = [each.text for each in bot.platform.posts if "settled before" in each.text]
    assert len(told) == 2
    assert all("Allowed** once, by Mia" in each for each in told)
    assert [each.granted for each in agent.verdicts] == [True]
    assert deny.label == "Deny"


async def test_silence_is_no(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    await bot.clock.forward(3600)
    await bot.quiet()

    assert [each.reason for each in agent.verdicts] == [TIMED_OUT]
    assert "Not allowed**: nobody answered" in question.text
    assert question.labels == []


async def test_viewers_and_strangers_answer_nothing(bot: WholeBot, agent: Asking) -> None:
    await asked(bot)
    for person in (VIEWER, Person("fake", "home", "stranger", "Sam")):
        await bot.platform.press("Once", person=person)
        await bot.said("yes", person=person)
    await bot.inbox.until_quiet()

    assert agent.verdicts == []
    assert len(await bot.store.open_approvals()) == 1


async def test_a_question_is_answered_in_its_own_thread_alone(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    elsewhere = ThreadRef("fake", "home", "group")
    beside = replace(bot.platform.thread, root="7")
    for thread in (elsewhere, beside):
        for word in ("approve", "deny"):
            since = len(bot.platform.posts)
            await bot.said(f"/{word} {id_in(question)}", thread=thread)
            await bot.platform.shown("No question", since=since)

    assert agent.verdicts == []


async def test_two_must_say_yes_where_the_rules_say_so(tmp_path: Path, agent: Asking) -> None:
    policy = Policy([Rule(Then.ASK, commands=("deploy *",), second=True, why="it is live"), *DEFAULTS])
    agent.acts = (run_act("deploy now"),)
    async with whole_bot(tmp_path, agents=[agent]) as bot:
        bot.approvals._policy = policy
        await bot.linked()
        await bot.ask("/link DEMO asking")
        question = await asked(bot, "Ship it", person=MEMBER)
        assert question.labels == ["Once", "Deny"]
        assert "Two people must say yes" in question.text
        await bot.platform.press("Once", person=REVIEWER)
        await bot.platform.shown("One more person must say it too")
        await bot.said("yes", person=REVIEWER)
        await bot.platform.shown("somebody else must say it too")
        await bot.said("yes", person=MEMBER)
        await bot.platform.shown("must come from somebody else")
        await bot.platform.press("Once")
        await bot.quiet()

    assert agent.verdicts == [Verdict(granted=True, by="Olga")]
    assert "by Olga and Rob" in question.text


async def test_a_stop_takes_the_question_back(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    await bot.ask("/cancel")

    assert agent.verdicts == []
    assert "No longer asked" in question.text
    assert await bot.store.open_approvals() == []
    assert (await bot.only_run()).state is RunState.CANCELLED


async def test_while_one_waits_another_run_has_its_room(tmp_path: Path, agent: Asking) -> None:
    async with whole_bot(tmp_path, agents=[agent], most_at_once=1) as bot:
        await bot.linked()
        await bot.ask("/link DEMO asking")
        await asked(bot)
        other = replace(bot.platform.thread, root="9")
        agent.acts = (run_act("ls"),)
        await bot.said("And this", thread=other)
        await bot.platform.shown("I was told yes")


async def test_after_a_restart_a_yes_that_was_not_used_serves_the_same_act_alone(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    await bot.crash()
    [waits] = await bot.store.open_approvals()
    await bot.store.decide_approval(waits.id, Decision(granted=True, person=MEMBER), bot.clock.now())
    agent.acts = (run_act(DELETE), run_act(DELETE), run_act("rm -rf tests"))
    since = len(bot.platform.posts)
    await bot.start()
    again = await bot.platform.shown("May the agent", since=since)

    assert agent.verdicts == [Verdict(granted=True, by="Mia")]
    assert "I restarted" not in again.text, "it is another question: a yes counts once"
    assert id_in(again) != id_in(question)
    await bot.platform.press("Once")
    other = await bot.platform.shown("rm -rf tests", since=since)
    assert other
    await bot.ask("no")


async def test_after_a_restart_an_open_question_is_asked_once_more_and_says_so(bot: WholeBot, agent: Asking) -> None:
    first = await asked(bot)
    since = len(bot.platform.posts)
    await bot.restart()
    second = await bot.platform.shown("I restarted while this was open", since=since)
    await bot.restart()
    await bot.platform.press(first.buttons[0])
    await bot.quiet()

    assert id_in(second) == id_in(first)
    assert len([each for each in bot.platform.posts if "May the agent" in each.history[0].text]) == 2
    assert agent.verdicts == [Verdict(granted=True, by="Olga")]
    assert all("Allowed** once" in each.text for each in (first, second))


async def test_several_open_questions_are_not_answered_by_a_plain_yes(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    [one] = await bot.store.open_approvals()
    await bot.store.ask_approval(replace(one, id=ApprovalId("f" * 10), digest="another"))

    await bot.said("yes")
    await bot.platform.shown("Several questions are open")
    assert agent.verdicts == []
    await bot.ask(f"/approve {id_in(question)}")
    assert agent.verdicts[0].granted


async def test_a_long_act_stands_whole_before_its_question(bot: WholeBot, agent: Asking) -> None:
    line = "rm -rf src && echo " + "x" * 5000 + " && echo the end"
    agent.acts = (run_act(line),)
    question = await asked(bot)
    [before] = [each for each in bot.platform.posts if "All of what the next question" in each.text]

    assert "the end" in before.text
    assert "all of it stands in the post before" in question.text
    assert "the end" not in question.text


async def test_what_nobody_can_look_through_is_not_asked(bot: WholeBot, agent: Asking) -> None:
    agent.acts = (Act(ActKind.EDIT, "x", target=".envrc", content="x\n" * 1_000_001),)
    await bot.ask("Write it")

    assert [each.reason for each in agent.verdicts] == [TOO_LONG]


async def test_where_nobody_can_be_asked_nothing_is_allowed(bot: WholeBot, agent: Asking) -> None:
    run = await started(bot, agent)
    approve = bot.approvals.approve_for(replace(run, thread=replace(run.thread, platform="gone")), TURN, HERE)

    assert await approve(run_act(DELETE)) == Verdict(granted=False, reason=NOBODY)
    assert not (await Nobody().approve_for(run, TURN, HERE)(run_act("ls"))).granted
    await Nobody().end(run)


async def test_a_question_is_above_progress_and_below_answers(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    kept = await bot.store.outgoing(question.key)

    assert kept is not None
    assert kept.priority is Priority.APPROVAL


async def test_a_reason_that_comes_when_the_agent_has_gone_on_is_too_late(bot: WholeBot, agent: Asking) -> None:
    question = await asked(bot)
    await bot.ask("no")

    assert "too late" in (await bot.ask(f"/deny {id_in(question)} it is needed")).text
    assert [each.reason for each in agent.verdicts] == [NO_REASON]


async def test_a_yes_that_nobody_used_in_time_is_void_after_a_restart(bot: WholeBot, agent: Asking) -> None:
    await asked(bot)
    await bot.crash()
    [waits] = await bot.store.open_approvals()
    await bot.store.decide_approval(waits.id, Decision(granted=True, person=MEMBER), bot.clock.now())
    await bot.clock.forward(3601)
    await bot.start()
    await bot.quiet()

    assert agent.verdicts == [Verdict(granted=False, reason=TIMED_OUT)]


async def test_what_was_denied_is_not_asked_again_in_the_same_turn(bot: WholeBot, agent: Asking) -> None:
    agent.acts = (run_act(DELETE), run_act(DELETE))
    await asked(bot)
    await bot.ask("no, it is needed")

    assert [each.reason for each in agent.verdicts] == ["Olga denied it: it is needed"] * 2
    assert len([each for each in bot.platform.posts if "May the agent" in each.history[0].text]) == 1


async def test_who_waits_without_a_turn_takes_no_room(bot: WholeBot) -> None:
    bot.live.expect(RunId("r1"))
    with bot.live.waiting(RunId("r1"), "waits"):
        assert bot.live.has_room(RunId("r2"), 1)
    assert not bot.live.has_room(RunId("r2"), 1)
