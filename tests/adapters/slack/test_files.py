"""A file in Slack: three calls, only the last of which anybody sees; found again by its name, refused in words."""

from __future__ import annotations

import pytest

from adapters.chat.slack.files import file_name
from adapters.chat.slack.platform import Slack
from adapters.chat.slack.search import PAGE, PAGES
from core.model.chat import FILE, File, Post, PostKey, PostRef, ThreadRef
from core.model.errors import ChatBusy, ChatError, FileRefused, NotSupported, SendFailed, SendUnknown
from core.ports import Filing
from tests.adapters.slack.conftest import COMMANDS, config_for
from tests.fakes.slack import FakeSlack, Fault
from tests.fakes.slack_files import SlackFile

KEY = PostKey(f"answer:slack:T0TEAM:C1:1.1{FILE}")
FILE_POST = Post("", file=File("answer.md", "# Grüße 😀 <!channel>\n\n" + "word " * 9000))
ADDRESS, COMPLETE = "files.getUploadURLExternal", "files.completeUploadExternal"


@pytest.fixture
def thread(slack: FakeSlack) -> ThreadRef:
    return ThreadRef("slack", slack.team, "C1", "1700000000.000001")


async def test_a_file_stands_in_its_thread(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    assert isinstance(platform, Filing)
    ref = await platform.post(thread, FILE_POST, KEY)

    [file] = slack.files.complete
    assert FILE_POST.file is not None
    assert file.text == FILE_POST.file.text
    assert (file.channel, file.thread_ts, file.title) == (thread.chat, thread.root, "answer.md")
    assert ref == PostRef(thread, file.id)
    assert KEY not in file.name
    assert "initial_comment" not in slack.called(COMPLETE)[0]


async def test_words_beside_it_ring_at_nobody(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    await platform.post(thread, Post("*again* <!channel> <@U1>", file=FILE_POST.file), KEY)

    assert slack.called(COMPLETE)[0]["initial_comment"] == "*again* &lt;!channel&gt; &lt;@U1&gt;"


async def test_a_chat_itself_takes_files_too(platform: Slack, slack: FakeSlack) -> None:
    await platform.post(ThreadRef("slack", slack.team, "C1"), FILE_POST, KEY)

    assert [each.thread_ts for each in slack.files.complete] == [""]


async def test_an_edit_leaves_it_as_it_is(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    await platform.edit(await platform.post(thread, FILE_POST, KEY), FILE_POST)

    assert slack.called("chat.update") == []


@pytest.mark.parametrize("name", [file_name(File(each, ""), "01234567-89ab-cdef") for each in ("a.md", "x", "a.b.c")])
def test_its_name_bears_the_id_of_its_key(name: str) -> None:
    assert name in {"a-0123456789ab.md", "x-0123456789ab", "a.b-0123456789ab.c"}


@pytest.mark.parametrize(
    ("method", "fault", "error"),
    [
        (ADDRESS, Fault("lost"), SendFailed),
        (ADDRESS, Fault("reset"), SendFailed),
        (ADDRESS, Fault("busy", seconds=7), ChatBusy),
        (ADDRESS, Fault("error", "internal_error"), SendFailed),
        (ADDRESS, Fault("error", "file_uploads_disabled"), FileRefused),
        (ADDRESS, Fault("error", "unknown_method"), FileRefused),
        (ADDRESS, Fault("error", "token_revoked"), ChatError),
        ("upload", Fault("lost"), SendFailed),
        ("upload", Fault("reset"), SendFailed),
        (COMPLETE, Fault("reset"), SendUnknown),
        (COMPLETE, Fault("lost"), SendUnknown),
        (COMPLETE, Fault("error", "internal_error"), SendUnknown),
        (COMPLETE, Fault("down"), SendUnknown),
        (COMPLETE, Fault("busy"), ChatBusy),
        (COMPLETE, Fault("error", "channel_not_found"), ChatError),
        (COMPLETE, Fault("error", "invalid_channel"), ChatError),
        (COMPLETE, Fault("error", "storage_limit_reached"), FileRefused),
    ],
)
async def test_what_a_failure_means(
    platform: Slack, slack: FakeSlack, thread: ThreadRef, method: str, fault: Fault, error: type[ChatError]
) -> None:
    slack.plan(method, fault)
    with pytest.raises(ChatError) as caught:
        await platform.post(thread, FILE_POST, KEY)

    assert type(caught.value) is error
    assert len(slack.files.complete) == (1 if (method, fault.kind) == (COMPLETE, "lost") else 0)


@pytest.mark.parametrize(("status", "error"), [(413, FileRefused), (503, SendFailed), (429, SendFailed)])
async def test_bytes_that_are_not_taken(
    platform: Slack, slack: FakeSlack, thread: ThreadRef, status: int, error: type[ChatError]
) -> None:
    slack.files.upload_status = status
    with pytest.raises(error):
        await platform.post(thread, FILE_POST, KEY)

    assert slack.called(COMPLETE) == []


async def test_an_answer_without_an_address_is_no_end(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    slack._do[ADDRESS] = lambda _: {"file_id": "F1"}
    with pytest.raises(SendFailed):
        await platform.post(thread, FILE_POST, KEY)


async def test_nothing_that_is_said_unfurls_or_links_a_name(
    platform: Slack, slack: FakeSlack, thread: ThreadRef
) -> None:
    post = Post("https://example.org @ada #general")
    await platform.edit(await platform.post(thread, post, PostKey("k")), Post("again https://example.org @ada"))

    [sent], [edited] = slack.called("chat.postMessage"), slack.called("chat.update")
    assert (sent["unfurl_links"], sent["unfurl_media"], sent["link_names"]) == (False, False, False)
    assert edited["link_names"] is False


# --------------------------------------------------------------------------------------------- scopes


async def test_an_app_without_the_scope_says_so_and_is_not_asked_for_files_again(
    platform: Slack, slack: FakeSlack, thread: ThreadRef
) -> None:
    slack.scopes.discard("files:write")
    assert platform.takes_files

    with pytest.raises(FileRefused, match="files:write"):
        await platform.post(thread, FILE_POST, KEY)

    assert not platform.takes_files


async def test_what_the_app_lacks_is_known_when_it_connects(slack: FakeSlack) -> None:
    slack.scopes.discard("files:write")
    platform = Slack(config_for(slack), COMMANDS)
    assert platform.lacks() == ""
    await platform.connect()
    await platform.close()

    assert "files:write" in platform.lacks()
    assert not platform.takes_files


# ----------------------------------------------------------------------------------------- looking up


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_file_whose_reply_was_lost_is_found(
    platform: Slack, slack: FakeSlack, thread: ThreadRef, *, is_late: bool
) -> None:
    """Also while Slack has it and has not yet shown it in the channel."""
    slack.files.is_late = is_late
    slack.plan(COMPLETE, Fault("lost"))
    with pytest.raises(SendUnknown):
        await platform.post(thread, FILE_POST, KEY)

    found = await platform.find(thread, KEY)

    assert found == PostRef(thread, slack.files.complete[0].id)
    assert await platform.find(thread, PostKey(f"another{FILE}")) is None


async def test_a_file_that_was_never_completed_is_not_there(
    platform: Slack, slack: FakeSlack, thread: ThreadRef
) -> None:
    slack.plan(COMPLETE, Fault("reset"))
    with pytest.raises(SendUnknown):
        await platform.post(thread, FILE_POST, KEY)

    assert await platform.find(thread, KEY) is None


async def test_without_the_list_it_is_found_where_it_stands(
    platform: Slack, slack: FakeSlack, thread: ThreadRef
) -> None:
    ref = await platform.post(thread, FILE_POST, KEY)
    slack.scopes.discard("files:read")

    assert await platform.find(thread, KEY) == ref
    with pytest.raises(NotSupported):
        await platform.find(thread, PostKey(f"another{FILE}"))


async def test_without_list_and_history_nothing_is_sure(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    slack.scopes.discard("files:read")
    slack.plan("conversations.replies", Fault("error", "missing_scope"))

    with pytest.raises(NotSupported):
        await platform.find(thread, KEY)


async def test_a_list_that_fails_is_asked_again_later(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    slack.plan("files.list", Fault("error", "internal_error"))

    with pytest.raises(SendFailed):
        await platform.find(thread, KEY)


async def test_a_list_too_long_proves_nothing(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    slack.files.all = [SlackFile(f"F{n}", "x.md", 1, b"x", is_complete=True) for n in range(PAGE * PAGES)]

    with pytest.raises(NotSupported):
        await platform.find(thread, KEY)


async def test_a_thread_is_searched_page_by_page(platform: Slack, slack: FakeSlack, thread: ThreadRef) -> None:
    for number in range(PAGE + 10):
        await slack.say(thread.chat, "U1", str(number), thread.root, times=0)
    ref = await platform.post(thread, FILE_POST, KEY)
    slack.scopes.discard("files:read")

    assert await platform.find(thread, KEY) == ref
