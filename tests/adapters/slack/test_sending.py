"""What the bot says in Slack, and what Slack's refusals and broken connections mean."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from adapters.chat.slack.config import SlackConfig
from adapters.chat.slack.platform import Slack
from adapters.chat.slack.web import proxy_for
from core.model.chat import Button, ButtonToken, Post, PostKey, PostRef, SignKind, Style, ThreadRef
from core.model.errors import ChatBusy, ChatError, NotSupported, PostGone, SendFailed, SendUnknown
from core.pace import SharesEdits
from core.ports import ChatPlatform, Signing, Webhooked
from tests.adapters.slack.conftest import COMMANDS, config_for
from tests.fakes.slack import FakeSlack, Fault, Message

KEY = PostKey("reply:slack:T0TEAM:C1:1.1")


@pytest.fixture
def thread(slack: FakeSlack) -> ThreadRef:
    return ThreadRef("slack", slack.team, "C1", "1700000000.000001")


async def test_it_is_a_chat_platform_that_signs_and_may_be_called(platform: Slack) -> None:
    held: ChatPlatform = platform

    assert (held.name, held.edit_gap) == ("slack", 1.1)
    assert isinstance(held, SharesEdits)
    assert isinstance(platform, Signing)
    assert isinstance(platform, Webhooked)


async def test_a_post_stands_in_its_thread_with_buttons_and_unfurls_nothing(
    platform: Slack, slack: FakeSlack, thread: ThreadRef
) -> None:
    buttons = (
        (Button("Merge", token=ButtonToken("t1"), style=Style.PRIMARY), Button("Close", token=ButtonToken("t2"))),
        (Button("Open", url="https://example.org/1"),),
    )
    ref = await platform.post(thread, Post("**Done**: [#1](https://example.org/1)", buttons), KEY)

    [post] = slack.posts
    assert ref == PostRef(thread, post.ts)
    assert post.thread_ts == thread.root
    assert post.markdown == "**Done**: [#1](https://example.org/1)"
    assert post.text == "Done: #1 https://example.org/1"
    assert (post.arguments["unfurl_links"], post.arguments["unfurl_media"]) == (False, False)
    assert post.buttons["Merge"]["style"] == "primary"
    assert post.buttons["Merge"]["value"] == "t1"
    assert post.buttons["Open"]["url"] == "https://example.org/1"
    assert post.arguments["metadata"]["event_payload"]["key_id"] == post.arguments["client_msg_id"]
    assert str(KEY) not in str(post.arguments)


async def test_a_post_to_a_chat_itself_begins_a_thread(platform: Slack, slack: FakeSlack) -> None:
    ref = await platform.post(ThreadRef("slack", slack.team, "C1"), Post("hello"), KEY)

    assert ref.id == slack.posts[0].ts
    assert "thread_ts" not in slack.posts[0].arguments


FAULTS = {
    "busy": (Fault("busy", seconds=7), ChatBusy, 0),
    "reset": (Fault("reset"), SendUnknown, 0),
    "lost reply": (Fault("lost"), SendUnknown, 1),
    "503 of a proxy": (Fault("down"), SendUnknown, 0),
    "503 of Slack": (Fault("error", "service_unavailable", status=503), SendFailed, 0),
    "it may have worked": (Fault("error", "internal_error"), SendUnknown, 0),
    "a repeat it lost": (Fault("error", "duplicate_message_not_found"), SendUnknown, 0),
    "not in the channel": (Fault("error", "not_in_channel"), ChatError, 0),
    "archived": (Fault("error", "is_archived"), ChatError, 0),
    "revoked": (Fault("error", "token_revoked"), ChatError, 0),
    "new to us": (Fault("error", "some_new_error"), ChatError, 0),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_failed_post_is_tried_once_and_told_apart(
    platform: Slack, slack: FakeSlack, thread: ThreadRef, name: str
) -> None:
    fault, expected, stands = FAULTS[name]
    slack.plan("chat.postMessage", fault)

    with pytest.raises(ChatError) as caught:
        await platform.post(thread, Post("hello"), KEY)

    assert type(caught.value) is expected
    assert len(slack.called("chat.postMessage")) == 1
    assert len(slack.posts) == stands
    assert caught.value.is_final == (expected is ChatError)


async def test_how_long_to_wait_is_what_slack_says(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    slack.plan("chat.postMessage", Fault("busy", seconds=7))

    with pytest.raises(ChatBusy) as caught:
        await platform.post(thread, Post("hello"), KEY)

    assert caught.value.seconds == 7


async def test_where_nobody_answers_it_was_surely_not_sent() -> None:
    async with FakeSlack() as gone:
        platform = Slack(config_for(gone), COMMANDS)

    with pytest.raises(SendFailed):
        await platform.post(ThreadRef("slack", "T0TEAM", "C1"), Post("hello"), KEY)

    await platform.close()


@pytest.mark.parametrize("why", ["msg_blocks_too_long", "invalid_blocks"])
async def test_blocks_that_slack_refuses_are_said_in_plain_words(
    platform: Slack, slack: FakeSlack, thread: ThreadRef, why: str
) -> None:
    slack.plan("chat.postMessage", Fault("error", why))

    ref = await platform.post(thread, Post("**Done** <!channel>"), KEY)

    [post] = slack.posts
    assert (post.ts, post.blocks, post.text) == (ref.id, [], "Done &lt;!channel&gt;")


async def test_blocks_that_slack_refuses_in_an_edit_too(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    ref = await platform.post(thread, Post("one"), KEY)
    slack.plan("chat.update", Fault("error", "msg_blocks_too_long"))

    await platform.edit(ref, Post("two"))

    assert (slack.posts[0].text, slack.posts[0].blocks) == ("two", [])


async def test_an_edit_shows_other_words_and_takes_the_buttons_away(
    platform: Slack, slack: FakeSlack, thread: ThreadRef
) -> None:
    ref = await platform.post(thread, Post("Go?", ((Button("Yes", token=ButtonToken("t")),),)), KEY)

    await platform.edit(ref, Post("Went."))
    await platform.edit(ref, Post("Went."))

    assert slack.posts[0].markdown == "Went."
    assert slack.posts[0].buttons == {}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("error", "message_not_found"), PostGone),
        (Fault("error", "cant_update_message"), PostGone),
        (Fault("error", "edit_window_closed"), PostGone),
        (Fault("busy"), ChatBusy),
        (Fault("reset"), SendFailed),
        (Fault("down"), SendFailed),
        (Fault("error", "internal_error"), SendFailed),
        (Fault("error", "channel_not_found"), ChatError),
    ],
)
async def test_a_failed_edit(
    platform: Slack, slack: FakeSlack, thread: ThreadRef, fault: Fault, expected: type[ChatError]
) -> None:
    slack.plan("chat.update", fault)

    with pytest.raises(ChatError) as caught:
        await platform.edit(PostRef(thread, "1.1"), Post("hello"))

    assert type(caught.value) is expected


# ------------------------------------------------------------------------------------------- looking


@pytest.mark.parametrize("place", ["thread", "channel"])
async def test_a_post_whose_reply_was_lost_is_found(platform: Slack, slack: FakeSlack, place: str) -> None:
    root = await slack_root(slack)
    thread = ThreadRef("slack", slack.team, "C1", root if place == "thread" else "")
    await platform.post(thread, Post("another"), PostKey("another"))
    slack.plan("chat.postMessage", Fault("lost"))
    with pytest.raises(SendUnknown):
        await platform.post(thread, Post("hello"), KEY)

    found = await platform.find(thread, KEY)

    assert found == PostRef(thread, slack.posts[-1].ts)
    assert await platform.find(thread, PostKey("never sent")) is None


async def slack_root(slack: FakeSlack) -> str:
    slack.messages.append(Message("C1", "1.000001", "U1", "hello"))
    return "1.000001"


async def test_what_someone_else_marks_with_our_key_is_not_ours(platform: Slack, slack: FakeSlack) -> None:
    thread = ThreadRef("slack", slack.team, "C1")
    await platform.post(thread, Post("hello"), KEY)
    slack.posts[0].user = "U66"

    assert await platform.find(thread, KEY) is None


async def test_an_edited_post_does_not_make_the_search_unsure(platform: Slack, slack: FakeSlack) -> None:
    thread = ThreadRef("slack", slack.team, "C1")
    await platform.edit(await platform.post(thread, Post("hello"), KEY), Post("other"))
    slack.posts[0].metadata.clear()

    assert await platform.find(thread, PostKey("never sent")) is None


async def test_where_no_mark_is_kept_not_finding_it_proves_nothing() -> None:
    async with FakeSlack(keeps_marks=False) as slack:
        platform = Slack(config_for(slack), COMMANDS)
        await platform.connect()
        thread = ThreadRef("slack", slack.team, "C1")
        await platform.post(thread, Post("hello"), KEY)

        with pytest.raises(NotSupported):
            await platform.find(thread, KEY)
        await platform.close()


async def test_without_the_scope_there_is_no_looking(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    slack.plan("conversations.replies", Fault("error", "missing_scope"))

    with pytest.raises(NotSupported):
        await platform.find(thread, KEY)


async def test_a_thread_too_long_to_search_proves_nothing(platform: Slack, slack: FakeSlack) -> None:
    root = await slack_root(slack)
    slack.messages += [Message("C1", f"2.{number:06d}", "U1", "x", root) for number in range(1100)]

    with pytest.raises(NotSupported):
        await platform.find(ThreadRef("slack", slack.team, "C1", root), KEY)
    assert len(slack.called("conversations.replies")) == 5


async def test_a_search_that_fails_is_tried_again_later(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    slack.plan("conversations.replies", Fault("down"))

    with pytest.raises(SendFailed):
        await platform.find(thread, KEY)


# --------------------------------------------------------------------------------------------- signs


async def test_signs_are_reactions_and_a_status(platform: Slack, slack: FakeSlack) -> None:
    root = await slack_root(slack)
    thread = ThreadRef("slack", slack.team, "C1", root)

    for kind in (SignKind.SEEN, SignKind.WORKING, SignKind.DONE, SignKind.DONE):
        await platform.sign(thread, root, kind)
    await platform.sign(thread, "", SignKind.FAILED)

    assert slack.message(root).reactions == ["eyes", "white_check_mark"]
    assert slack.statuses["C1", root] == ["processing", "closed", "closed", "active"]


async def test_a_workspace_without_sessions_is_asked_once() -> None:
    async with FakeSlack(has_sessions=False) as slack:
        platform = Slack(config_for(slack), COMMANDS)
        thread = ThreadRef("slack", slack.team, "C1", "1.1")
        for _ in range(3):
            await platform.sign(thread, "", SignKind.WORKING)
        await platform.close()

    assert len(slack.called("agents.sessions.setStatus")) == 1


@pytest.mark.parametrize("fault", [Fault("reset"), Fault("busy"), Fault("down"), Fault("error", "no_reaction")])
async def test_a_sign_never_fails(platform: Slack, slack: FakeSlack, thread: ThreadRef, fault: Fault) -> None:
    slack.plan("reactions.add", fault)
    slack.plan("agents.sessions.setStatus", fault)

    await platform.sign(thread, "1.1", SignKind.DONE)
    await platform.answer_press("", "ok")

    await platform.sign(thread, "", SignKind.WORKING)
    assert slack.statuses["C1", thread.root] == ["processing"]


# ------------------------------------------------------------------------------------------- the client


@pytest.mark.parametrize(
    ("no_proxy", "expected"), [("", "http://proxy.example:3128"), ("localhost,127.0.0.1", None), ("*", None)]
)
def test_a_proxy_is_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, expected: str | None
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)

    assert proxy_for("http://127.0.0.1:1/api/") == expected
    assert proxy_for("https://slack.com/api/") is None


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("down"), "cannot be reached"),
        (Fault("error", "missing_scope"), "missing_scope"),
        (Fault("error", "account_inactive"), "does not accept"),
    ],
)
async def test_a_slack_that_does_not_say_who_we_are(slack: FakeSlack, fault: Fault, said: str) -> None:
    slack.plan("auth.test", fault)
    platform = Slack(config_for(slack), COMMANDS)

    with pytest.raises(ChatError, match=said):
        await platform.connect()
    await platform.close()


async def test_a_post_that_slack_takes_without_saying_where_is_unsure(platform: Slack, slack: FakeSlack) -> None:
    slack.new_ts = lambda: ""  # type: ignore[method-assign]

    with pytest.raises(SendUnknown):
        await platform.post(ThreadRef("slack", slack.team, "C1"), Post("hello"), KEY)


async def test_plain_words_may_be_refused_too(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    slack.plan("chat.postMessage", Fault("error", "invalid_blocks"), Fault("error", "is_archived"))

    with pytest.raises(ChatError, match="archived"):
        await platform.post(thread, Post("hello"), KEY)


def test_an_api_base_is_a_web_address() -> None:
    with pytest.raises(ValueError, match="web address"):
        SlackConfig(bot_token=SecretStr("x"), api_base="slack.com/api")
