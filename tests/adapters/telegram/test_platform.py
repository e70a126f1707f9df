"""What the bot says reaches Telegram once, and every refusal has its meaning."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import pytest
import structlog
from pydantic import SecretStr, ValidationError
from telegram import Bot
from telegram.error import TelegramError

from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from adapters.chat.telegram.request import Request
from core.model.chat import Button, ButtonToken, Delivery, Post, PostKey, PostRef, SignKind, Style, ThreadRef
from core.model.errors import (
    ChatBusy,
    ChatError,
    NotSupported,
    PostGone,
    SendFailed,
    SendUnknown,
    StoreError,
)
from core.ports import ChatPlatform, Forgetting, Signing, Webhooked
from tests.adapters.telegram.conftest import COMMANDS
from tests.fakes.telegram import FakeTelegram, Fault, Kind

DIRECT = ThreadRef("telegram", "4242", "11")
TOPIC = ThreadRef("telegram", "4242", "-100", "3")
KEY = PostKey("reply:1")
FINAL_ERRORS = [
    (403, "Forbidden: bot was blocked by the user", "blocked"),
    (403, "Forbidden: bot was kicked from the supergroup chat", "removed"),
    (400, "Bad Request: chat not found", "no such chat"),
    (400, "Bad Request: message thread not found", "topic no longer"),
    (400, "Bad Request: not enough rights to send text messages to the chat", "may not write"),
    (400, "Bad Request: something new", "something new"),
    (401, "Unauthorized", "token"),
]


def test_it_is_all_that_the_ports_ask(telegram: Telegram) -> None:
    platform: ChatPlatform = telegram

    assert isinstance(platform, Signing)
    assert isinstance(platform, Webhooked)
    assert (platform.name, platform.webhook_path) == ("telegram", "")


# ------------------------------------------------------------------------------------------ connecting


async def test_connect_learns_who_we_are_and_keeps_what_waits(telegram: Telegram, server: FakeTelegram) -> None:
    server.say(11, "said while we were away")
    await telegram.connect()

    assert telegram.tenant == "4242"
    assert server.called("deleteWebhook") == [{"drop_pending_updates": False}]
    registered = server.called("setMyCommands")
    assert [each["scope"]["type"] for each in registered] == ["all_private_chats", "all_group_chats"]
    assert registered[0]["commands"][0] == {"command": "status", "description": "Show what runs"}
    assert len(server.updates) == 1


async def test_connect_copes_with_a_server_without_names_or_commands(server: FakeTelegram, telegram: Telegram) -> None:
    server.username = None
    server.fail("setMyCommands", Fault.refuse(501, "not modelled"), Fault(Kind.RESET_BEFORE))
    await telegram.connect()

    assert telegram.tenant == "4242"


async def test_a_wrong_token_is_told_clearly(server: FakeTelegram) -> None:
    secret = f"77:{uuid4().hex}"
    platform = Telegram(TelegramConfig(token=SecretStr(secret), api_base=server.base), ())
    with pytest.raises(ChatError, match="does not accept the bot's token") as caught:
        await platform.connect()
    await platform.close()

    assert caught.value.is_final
    assert secret not in _whole(caught.value)


async def test_a_server_that_is_not_there_is_told_clearly() -> None:
    secret = f"77:{uuid4().hex}"
    platform = Telegram(TelegramConfig(token=SecretStr(secret), api_base=f"http://127.0.0.1:{_free_port()}"), ())
    with pytest.raises(ChatError, match="cannot be reached at http://127") as caught:
        await platform.connect()
    with pytest.raises(SendFailed) as failed:
        await platform.post(DIRECT, Post("x"), KEY)
    await platform.close()

    assert not caught.value.is_final
    assert secret not in _whole(caught.value) + _whole(failed.value)


async def test_a_server_that_is_none_of_telegrams_is_told_clearly(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("getMe", Fault(Kind.GARBLE), Fault(Kind.REFUSE, 200, {"ok": True, "result": []}))

    with pytest.raises(ChatError, match="cannot be reached"):
        await telegram.connect()
    with pytest.raises(ChatError, match="is not a Bot API server"):
        await telegram.connect()


@pytest.mark.parametrize("kind", list(Kind))
async def test_the_token_is_in_no_error_and_no_log(
    kind: Kind, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.chat.telegram.platform.SEND_SECONDS", 0.2)
    monkeypatch.setattr("adapters.chat.telegram.platform.SIGN_SECONDS", 0.2)
    caplog.set_level(logging.DEBUG)
    async with FakeTelegram(token=f"77:{uuid4().hex}") as server:
        platform = Telegram(TelegramConfig(token=SecretStr(server.token), api_base=server.base), COMMANDS)
        server.fail("sendMessage", Fault(kind))
        server.fail("setMessageReaction", Fault(kind))
        with structlog.testing.capture_logs() as logged:
            await platform.connect()
            with pytest.raises(ChatError) as caught:
                await platform.post(DIRECT, Post("x"), KEY)
            await platform.sign(DIRECT, "5", SignKind.SEEN)
        await platform.close()

    assert server.token not in _whole(caught.value) + repr(logged) + caplog.text


# --------------------------------------------------------------------------------------------- posting


async def test_a_post_arrives_with_its_formatting_and_its_buttons(telegram: Telegram, server: FakeTelegram) -> None:
    stop = Button("Stop", style=Style.DANGER, token=ButtonToken("tok"))
    link = Button("Open", url="https://example.com/pull/1")
    ref = await telegram.post(TOPIC, Post("**Done** in `src`", ((stop, link),), silent=True), KEY)

    shown = server.posts[-1]
    assert ref == PostRef(TOPIC, str(shown.message))
    assert shown.fields == {
        "chat_id": -100,
        "message_thread_id": 3,
        "text": "Done in src",
        "entities": [{"type": "bold", "offset": 0, "length": 4}, {"type": "code", "offset": 8, "length": 3}],
        "link_preview_options": {"is_disabled": True},
        "disable_notification": True,
        "reply_markup": {
            "inline_keyboard": [
                [{"text": "Stop", "callback_data": "tok"}, {"text": "Open", "url": "https://example.com/pull/1"}]
            ]
        },
    }


async def test_a_button_that_was_shown_can_be_pressed(telegram: Telegram, server: FakeTelegram) -> None:
    await telegram.post(DIRECT, Post("Sure?", ((Button("Yes", token=ButtonToken("tok")),),)), KEY)
    server.press(11, server.button(11, "Yes"))
    event = telegram.read(_raw(server.updates[-1]))

    assert event is not None
    assert (event.thread, getattr(event, "token", "")) == (DIRECT, "tok")


@pytest.mark.parametrize(("status", "description", "words"), FINAL_ERRORS)
async def test_final_refusals(
    telegram: Telegram, server: FakeTelegram, status: int, description: str, words: str
) -> None:
    server.fail("sendMessage", Fault.refuse(status, description))
    with pytest.raises(ChatError, match=words) as caught:
        await telegram.post(DIRECT, Post("x"), KEY)

    assert caught.value.is_final
    assert server.posts == []


async def test_a_full_chat_tells_how_long_to_wait(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessage", Fault.refuse(429, "Too Many Requests: retry after 137", retry_after=137))
    with pytest.raises(ChatBusy) as caught:
        await telegram.post(DIRECT, Post("x"), KEY)

    assert caught.value.seconds == 137
    assert len(server.called("sendMessage")) == 1


async def test_trouble_that_the_server_tells_of_is_surely_not_sent(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessage", Fault.refuse(500, "Internal Server Error"))

    with pytest.raises(SendFailed):
        await telegram.post(DIRECT, Post("x"), KEY)


@pytest.mark.parametrize(
    "fault", [Fault(Kind.RESET_BEFORE), Fault(Kind.RESET_AFTER), Fault(Kind.GARBLE), Fault(Kind.REFUSE, 502)], ids=str
)
async def test_a_lost_reply_is_unknown_and_not_repeated(telegram: Telegram, server: FakeTelegram, fault: Fault) -> None:
    server.fail("sendMessage", fault)
    with pytest.raises(SendUnknown):
        await telegram.post(DIRECT, Post("x"), KEY)

    assert len(server.called("sendMessage")) == 1


async def test_a_reply_that_does_not_come_is_unknown(
    telegram: Telegram, server: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.chat.telegram.platform.SEND_SECONDS", 0.1)
    server.fail("sendMessage", Fault(Kind.HANG))

    with pytest.raises(SendUnknown):
        await telegram.post(DIRECT, Post("x"), KEY)


async def test_a_receipt_that_names_no_message_is_unknown(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessage", Fault(Kind.REFUSE, 200, {"ok": True, "result": True}))

    with pytest.raises(SendUnknown):
        await telegram.post(DIRECT, Post("x"), KEY)


@pytest.mark.parametrize(
    ("body", "error"), [({"ok": False, "error_code": 403}, ChatError), ({"ok": False}, SendFailed)]
)
async def test_a_refusal_under_a_status_of_success_is_a_refusal(
    telegram: Telegram, server: FakeTelegram, body: dict[str, Any], error: type[ChatError]
) -> None:
    server.fail("sendMessage", Fault(Kind.REFUSE, 200, body))
    with pytest.raises(ChatError) as caught:
        await telegram.post(DIRECT, Post("x"), KEY)

    assert type(caught.value) is error


async def test_a_long_post_is_sent_in_pieces(telegram: Telegram, server: FakeTelegram) -> None:
    for piece in telegram.split(Post("word " * 2000)):
        await telegram.post(DIRECT, piece, KEY)

    assert [each.text[-5:] for each in server.posts] == ["(1/3)", "(2/3)", "(3/3)"]


async def test_formatting_that_is_refused_is_left_out(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessage", Fault.refuse(400, "Bad Request: can't parse entities: something new"))
    await telegram.post(DIRECT, Post("**bold**"), KEY)

    assert "entities" not in server.posts[-1].fields
    assert server.posts[-1].text == "bold"


async def test_formatting_is_left_out_once_only(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessage", *[Fault.refuse(400, "Bad Request: can't parse entities: still")] * 3)
    with pytest.raises(ChatError):
        await telegram.post(DIRECT, Post("**bold**"), KEY)

    assert len(server.called("sendMessage")) == 2


async def test_a_field_that_an_older_server_refuses_is_left_out_from_then_on(
    telegram: Telegram, server: FakeTelegram
) -> None:
    server.fail("sendMessage", Fault.refuse(400, "Bad Request: link_preview_options is not supported yet"))
    await telegram.post(DIRECT, Post("one"), KEY)
    await telegram.post(DIRECT, Post("two"), KEY)

    assert ["link_preview_options" in each for each in server.called("sendMessage")] == [True, False, False]


async def test_a_topic_is_never_left_out(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("sendMessage", Fault.refuse(400, "Bad Request: message_thread_id is not supported yet"))
    with pytest.raises(ChatError):
        await telegram.post(TOPIC, Post("x"), KEY)

    assert server.posts == []


async def test_a_group_that_moved_is_followed(telegram: Telegram, server: FakeTelegram) -> None:
    group = ThreadRef("telegram", "4242", "-40")
    server.fail("sendMessage", Fault.refuse(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-10040))
    ref = await telegram.post(group, Post("one"), KEY)
    await telegram.post(group, Post("two"), KEY)

    assert [each["chat_id"] for each in server.called("sendMessage")] == [-40, -10040, -10040]
    assert ref.thread.chat == "-10040"


async def test_what_was_sent_cannot_be_found(telegram: Telegram) -> None:
    with pytest.raises(NotSupported):
        await telegram.find(DIRECT, KEY)


# --------------------------------------------------------------------------------------------- editing


async def test_an_edit_shows_other_words_and_drops_the_buttons(telegram: Telegram, server: FakeTelegram) -> None:
    ref = await telegram.post(DIRECT, Post("Running", ((Button("Stop", token=ButtonToken("t")),),)), KEY)
    await telegram.edit(ref, Post("Done"))

    assert (server.posts[-1].kind, server.posts[-1].text, server.posts[-1].buttons) == ("edit", "Done", ())


async def test_the_same_words_twice_are_no_error(telegram: Telegram, server: FakeTelegram) -> None:
    ref = await telegram.post(DIRECT, Post("Running"), KEY)
    await telegram.edit(ref, Post("Running"))

    assert len(server.called("editMessageText")) == 1


async def test_an_edit_that_is_too_long_is_cut(telegram: Telegram, server: FakeTelegram) -> None:
    ref = await telegram.post(DIRECT, Post("Running"), KEY)
    await telegram.edit(ref, Post("word " * 2000))

    assert server.posts[-1].text.endswith("word…")
    assert 4090 <= len(server.posts[-1].text) <= 4096


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.refuse(400, "Bad Request: message to edit not found"), PostGone),
        (Fault.refuse(400, "Bad Request: message can't be edited"), PostGone),
        (Fault.refuse(400, "Bad Request: MESSAGE_ID_INVALID"), PostGone),
        (Fault.refuse(429, "Too Many Requests", retry_after=3), ChatBusy),
        (Fault(Kind.RESET_AFTER), SendFailed),
        (Fault.refuse(502, "Bad Gateway"), SendFailed),
        (Fault.refuse(403, "Forbidden: bot was blocked by the user"), ChatError),
    ],
    ids=str,
)
async def test_edits_that_fail(telegram: Telegram, server: FakeTelegram, fault: Fault, error: type[ChatError]) -> None:
    ref = await telegram.post(DIRECT, Post("Running"), KEY)
    server.fail("editMessageText", fault)

    with pytest.raises(error):
        await telegram.edit(ref, Post("Done"))


async def test_groups_get_more_time_between_edits(telegram: Telegram) -> None:
    assert telegram.edit_gap == telegram.gap(DIRECT) == 1.1
    assert telegram.gap(TOPIC) == 4.0


async def test_how_long_a_press_is_kept_for_a_bot_that_is_away_is_told(telegram: Telegram) -> None:
    assert isinstance(telegram, Forgetting)
    assert telegram.press_seconds == 150.0


# ----------------------------------------------------------------------------------------------- signs


async def test_the_request_serves_python_telegram_bot_too(server: FakeTelegram) -> None:
    request = Request(server.base, server.token)
    async with request, Bot("0:none", request=request, get_updates_request=request) as bot:
        me = await bot.get_me()
        server.fail("sendMessage", Fault.refuse(400, "Bad Request: chat not found"))
        with pytest.raises(TelegramError, match="Chat not found"):
            await bot.send_message(1, "x", read_timeout=3)

    assert (me.id, request.read_timeout) == (4242, 20.0)


async def test_signs(telegram: Telegram, server: FakeTelegram) -> None:
    for kind in SignKind:
        await telegram.sign(TOPIC, "7", kind)
    await telegram.answer_press("h", "x" * 300)

    reactions = server.called("setMessageReaction")
    assert [each["reaction"][0]["emoji"] for each in reactions] == ["👀", "👍", "💔"]
    assert reactions[0]["message_id"] == 7
    assert server.called("sendChatAction") == [{"chat_id": -100, "action": "typing", "message_thread_id": 3}]
    assert server.called("answerCallbackQuery") == [{"callback_query_id": "h", "text": "x" * 200}]


async def test_a_sign_never_raises_and_an_unknown_one_is_not_tried_again(
    telegram: Telegram, server: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.chat.telegram.platform.SIGN_SECONDS", 0.1)
    server.fail("sendChatAction", Fault(Kind.HANG), Fault(Kind.RESET_AFTER), Fault.refuse(400, "Bad Request: no"))
    server.fail("setMessageReaction", Fault.refuse(501, "not modelled"))
    for _ in range(3):
        await telegram.sign(DIRECT, "7", SignKind.WORKING)
        await telegram.sign(DIRECT, "7", SignKind.SEEN)
    await telegram.sign(DIRECT, "", SignKind.SEEN)

    assert len(server.called("sendChatAction")) == 3
    assert len(server.called("setMessageReaction")) == 1


# --------------------------------------------------------------------------------------------- webhook

SECRET = uuid4().hex


class Taken:
    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.error: Exception | None = None

    async def __call__(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
        if self.error is not None:
            raise self.error
        self.deliveries += deliveries


@pytest.fixture
async def called(server: FakeTelegram) -> AsyncIterator[Telegram]:
    config = TelegramConfig(
        token=SecretStr(server.token),
        api_base=server.base,
        mode="webhook",
        webhook_url="https://bot.example.com/",
        webhook_secret=SecretStr(SECRET),
    )
    platform = Telegram(config, ())
    yield platform
    await platform.close()


@asynccontextmanager
async def listening(platform: Telegram, taken: Taken, server: FakeTelegram) -> AsyncIterator[None]:
    task = asyncio.create_task(platform.listen(taken, None))
    await server.wait_for(lambda: len(server.called("setWebhook")) == 2)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


UPDATE = b'{ "update_id" : 5, "message": {"text": "h\xc3\xa9"} }'
SIGNED = {"X-Telegram-Bot-Api-Secret-Token": SECRET}


async def test_the_webhook_is_set_with_its_secret(called: Telegram, server: FakeTelegram) -> None:
    await called.connect()

    assert called.webhook_path == "/telegram/webhook"
    assert server.called("deleteWebhook") == []
    assert server.webhook == {
        "url": "https://bot.example.com/telegram/webhook",
        "secret_token": SECRET,
        "allowed_updates": ["message", "edited_message", "callback_query", "my_chat_member"],
        "drop_pending_updates": False,
    }


async def test_a_signed_update_is_taken_before_the_answer(called: Telegram, server: FakeTelegram) -> None:
    await called.connect()
    taken = Taken()
    early = await called.receive(SIGNED, UPDATE)
    async with listening(called, taken, server):
        answer = await called.receive({"x-telegram-bot-api-secret-token": SECRET}, UPDATE)
        taken.error = StoreError("disk full")
        refused = await called.receive(SIGNED, UPDATE)
    late = await called.receive(SIGNED, UPDATE)

    assert [each.status for each in (early, answer, refused, late)] == [503, 200, 503, 503]
    assert taken.deliveries == [Delivery("telegram", "5", b'{"message":{"text":"h\\u00e9"},"update_id":5}')]


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Telegram-Bot-Api-Secret-Token": ""}, {"X-Telegram-Bot-Api-Secret-Token": SECRET[:-1] + "é\udc80"}],
)
async def test_an_unsigned_update_is_refused(called: Telegram, server: FakeTelegram, headers: dict[str, str]) -> None:
    await called.connect()
    taken = Taken()
    async with listening(called, taken, server):
        answer = await called.receive(headers, UPDATE)

    assert (answer.status, taken.deliveries) == (401, [])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"update_id": true}', b'{"update_id": "5"}', b"{}"]
)
async def test_a_malformed_update_is_refused(called: Telegram, server: FakeTelegram, body: bytes) -> None:
    await called.connect()
    taken = Taken()
    async with listening(called, taken, server):
        answer = await called.receive(SIGNED, body)

    assert (answer.status, taken.deliveries) == (400, [])


async def test_a_webhook_that_cannot_be_renewed_still_listens(called: Telegram, server: FakeTelegram) -> None:
    server.fail("setWebhook", Fault.refuse(500, "Internal Server Error"), Fault.refuse(500, "Internal Server Error"))
    with pytest.raises(SendFailed):
        await called.connect()
    server.say(11, "hello")
    taken = Taken()
    async with listening(called, taken, server):
        await asyncio.sleep(0.05)
        answer = await called.receive(SIGNED, UPDATE)

    assert answer.status == 200


async def test_a_group_that_moves_is_noted(telegram: Telegram) -> None:
    with structlog.testing.capture_logs() as logged:
        event = telegram.read(_raw({"message": {"migrate_to_chat_id": -10040}}))

    assert event is None
    assert [each["event"] for each in logged] == ["telegram.chat_migrated"]


async def test_a_polling_bot_takes_nothing_over_http(telegram: Telegram) -> None:
    answer = await telegram.receive({"X-Telegram-Bot-Api-Secret-Token": ""}, UPDATE)

    assert answer.status == 401


async def test_a_webhook_that_is_refused_is_told_clearly(called: Telegram, server: FakeTelegram) -> None:
    server.fail("setWebhook", Fault.refuse(400, "Bad Request: bad webhook: HTTPS url must be provided"))

    with pytest.raises(ChatError, match=r"HTTPS url must be provided.*webhook_url"):
        await called.connect()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"mode": "webhook", "webhook_url": "https://b.example"}, "webhook_secret"),
        ({"mode": "webhook", "webhook_secret": SECRET}, "webhook_url"),
        ({"mode": "webhook", "webhook_url": "https://b.example", "webhook_secret": "with space"}, "webhook_secret"),
        ({"token": " "}, "token is empty"),
        ({"api_base": "api.telegram.org"}, "api_base"),
    ],
    ids=["no secret", "no address", "a space in the secret", "an empty token", "no scheme"],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TelegramConfig.model_validate({"token": "1:x", **wrong})


def _whole(error: BaseException) -> str:
    """Everything that a log could show of an error: its chain, and the chains of what is in it."""
    chain = ""
    seen: BaseException | None = error
    while seen is not None:
        chain += repr(seen) + repr(vars(seen))
        seen = seen.__cause__ or seen.__context__
    return chain + "".join(traceback.format_exception(error))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _raw(update: dict[str, Any]) -> bytes:
    return json.dumps(update).encode()


async def test_a_group_without_topics_is_told_of_them(telegram: Telegram) -> None:
    group = ThreadRef("telegram", "4242", "-100")

    assert "Switch on *Topics*" in telegram.advice(group)
    assert telegram.advice(TOPIC) == ""
    assert telegram.advice(DIRECT) == ""
