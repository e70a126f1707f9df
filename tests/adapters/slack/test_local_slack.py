"""Slack as someone else understands it: local-slack, over Socket Mode and over the signed Events API."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.chat.slack.config import SlackConfig
from adapters.chat.slack.platform import Slack
from core.model.chat import FILE, Button, ButtonToken, File, Post, PostKey, PostRef, Pressed, Said, SignKind, ThreadRef
from core.model.errors import PostGone
from tests.adapters.slack.conftest import COMMANDS, Inbox, listening, serving
from tests.fakes.local_slack import ANA, BINARY, BOT, CHANNEL, DIRECT, TEAM, LocalSlack, free_port


@pytest.fixture(params=["socket", "http"])
async def mode(request: pytest.FixtureRequest) -> str:
    if not BINARY.exists():
        reason = "local-slack is not installed: run `npm ci` in .ci/counterparts"
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture
async def server(mode: str) -> AsyncIterator[LocalSlack]:
    async with LocalSlack(free_port() if mode == "http" else 0) as slack:
        yield slack


@pytest.fixture
async def talk(mode: str, server: LocalSlack) -> AsyncIterator[tuple[Slack, Inbox]]:
    """A platform that listens, and its inbox."""
    config = {"mode": mode, "api_base": server.base, "signing_secret": SecretStr(server.signing_secret)}
    tokens = {"bot_token": SecretStr(server.bot_token), "app_token": SecretStr(server.app_token)}
    platform, inbox = Slack(SlackConfig.model_validate(config | tokens), COMMANDS), Inbox()
    await platform.connect()
    async with listening(platform, inbox), _served(platform, server.events_port):
        if mode == "socket":
            await _say_until_heard(server, inbox)
        yield platform, inbox
    await platform.close()


@asynccontextmanager
async def _served(platform: Slack, port: int) -> AsyncIterator[None]:
    if not port:
        yield
        return
    async with serving(platform, port):
        yield


async def _say_until_heard(server: LocalSlack, inbox: Inbox) -> None:
    """It drops what is said while no socket is open."""
    async with asyncio.timeout(20):
        while not inbox.taken:
            await server.control("message", channel=DIRECT, user=ANA, text="anyone?")
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.3)
    inbox.taken.clear()


async def heard(platform: Slack, inbox: Inbox) -> Any:
    """The first thing; what comes in twice is one."""
    await inbox.wait()
    await asyncio.sleep(0.3)
    [event] = inbox.events(platform)
    return event


async def test_a_mention_is_answered_in_its_thread_and_the_answer_edited(
    server: LocalSlack, talk: tuple[Slack, Inbox]
) -> None:
    platform, inbox = talk
    told = await server.control("message", channel=CHANNEL, user=ANA, text=f"<@{BOT}> execute DEMO-1")
    ts = told["message"]["ts"]
    said = await heard(platform, inbox)
    ref = await platform.post(said.thread, Post("**On** it."), PostKey("anchor:1"))
    await platform.edit(ref, Post("**Done**."))
    await platform.sign(said.thread, said.message, SignKind.DONE)

    assert isinstance(said, Said)
    assert (said.text, said.thread) == ("execute DEMO-1", ThreadRef("slack", TEAM, CHANNEL, ts))
    question, answer = await server.messages()
    assert (answer["thread_ts"], answer["text"], answer["user"]) == (ts, "Done.", BOT)
    assert answer["blocks"][0]["text"] == "**Done**."
    assert [each["name"] for each in question["reactions"]] == ["white_check_mark"]


async def test_a_reply_in_a_thread(server: LocalSlack, talk: tuple[Slack, Inbox]) -> None:
    platform, inbox = talk
    await server.control("message", channel=CHANNEL, user=ANA, text="and the tests", thread_ts="1700000000.000001")
    said = await heard(platform, inbox)

    assert (said.in_thread, said.is_addressed, said.thread.root) == (True, False, "1700000000.000001")


async def test_a_direct_message(server: LocalSlack, talk: tuple[Slack, Inbox]) -> None:
    platform, inbox = talk
    await server.control("message", channel=DIRECT, user=ANA, text="what is running? &lt;now&gt;")
    said = await heard(platform, inbox)

    assert (said.is_direct, said.is_addressed, said.text) == (True, True, "what is running? <now>")


async def test_a_slash_command(server: LocalSlack, talk: tuple[Slack, Inbox]) -> None:
    platform, inbox = talk
    await server.control("command", channel=CHANNEL, user=ANA, command="/patchbay", text="execute DEMO-1")
    said = await heard(platform, inbox)

    assert (said.text, said.opens_thread, said.chat_title) == ("/execute DEMO-1", True, "general")
    assert said.person.id == ANA


async def test_a_press_on_a_button_of_a_post_in_a_thread(server: LocalSlack, talk: tuple[Slack, Inbox]) -> None:
    platform, inbox = talk
    thread = ThreadRef("slack", TEAM, CHANNEL, "1700000000.000001")
    ref = await platform.post(thread, Post("Go?", ((Button("Yes", token=ButtonToken("t0k")),),)), PostKey("ask"))
    [shown] = await server.messages()
    button = shown["blocks"][1]["elements"][0]
    await server.control("interact", channel=CHANNEL, messageTs=ref.id, user=ANA, action=button)
    pressed = await heard(platform, inbox)

    assert isinstance(pressed, Pressed)
    assert (pressed.token, pressed.post, pressed.thread, pressed.person.id) == ("t0k", ref, thread, ANA)


async def test_an_edit_corrects(server: LocalSlack, talk: tuple[Slack, Inbox]) -> None:
    platform, inbox = talk
    told = await server.control("message", channel=DIRECT, user=ANA, text="one")
    first = await heard(platform, inbox)
    inbox.taken.clear()
    await server.control("edit-message", channel=DIRECT, ts=told["message"]["ts"], user=ANA, text="two")
    edit = await heard(platform, inbox)

    assert (edit.text, edit.corrects, edit.thread) == ("two", first.cause, first.thread)


async def test_a_post_is_found_by_its_key_though_this_server_keeps_no_metadata(talk: tuple[Slack, Inbox]) -> None:
    platform, _ = talk
    thread = ThreadRef("slack", TEAM, CHANNEL, "1700000000.000001")
    ref = await platform.post(thread, Post("one"), PostKey("a"))
    other = await platform.post(thread, Post("two"), PostKey("b"))
    await platform.edit(other, Post("three"))

    assert await platform.find(thread, PostKey("a")) == ref
    assert await platform.find(thread, PostKey("c")) is None
    with pytest.raises(PostGone):
        await platform.edit(PostRef(thread, "1.1"), Post("x"))


async def test_a_file_stands_in_its_thread_and_is_found(server: LocalSlack, talk: tuple[Slack, Inbox]) -> None:
    platform, _ = talk
    root = await platform.post(ThreadRef("slack", TEAM, CHANNEL), Post("in brief"), PostKey("reply:5"))
    thread, key = ThreadRef("slack", TEAM, CHANNEL, root.id), PostKey(f"reply:5{FILE}")

    ref = await platform.post(thread, Post("", file=File("answer.md", "# Grüße\n" * 3000)), key)

    [message] = [each for each in await server.messages() if each.get("files")]
    [file] = message["files"]
    assert (message["thread_ts"], file["id"], file["title"]) == (root.id, ref.id, "answer.md")
    assert file["size"] == len(("# Grüße\n" * 3000).encode())
    assert await platform.find(thread, key) == ref
    assert await platform.find(thread, PostKey(f"reply:6{FILE}")) is None
