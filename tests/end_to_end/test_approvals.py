"""Approvals through the chat, on both platforms, with the real program, its sandbox and the built-in loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.stage import ADA, OWNER, REPO, ROOM, Stage, stage
from tests.fakes.llm import Entry, Request, Scripted, Use, Words
from tests.fakes.telegram import Shown
from tests.repositories import files_on

WORKFLOW = ".github/workflows/ci.yml"
SECONDS = 60


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


def told(words: str) -> list[Scripted]:
    """The agent edits a workflow, and writes down what it was told about that."""

    def second(asked: Request) -> Entry:
        return Use("edit", path="seen.txt", old="", new=words if words in asked.last_words else asked.last_words)

    edit = Use("edit", path=WORKFLOW, old="", new="on: push\n")
    return [replace(edit, text="The tests should run on each push."), second, Words("That is all.")]


async def test_telegram_once_lets_the_agent_go_on(scene: Stage) -> None:
    telegram = scene.telegram
    scene.llm.script(told("is written"))

    async def post(*words: str) -> Shown:
        def found() -> list[Shown]:
            return [each for each in telegram.posts if all(word in each.text for word in words)]

        await telegram.wait_for(found, SECONDS)
        return found()[0]

    async with scene.bot("telegram"):
        telegram.say(ADA, f"/create_project DEMO Demo {REPO}", sender=ADA)
        await post("linked to it")
        telegram.say(ADA, "Run the tests on each push")
        question = await post("May the agent", "The tests should run on each push.", "+on: push")
        labels = [key["text"] for row in question.buttons for key in row]
        await post("Waits for your yes or no")
        telegram.press(ADA, telegram.button(ADA, "Once"))
        settled = await post("Allowed once, by Ada")
        await telegram.wait_for(lambda: scene.llm.left == 0, SECONDS)

    assert labels == ["Once", "This run", "Always here", "Deny"]
    assert settled.message == question.message
    assert not settled.buttons
    assert "is written" in scene.llm.requests[1].last_words


async def test_slack_deny_with_a_reason_that_reaches_the_agent(scene: Stage) -> None:
    slack = scene.slack
    scene.llm.script(told("It must stay as it is"))
    async with scene.bot("slack"):
        await slack.say(ROOM, OWNER, f"create_project DEMO Demo {REPO}")
        await slack.wait_for(lambda: [each for each in slack.posts if "linked to it" in each.markdown], SECONDS)
        thread = await slack.say(ROOM, OWNER, "Run the tests on each push")
        [question] = await slack.wait_for(
            lambda: [each for each in slack.thread(thread) if "May the agent" in each.markdown], SECONDS
        )
        await slack.press(question.ts, "Deny", OWNER)
        await slack.wait_for(lambda: "Say here why" in slack.message(question.ts).markdown, SECONDS)
        await slack.say(ROOM, OWNER, "It must stay as it is", thread_ts=thread)
        await slack.wait_for(lambda: [each for each in slack.thread(thread) if "✅" in each.markdown], SECONDS)

    files = files_on(scene.bare, scene.repo.pulls[0]["head"]["ref"])
    assert WORKFLOW not in files, "what was denied left no change"
    assert files["seen.txt"] == b"It must stay as it is"
    assert "Denied" in slack.message(question.ts).markdown
