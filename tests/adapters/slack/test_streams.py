"""A turn as a streaming message in a direct chat: it grows, outlives five minutes, and nothing is left of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.chat.slack.inbound import Me
from adapters.chat.slack.left import FILE, Left, Place
from adapters.chat.slack.platform import Slack
from adapters.chat.slack.streams import (
    LIFE_SECONDS,
    MOST_TASKS,
    MOST_TEXT,
    PACE_SECONDS,
    SHARE_SECONDS,
    START_SECONDS,
    STUB,
    TROUBLE_SECONDS,
    Streams,
)
from adapters.chat.slack.web import close_client, new_client
from adapters.straight import NoCircuit
from core.model.chat import Person, Post, PostKey, ThreadRef
from core.ports import Doing, Streaming, View
from tests.adapters.slack.conftest import COMMANDS, Inbox, config_for, listening
from tests.fakes.slack import FakeSlack, Fault, Message

DIRECT = "D0ADA"
ADA = Person("slack", "T0TEAM", "U0ADA", "Ada")
KEY = "run:1"


class Time:
    """Stands still; who sleeps sets it forward."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Scene:
    """Streams into the thread that Ada began."""

    def __init__(self, slack: FakeSlack, folder: Path) -> None:
        self.slack, self.folder, self.time = slack, folder, Time()
        root = Message(DIRECT, slack.new_ts(), "U0ADA", "Mend it")
        slack.messages.append(root)
        self.thread = ThreadRef("slack", slack.team, DIRECT, root.ts)
        self.client = new_client(config_for(slack), NoCircuit())
        self.streams = self.life()

    def life(self) -> Streams:
        me = Me(self.slack.team, self.slack.bot_user, self.slack.bot_id)
        time = self.time
        return Streams(self.client, me, Left(self.folder), now=lambda: time.now, sleep=time.sleep)

    async def show(self, text: str = "", key: str = KEY, **fields: Any) -> float | None:
        return await self.streams.show(self.thread, key, View("Mend it", ADA, text, **fields))

    @property
    def shown(self) -> list[Message]:
        """What a person sees of streams, closed ones too."""
        return [each for each in self.slack.streamed if each in self.slack.messages]

    @property
    def kept(self) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = json.loads((self.folder / FILE).read_text())
        return rows


@pytest.fixture
async def scene(slack: FakeSlack, tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(slack, tmp_path)
    yield made
    await close_client(made.client)


async def test_it_grows_in_one_message_and_is_gone_at_the_end(scene: Scene, slack: FakeSlack) -> None:
    assert await scene.show("I look ") == PACE_SECONDS
    [stream] = scene.shown
    assert stream.arguments["thread_ts"] == scene.thread.root
    assert (stream.arguments["recipient_team_id"], stream.arguments["recipient_user_id"]) == ("T0TEAM", "U0ADA")
    assert stream.text == "I look "
    plan = (("read", True), ("write <@U1>", False))
    await scene.show("I look at <@U1> it. ", doing=(Doing("1", "ls"),), plan=plan)
    assert (stream.text, stream.plan) == ("I look at ", "1/2 · write <\u2060@U1>")
    await scene.show("I look at <@U1> it. \n\nNext ", doing=(Doing("1", "ls", ok=True), Doing("2", "`a`", ok=False)))

    assert stream.text == "I look at &lt;@U1> it. \n\nNext "
    assert [tuple(each.values()) for each in stream.tasks.values()][1:] == [("ls", "complete"), ("'a'", "error")]
    assert stream.plan == "Mend it"
    calls = len(slack.calls)
    await scene.show("I look at <@U1> it. \n\nNext ", doing=(Doing("1", "ls", ok=True), Doing("2", "`a`", ok=False)))
    assert len(slack.calls) == calls
    await scene.streams.end(KEY)
    await scene.streams.end(KEY)

    assert len(slack.streamed) == 1
    assert scene.shown == []
    assert scene.kept == []


async def test_an_action_that_is_named_no_more_is_over(scene: Scene) -> None:
    await scene.show(doing=(Doing("1", "ls"), Doing("2", "cat", ok=False)))
    await scene.show(doing=(Doing("3", ""),))

    [stream] = scene.shown
    assert [each["status"] for each in stream.tasks.values()][1:] == ["complete", "error", "in_progress"]
    assert stream.tasks["do:3"]["title"] == "…"


@pytest.mark.parametrize("thread", [("C0ROOM", "1.1"), ("G0GROUP", "1.1"), (DIRECT, "")])
async def test_a_channel_and_a_chat_without_a_thread_have_none(
    scene: Scene, slack: FakeSlack, thread: tuple[str, str]
) -> None:
    scene.thread = ThreadRef("slack", slack.team, *thread)

    assert await scene.show("hello ") is None
    assert slack.calls == []


async def test_a_stream_is_begun_anew_before_slack_ends_it(scene: Scene, slack: FakeSlack) -> None:
    await scene.show("one ", doing=(Doing("1", "pytest"),))
    scene.time.now += LIFE_SECONDS
    assert await scene.show("one two ", doing=(Doing("1", "pytest"),)) == PACE_SECONDS

    [stream] = scene.shown
    assert stream is slack.streamed[1]
    assert stream.text == "one two "
    assert stream.tasks["do:1"] == {"title": "pytest", "status": "in_progress"}
    methods = [name for name, _ in slack.calls]
    assert methods == ["chat.startStream", "chat.startStream", "chat.stopStream", "chat.delete"]
    assert slack.stream_seconds > LIFE_SECONDS + START_SECONDS + 30
    assert len(scene.kept) == 1


async def test_a_stream_that_slack_has_ended_goes_on_in_another(scene: Scene, slack: FakeSlack) -> None:
    await scene.show("one ")
    slack.streamed[0].streams_until = None
    assert await scene.show("one two ") == PACE_SECONDS
    assert await scene.show("one two ") == START_SECONDS
    scene.time.now += START_SECONDS
    assert await scene.show("one two three ") == PACE_SECONDS

    [stream] = scene.shown
    assert stream.text == "one two three "
    await scene.streams.end(KEY)
    assert scene.shown == []


async def test_words_that_change_after_all_and_too_many_tasks_begin_another(scene: Scene, slack: FakeSlack) -> None:
    await scene.show("one two ")
    scene.time.now += START_SECONDS
    await scene.show("…\n\ntwo three ", doing=tuple(Doing(str(each), "x") for each in range(MOST_TASKS)))
    scene.time.now += START_SECONDS
    await scene.show("…\n\ntwo three ", doing=(Doing("more", "x"),))

    assert [each.text for each in slack.streamed] == ["one two ", "…\n\ntwo three ", "…\n\ntwo three "]
    assert scene.shown == [slack.streamed[2]]


async def test_of_what_is_long_the_end_is_shown(scene: Scene, slack: FakeSlack) -> None:
    for length in (MOST_TEXT, MOST_TEXT + 1, 5 * MOST_TEXT):
        await scene.show("y " * (length // 2) + "x" * (length % 2))
        scene.time.now += START_SECONDS

    assert [len(each.text) for each in slack.streamed] == [MOST_TEXT, MOST_TEXT // 2 + 3, MOST_TEXT + 2]


async def test_many_turns_share_the_pace_of_the_workspace(scene: Scene) -> None:
    paces = [await scene.show("hello ", key=f"run:{number}") for number in range(4)]

    assert paces == [PACE_SECONDS, SHARE_SECONDS * 2, SHARE_SECONDS * 3, SHARE_SECONDS * 4]


REFUSALS = {
    "busy": (Fault("busy", seconds=42), 42.0),
    "trouble there": (Fault("error", "internal_error"), TROUBLE_SECONDS),
    "a proxy": (Fault("down"), TROUBLE_SECONDS),
    "no connection": (Fault("reset"), TROUBLE_SECONDS),
    "stopped by the person": (Fault("error", "stopped_by_user"), None),
    "not of this kind": (Fault("error", "channel_type_not_supported"), None),
    "deleted": (Fault("error", "message_not_found"), None),
}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream"])
async def test_whatever_is_wrong_is_not_raised(scene: Scene, slack: FakeSlack, name: str, method: str) -> None:
    fault, seconds = REFUSALS[name]
    slack.plan(method, fault)
    if method == "chat.appendStream":
        await scene.show("one ")
    assert await scene.show("one two ") == seconds
    await scene.streams.end(KEY)

    assert scene.shown == []
    assert scene.kept == []


@pytest.mark.parametrize("why", ["missing_scope", "unknown_method", "paid_only"])
async def test_a_workspace_without_streams_is_asked_once(scene: Scene, slack: FakeSlack, why: str) -> None:
    slack.plan("chat.startStream", Fault("error", why))
    assert await scene.show("one ") is None
    assert await scene.show("one ", key="run:2") is None

    assert len(slack.called("chat.startStream")) == 1


async def test_a_start_whose_reply_is_lost_is_found_and_taken_away(scene: Scene, slack: FakeSlack) -> None:
    slack.plan("chat.startStream", Fault("lost"))
    assert await scene.show("one ") == TROUBLE_SECONDS
    assert await scene.show("one two ") == PACE_SECONDS
    assert len(scene.shown) == 2
    await scene.streams.end(KEY)

    assert scene.shown == []
    assert scene.kept == []


async def test_what_slack_lets_nobody_delete_says_what_it_was(scene: Scene, slack: FakeSlack) -> None:
    slack.plan("chat.delete", Fault("error", "cant_delete_message"))
    await scene.show("one ")
    await scene.streams.end(KEY)

    [left] = scene.shown
    assert left.markdown == STUB
    assert scene.kept == []


async def test_taking_away_is_patient_and_what_it_cannot_do_is_left_to_the_next_life(
    scene: Scene, slack: FakeSlack
) -> None:
    await scene.show("one ")
    slack.plan("chat.stopStream", Fault("busy", seconds=20))
    slack.plan("chat.delete", *[Fault("busy", seconds=60)] * 3)
    await scene.streams.end(KEY)
    assert scene.time.slept == [20.0, 30.0, 30.0, 30.0]
    assert len(scene.shown) == 1
    await scene.life().sweep()

    assert scene.shown == []
    assert scene.kept == []


@pytest.mark.parametrize("reply", ["came", "was lost"])
@pytest.mark.parametrize("state", ["open", "ended"])
async def test_what_a_killed_life_has_left_is_taken_away(
    scene: Scene, slack: FakeSlack, reply: str, state: str
) -> None:
    if reply == "was lost":
        slack.plan("chat.startStream", Fault("lost"))
    await scene.show("one ")
    if state == "ended":
        slack.streamed[0].streams_until = None
    slack.messages.append(Message(DIRECT, slack.new_ts(), slack.bot_user, "a post of ours", scene.thread.root))
    scene.streams = scene.life()
    await scene.show("again ", key="run:2")
    await scene.streams.sweep()

    assert scene.shown == [slack.streamed[1]]
    assert len(slack.posts) == 2
    assert [each["ts"] for each in scene.kept] == [slack.streamed[1].ts]


async def test_a_thread_that_may_not_be_read_or_is_gone_is_let_go(scene: Scene, slack: FakeSlack) -> None:
    left = Left(scene.folder)
    await left.put(Place("n1", DIRECT, scene.thread.root))
    await left.put(Place("n2", DIRECT, "9.9"))
    await left.put(Place("n3", DIRECT, scene.thread.root))
    slack.plan("conversations.replies", Fault("error", "missing_scope"), Fault("none"), Fault("down"))
    await scene.life().sweep()

    assert [each["name"] for each in scene.kept] == ["n3"]


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "{}", '[1, {"name": "n"}]', '[{"name": 1}]'])
async def test_a_spoilt_file_is_an_empty_one(scene: Scene, slack: FakeSlack, content: str) -> None:
    (scene.folder / FILE).write_text(content)
    await scene.streams.sweep()
    await scene.show("one ")

    assert len(scene.kept) == 1
    assert slack.called("chat.delete") == []


async def test_without_a_folder_a_life_knows_its_own(scene: Scene) -> None:
    scene.folder = scene.folder / "not there"
    scene.streams = scene.life()
    await scene.show("one ")
    await scene.streams.end(KEY)

    assert scene.shown == []
    nowhere = Left(None)
    await nowhere.put(Place("n1", DIRECT, ""))
    assert len(await nowhere.all()) == 1
    await nowhere.drop("n1")
    await nowhere.drop("n1")
    assert await nowhere.all() == []


# ------------------------------------------------------------------------------------------ as a platform


async def test_a_stream_does_not_make_a_search_doubtful(platform: Slack, scene: Scene, slack: FakeSlack) -> None:
    await platform.stream(scene.thread, KEY, View("Mend it", ADA, "hello "))
    slack.messages.append(Message(DIRECT, slack.new_ts(), slack.bot_user, "", scene.thread.root))
    slack.messages[-1].blocks = [{"type": "task_card", "task_id": "patchbay:x"}]
    ref = await platform.post(scene.thread, Post("The answer"), PostKey("answer:1"))

    assert await platform.find(scene.thread, PostKey("answer:1")) == ref
    assert await platform.find(scene.thread, PostKey("answer:2")) is None
    assert isinstance(platform, Streaming)
    await platform.end_stream(scene.thread, KEY)
    assert scene.shown == []


async def test_who_does_not_want_it_has_none(slack: FakeSlack, scene: Scene) -> None:
    quiet = Slack(config_for(slack, streaming=False), COMMANDS)
    assert await quiet.stream(scene.thread, KEY, View("Mend it", ADA, "hello ")) is None
    await quiet.close()

    assert slack.streamed == []


async def test_a_platform_that_listens_tidies_up(slack: FakeSlack, scene: Scene) -> None:
    await scene.show("one ")
    second = Slack(config_for(slack), COMMANDS, folder=scene.folder)
    await second.connect()
    assert len(scene.shown) == 1
    async with listening(second, Inbox()):
        await slack.wait_for(lambda: not scene.shown)
    await second.close()

    assert scene.shown == []


async def test_an_answer_waits_for_no_stream(platform: Slack, slack: FakeSlack, scene: Scene) -> None:
    held, free = asyncio.Event(), asyncio.Event()

    async def hold(name: str, phase: str) -> bool:
        if name == "slack:chat.startStream":
            held.set()
            await free.wait()
        return False

    slack.watch = hold
    hanging = asyncio.create_task(platform.stream(scene.thread, KEY, View("Mend it", ADA, "hello ")))
    await held.wait()
    await platform.post(scene.thread, Post("The answer"), PostKey("answer:1"))

    assert [each.markdown for each in slack.posts] == ["The answer"]
    assert not hanging.done()
    assert await hanging == TROUBLE_SECONDS
    free.set()
