"""What an agent says is seen while it says it, in private; and whatever becomes of that, the answer is there once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.process import BotProcess
from tests.end_to_end.stage import ADA, GROUP, OWNER, REPO, ROOM, Stage, stage
from tests.end_to_end.test_talk import link, post
from tests.fakes.llm import Reply, ToolUse, Words
from tests.fakes.slack import Message
from tests.fakes.telegram import Fault
from tests.fakes.watch import DONE, IN

DIRECT = "D0ADA"
WAIT_SECONDS = 40.0
LOOK = ToolUse("bash", {"command": "ls"})
WRITE = ToolUse("edit", {"path": "a.txt", "old": "", "new": "a"})


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        made.llm.script([Reply("First I look. ", (LOOK,)), Reply("Then I write. ", (WRITE,)), Words("It is written.")])
        yield made


class Steps:
    """A watch that holds each request to the model but the first until it is let go."""

    def __init__(self) -> None:
        self._count = 0
        self._free = asyncio.Semaphore(1)

    async def __call__(self, name: str, phase: str) -> bool:
        if name == "llm:anthropic" and phase == IN:
            await self._free.acquire()
        return False

    def go_on(self, count: int = 1) -> None:
        for _ in range(count):
            self._free.release()


def held(scene: Stage) -> Steps:
    steps = Steps()
    scene.llm.watch = steps
    return steps


def drafts(scene: Stage) -> list[str]:
    return [each.text for each in scene.telegram.drafts]


def answers(scene: Stage) -> list[str]:
    """The final posts that a person finds."""
    texts = [each for chat in (ADA, GROUP) for each in scene.telegram.texts(chat).values()]
    return [each for each in [*texts, *(post.markdown for post in scene.slack.posts)] if "It is written." in each]


async def seen(scene: Stage, *words: str) -> None:
    await scene.telegram.wait_for(lambda: any(all(word in each for word in words) for each in drafts(scene)), 30)


# ---------------------------------------------------------------------------------------------- Telegram


async def test_in_a_private_chat_a_draft_grows_until_the_answer_is_there(scene: Stage) -> None:
    steps = held(scene)
    async with scene.bot("telegram"):
        await link(scene)
        scene.telegram.say(ADA, "Write a.txt")
        await seen(scene, "First I look.", "✓ ls")
        steps.go_on()
        await seen(scene, "First I look.\n\nThen I write.", "✓ edit a.txt")
        steps.go_on()
        end = await post(scene, "It is written.")

    assert end.kind == "new"
    assert len(answers(scene)) == 1
    assert len({each.draft for each in scene.telegram.drafts}) == 1
    assert {each.chat for each in scene.telegram.drafts} == {ADA}
    anchor = [each for each in scene.telegram.posts if each.text.startswith("Write a.txt\n")]
    assert len({each.message for each in anchor}) == 1


async def test_drafts_that_must_wait_hold_no_answer_up(scene: Stage) -> None:
    steps = held(scene)
    scene.telegram.fail("sendMessageDraft", *[Fault.refuse(429, "Too Many Requests", retry_after=3600)] * 3)
    async with scene.bot("telegram"):
        await link(scene)
        scene.telegram.say(ADA, "Write a.txt")
        await scene.telegram.wait_for(lambda: scene.telegram.called("sendMessageDraft"), 30)
        steps.go_on(2)
        await post(scene, "It is written.")

    assert len(answers(scene)) == 1
    assert len(scene.telegram.called("sendMessageDraft")) == 1


async def test_a_group_has_its_one_post_and_no_drafts(scene: Stage) -> None:
    async with scene.bot("telegram"):
        await link(scene, GROUP)
        scene.telegram.say(GROUP, "@patchbay_bot Write a.txt", sender=ADA)
        await post(scene, "It is written.", chat=GROUP)

    assert len(answers(scene)) == 1
    assert scene.telegram.called("sendMessageDraft") == []


async def test_a_bot_that_is_killed_in_the_middle_of_a_draft_says_its_answer_once(scene: Stage) -> None:
    steps = held(scene)
    async with scene.bot("telegram") as bot:
        await link(scene)
        scene.telegram.say(ADA, "Write a.txt")
        await seen(scene, "First I look.")
        await bot.kill()
        scene.llm.script([Reply("Once more. ", (WRITE,)), Words("It is written.")])
        steps.go_on(2)
        await bot.start()
        await seen(scene, "Once more.")
        steps.go_on(2)
        await post(scene, "It is written.")

    assert len(answers(scene)) == 1


# ------------------------------------------------------------------------------------------------- Slack


async def begun(scene: Stage) -> str:
    """The thread in which Ada has asked for it, in her direct chat."""
    await scene.slack.say(DIRECT, OWNER, f"create_project DEMO Demo {REPO}")
    await scene.slack.wait_for(lambda: [each for each in scene.slack.posts if "linked to it" in each.markdown], 30)
    return await scene.slack.say(DIRECT, OWNER, "Write a.txt")


def standing(scene: Stage) -> list[Message]:
    """Streams that a person sees, closed ones too."""
    return [each for each in scene.slack.streamed if each in scene.slack.messages]


async def until(scene: Stage, claim: Callable[[], object]) -> None:
    await scene.slack.wait_for(claim, WAIT_SECONDS)


def says(messages: Sequence[Message], *words: str) -> bool:
    return any(all(word in each.text for word in words) for each in messages)


async def test_in_a_direct_chat_a_stream_grows_and_gives_way_to_the_answer(scene: Stage) -> None:
    steps = held(scene)
    async with scene.bot("slack"):
        thread = await begun(scene)
        await until(scene, lambda: says(standing(scene), "First I look."))
        [stream] = standing(scene)
        await until(scene, lambda: any(task["status"] == "complete" for task in stream.tasks.values()))
        steps.go_on()
        await until(scene, lambda: says(standing(scene), "First I look.", "Then I write."))
        assert standing(scene) == [stream]
        steps.go_on()
        await until(scene, lambda: answers(scene) and not standing(scene))

    assert len(answers(scene)) == 1
    assert {each.root for each in scene.slack.streamed} == {thread}
    assert len([each for each in scene.slack.thread(thread) if each.user == scene.slack.bot_user]) == 2


async def test_a_stream_that_slack_ends_goes_on_in_another(scene: Stage) -> None:
    steps = held(scene)
    scene.slack.stream_seconds = 1.0
    async with scene.bot("slack"):
        await begun(scene)
        await until(scene, lambda: says(standing(scene), "First I look."))
        await asyncio.sleep(scene.slack.stream_seconds)
        steps.go_on()
        await until(scene, lambda: says(standing(scene), "Then I write.") and len(standing(scene)) == 1)
        steps.go_on()
        await until(scene, lambda: answers(scene) and not standing(scene))

    assert len(answers(scene)) == 1
    assert len(scene.slack.streamed) >= 2


async def test_a_channel_has_its_one_post_and_no_streams(scene: Stage) -> None:
    async with scene.bot("slack"):
        await scene.slack.say(ROOM, OWNER, f"create_project DEMO Demo {REPO}")
        await until(scene, lambda: says_markdown(scene, "linked to it"))
        await scene.slack.say(ROOM, OWNER, "Write a.txt")
        await until(scene, lambda: answers(scene))

    assert len(answers(scene)) == 1
    assert scene.slack.streamed == []


def says_markdown(scene: Stage, words: str) -> bool:
    return any(words in each.markdown for each in scene.slack.posts)


@pytest.mark.parametrize("call", ["chat.startStream", "chat.appendStream", "chat.stopStream", "chat.delete"])
async def test_a_bot_that_is_killed_in_the_middle_of_a_stream_leaves_none(scene: Stage, call: str) -> None:
    shot = asyncio.Event()

    def watching(bot: BotProcess) -> Callable[[str, str], object]:
        async def watch(name: str, phase: str) -> bool:
            is_it = name == f"slack:{call}" and phase == DONE and not shot.is_set()
            if is_it:
                bot.shoot()
                shot.set()
            return is_it

        return watch

    steps = held(scene)
    async with scene.bot("slack") as bot:
        scene.slack.watch = watching(bot)  # type: ignore[assignment]
        await begun(scene)
        if call != "chat.startStream":
            await until(scene, lambda: says(standing(scene), "First I look."))
            steps.go_on(2 if call in {"chat.stopStream", "chat.delete"} else 1)
        async with asyncio.timeout(WAIT_SECONDS):
            await shot.wait()
        await bot.ended()
        scene.llm.script([Reply("Once more. ", (WRITE,)), Words("It is written.")])
        steps.go_on(9)
        await bot.start()
        await until(scene, lambda: answers(scene) and not standing(scene))

    assert len(answers(scene)) == 1
