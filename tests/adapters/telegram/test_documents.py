"""A file in a Telegram chat: sent once, its fate told apart, and refused so that its words are said instead."""

from __future__ import annotations

import pytest

from adapters.chat.telegram.platform import Telegram
from adapters.chat.telegram.render import CAPTION, caption_fields, without_marks
from core.model.chat import FILE, Button, ButtonToken, File, Post, PostKey, PostRef, ThreadRef
from core.model.errors import ChatBusy, ChatError, FileRefused, SendFailed, SendUnknown
from core.ports import Filing
from tests.fakes.telegram import FakeTelegram, Fault, Kind

KEY = PostKey(f"answer:1{FILE}")
TOPIC = ThreadRef("telegram", "4242", "-100", "7")
POST = Post("", file=File("answer.md", "# Grüße 😀\n\n" + "word " * 5000))


async def test_a_file_stands_in_its_topic(telegram: Telegram, server: FakeTelegram) -> None:
    assert isinstance(telegram, Filing)
    ref = await telegram.post(TOPIC, Post("", silent=True, file=POST.file), KEY)

    [sent] = server.documents
    assert POST.file is not None
    assert (sent.name, sent.text) == (POST.file.name, POST.file.text)
    assert (sent.chat, sent.thread, sent.caption) == (-100, 7, "")
    assert sent.fields["disable_notification"] is True
    assert ref == PostRef(TOPIC, str(sent.message))


async def test_what_stands_beside_it_is_formatted_and_rings_at_nobody(telegram: Telegram, server: FakeTelegram) -> None:
    row = ((Button("Go", token=ButtonToken("t")),),)
    await telegram.post(TOPIC, Post("*again* @durov", row, file=POST.file), KEY)

    fields = server.documents[0].fields
    assert fields["caption"] == "again @\u2060durov"
    assert fields["caption_entities"] == [{"type": "italic", "offset": 0, "length": 5}]
    assert fields["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "t"


def test_a_caption_is_cut_as_telegram_counts() -> None:
    caption = str(caption_fields(Post("😀" * 600))["caption"])

    assert caption == "😀" * 511 + "…"
    assert len(caption.encode("utf-16-le")) // 2 == CAPTION - 1


def test_without_formatting_what_was_code_rings_at_nobody() -> None:
    fields = caption_fields(Post("`@durov`"))

    assert without_marks(fields)
    assert fields == {"caption": "@\u2060durov"}
    assert not without_marks(fields)


async def test_an_edit_leaves_it_as_it_is(telegram: Telegram, server: FakeTelegram) -> None:
    ref = await telegram.post(TOPIC, POST, KEY)
    await telegram.edit(ref, POST)

    assert [each.method for each in server.calls] == ["sendDocument"]


@pytest.mark.parametrize("fault", [Fault(Kind.RESET_AFTER), Fault(Kind.GARBLE)])
async def test_a_lost_reply_is_unknown_and_not_repeated(telegram: Telegram, server: FakeTelegram, fault: Fault) -> None:
    server.fail("sendDocument", fault)
    with pytest.raises(SendUnknown):
        await telegram.post(TOPIC, POST, KEY)

    assert len(server.documents) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.refuse(413, "Request Entity Too Large"), FileRefused),
        (Fault.refuse(400, "Bad Request: not enough rights to send documents to the chat"), FileRefused),
        (Fault.refuse(400, "Bad Request: CHAT_SEND_DOCS_FORBIDDEN"), FileRefused),
        (Fault.refuse(404, "Not Found: method not found"), FileRefused),
        (Fault.refuse(403, "Forbidden: bot was kicked from the supergroup chat"), ChatError),
        (Fault.refuse(401, "Unauthorized"), ChatError),
        (Fault.refuse(429, "Too Many Requests: retry after 3", retry_after=3), ChatBusy),
        (Fault.refuse(502, "Bad Gateway"), SendFailed),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
async def test_what_a_refusal_means(
    telegram: Telegram, server: FakeTelegram, fault: Fault, error: type[ChatError]
) -> None:
    server.fail("sendDocument", fault)
    with pytest.raises(ChatError) as caught:
        await telegram.post(TOPIC, POST, KEY)

    assert type(caught.value) is error
    assert server.documents == []


async def test_a_group_that_moved_is_followed(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendDocument", Fault.refuse(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-200))
    ref = await telegram.post(TOPIC, POST, KEY)

    assert [each.chat for each in server.documents] == [-200]
    assert ref.thread.chat == "-200"


async def test_nothing_that_is_said_unfurls(telegram: Telegram, server: FakeTelegram) -> None:
    post = Post("https://example.org and [here](https://example.org/a)")
    await telegram.edit(await telegram.post(TOPIC, post, PostKey("k")), Post(f"again {post.text}"))

    assert [each.method for each in server.calls] == ["sendMessage", "editMessageText"]
    assert all(each.fields["link_preview_options"] == {"is_disabled": True} for each in server.calls)


async def test_formatting_that_is_refused_leaves_no_mention(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessage", Fault.refuse(400, "Bad Request: can't parse entities: unsupported"))
    await telegram.post(TOPIC, Post("`@durov` **x**"), PostKey("k"))

    assert [each.text for each in server.posts] == ["@\u2060durov x"]
