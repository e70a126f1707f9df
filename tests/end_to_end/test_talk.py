"""What people do with a bot that runs: plain words, words meanwhile and after, stop, questions, digests, merging."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.end_to_end.stage import ADA, GROUP, OWNER, REPO, ROOM, Gate, Stage, stage, until_running
from tests.fakes.llm import Use, Words
from tests.fakes.telegram import Shown
from tests.repositories import files_on, has_branch, subjects


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


async def post(scene: Stage, *words: str, after: int = 0, chat: int = ADA) -> Shown:
    """The first post on Telegram that holds all the words, counted from `after` on."""

    def found() -> list[Shown]:
        mine = [each for each in scene.telegram.posts[after:] if each.chat == chat]
        return [each for each in mine if all(word in each.text for word in words)]

    try:
        await scene.telegram.wait_for(found, 30)
    except TimeoutError:
        raise AssertionError("\n".join(repr(each.text) for each in scene.telegram.posts)) from None
    return found()[0]


async def link(scene: Stage, chat: int = ADA, topic: int | None = None) -> None:
    scene.telegram.say(chat, f"/create_project DEMO Demo {REPO}", sender=ADA, topic=topic)
    await post(scene, "linked to it", chat=chat)


async def test_plain_words_then_more_meanwhile_and_after_are_one_branch_and_one_pull_request(scene: Stage) -> None:
    first, telegram = Gate("llm:anthropic"), scene.telegram
    scene.llm.watch = first
    scene.llm.script(
        [
            Use("edit", path="one.txt", old="", new="one"),
            Words("One is there."),
            Use("edit", path="two.txt", old="", new="two"),
            Words("Two is there."),
            Use("edit", path="three.txt", old="", new="three"),
            Words("Three is there."),
        ]
    )
    async with scene.bot("telegram"):
        await link(scene)
        telegram.say(ADA, "Write one.txt")
        await first.reached.wait()
        telegram.say(ADA, "and two.txt")
        await post(scene, "📥")
        first.open()
        one, two = await post(scene, "One is there"), await post(scene, "Two is there")
        said = len(telegram.posts)
        telegram.say(ADA, "now three.txt")
        three = await post(scene, "Three is there", after=said)
        [pull] = scene.repo.pulls
        telegram.press(ADA, next(b["callback_data"] for row in three.buttons for b in row if b["text"] == "Merge"))
        await post(scene, "merged")

    assert all(each.kind == "new" and each.text.startswith("✅") for each in (one, two, three))
    branch = pull["head"]["ref"]
    assert branch.startswith("patchbay/")
    assert set(files_on(scene.bare, branch)) == {"calc.py", "one.txt", "two.txt", "three.txt"}
    assert len(subjects(scene.bare, branch)) == 4
    assert pull["merged"]
    assert "Write one.txt" in pull["title"]


async def test_a_stop_ends_what_runs_and_says_what_is_kept(scene: Stage) -> None:
    lasting = f"sleep 300.{time.time_ns() % 1_000_000}"
    scene.llm.script([Use("edit", path="half.txt", old="", new="half"), Use("bash", command=lasting, seconds=600)])
    async with scene.bot("telegram"):
        await link(scene)
        scene.telegram.say(ADA, "Take long")
        await until_running(lasting)
        scene.telegram.say(ADA, "/cancel")
        await until_running(lasting, wanted=False)
        end = await post(scene, "⏹ Take long")

    assert "Stopped by Ada" in end.text
    assert "half.txt" in end.text
    assert scene.repo.pulls == []


async def test_a_question_is_answered_by_a_button(scene: Stage) -> None:
    scene.llm.script(
        [
            Use("ask_user", question="Which colour?", options=["Red", "Blue"]),
            lambda asked: Use("edit", path="colour.txt", old="", new="Blue" if "Blue" in asked.last_words else "?"),
            Words("Painted."),
        ]
    )
    async with scene.bot("telegram"):
        await link(scene)
        scene.telegram.say(ADA, "Paint it")
        await post(scene, "Which colour?")
        scene.telegram.press(ADA, scene.telegram.button(ADA, "Blue"))
        await post(scene, "Painted.")
        said = len(scene.telegram.posts)
        scene.telegram.say(ADA, "/digest now")
        digest = await post(scene, "📋", "Paint it", after=said)

    assert files_on(scene.bare, scene.repo.pulls[0]["head"]["ref"])["colour.txt"] == b"Blue"
    assert digest.kind == "new"


async def test_topics_are_threads_of_their_own(scene: Stage) -> None:
    scene.llm.script([Use("edit", path="a.txt", old="", new="a"), Words("In topic seven.")])
    scene.llm.always = Words("In topic eight.")
    async with scene.bot("telegram"):
        await link(scene, GROUP, topic=7)
        for topic in (7, 8):
            scene.telegram.say(GROUP, f"@patchbay_bot work in {topic}", sender=ADA, topic=topic)
            said = await post(scene, "In topic", "seven" if topic == 7 else "eight", chat=GROUP)
            assert said.thread == topic

    assert {each.thread for each in scene.telegram.posts} == {7, 8}


async def test_strangers_get_one_line_and_nothing_else(scene: Stage) -> None:
    async with scene.bot("telegram", "slack"):
        for text in ("/start", "/create_project EVIL mine", "please"):
            scene.telegram.say(666, text)
        for text in ("help", "create_project EVIL mine"):
            await scene.slack.say(ROOM, "U0EVE", text)
        scene.telegram.say(ADA, "/projects")
        await post(scene, "no project")
        await scene.slack.wait_for(lambda: scene.slack.posts)
        await asyncio.sleep(1)

    assert len([each for each in scene.telegram.posts if each.chat == 666]) == 1
    assert len(scene.slack.posts) == 1


async def test_what_slack_brings_again_is_done_once(scene: Stage) -> None:
    """Four times, as `message` and as `app_mention`."""
    slack = scene.slack
    scene.llm.always = Words("Looked at it.")
    async with scene.bot("slack"):
        await slack.say(ROOM, OWNER, f"create_project DEMO Demo {REPO}", times=4)
        await slack.wait_for(lambda: [each for each in slack.posts if "linked to it" in each.markdown], 20)
        thread = await slack.say(ROOM, OWNER, "have a look at it", times=4)
        await slack.wait_for(lambda: [each for each in slack.thread(thread) if "✅" in each.markdown], 20)
        await asyncio.sleep(1)

    assert len([each for each in slack.posts if "linked to it" in each.markdown]) == 1
    assert len([each for each in slack.thread(thread) if each.user == slack.bot_user]) == 2
    assert len(scene.llm.requests) == 1


async def test_a_slash_command_opens_its_own_thread(scene: Stage) -> None:
    slack = scene.slack
    scene.llm.script([Use("edit", path="new.txt", old="", new="new"), Words("Written.")])
    async with scene.bot("slack", slack_mode="http"):
        await slack.slash(ROOM, OWNER, f"create_project DEMO Demo {REPO}")
        await slack.wait_for(lambda: [each for each in slack.posts if "linked to it" in each.markdown], 20)
        await slack.slash(ROOM, OWNER, "create_task DEMO Write it")
        await slack.wait_for(lambda: [each for each in slack.posts if "DEMO-1" in each.markdown], 20)
        await slack.slash(ROOM, OWNER, "execute DEMO-1")
        [end] = await slack.wait_for(lambda: [each for each in slack.posts if "✅" in each.markdown], 20)

    root = slack.message(end.root)
    assert root.user == slack.bot_user
    assert "execute DEMO-1" in root.markdown
    assert {each.root for each in slack.posts if "Write it" in each.markdown[:40] and each is not root} >= {root.ts}
    assert has_branch(scene.bare, "task/DEMO-1")
    assert slack.answers.count(200) == 3
