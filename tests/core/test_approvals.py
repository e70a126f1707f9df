"""Approvals as people meet them: an agent asks about one act, somebody answers, and the agent goes on or does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.model.approvals import Act, ActKind, Verdict
from core.model.chat import Person
from core.model.events import Readiness, TurnAsk, TurnResult
from core.model.work import RunState
from core.ports import Approve, Note
from tests.fakes.platform import ShownPost
from tests.whole import MEMBER, WholeBot, whole_bot

DELETE = "rm -rf src"


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
