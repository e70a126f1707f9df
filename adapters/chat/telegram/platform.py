"""Telegram as a chat platform: connects the poller, the reader and the renderer to the Bot API."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from telegram import Bot, BotCommand, BotCommandScopeAllGroupChats, BotCommandScopeAllPrivateChats
from telegram.constants import CallbackQueryLimit, ChatAction, ReactionEmoji
from telegram.error import TelegramError

from adapters.chat.telegram import inbound, refusals
from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.drafts import DRAFT_SECONDS, Drafts
from adapters.chat.telegram.poller import UPDATES, Sleep, delivery, poll
from adapters.chat.telegram.render import caption_fields, message_fields, without_marks
from adapters.chat.telegram.request import TROUBLE, Refused, Request
from adapters.chat.telegram.split import split
from core.model.chat import ChatEvent, File, Post, PostKey, PostRef, SignKind, ThreadRef
from core.model.errors import ChatError, NotSupported, StoreError
from core.model.strict import strict_json
from core.ports import Circuit, CommandWord, HttpAnswer, Take, View

WEBHOOK_PATH = "/telegram/webhook"
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header

PRIVATE_GAP_SECONDS = 1.1
GROUP_GAP_SECONDS = 4.0
"""Telegram: about one message a second in a chat, twenty a minute in a group; an edit counts as a message.

Fifteen edits a minute leave five for what is new."""

NO_TOKEN = "0:none"  # noqa: S105
"""python-telegram-bot logs the token it is given; ours stays in Request, which alone knows the address."""

SEND_SECONDS = 20.0
"""A send or an edit; after that its fate is unknown."""

PRESS_SECONDS = 150.0
"""The server's source: a callback query that is not fetched is dropped after that."""

SIGN_SECONDS = 5.0
"""A sign that comes later says nothing any more."""

OPTIONAL = frozenset({"link_preview_options", "disable_notification"})
"""A Bot API server that does not know these may have the message without them; without others it would go astray."""

REACTIONS = {
    SignKind.SEEN: ReactionEmoji.EYES,
    SignKind.DONE: ReactionEmoji.THUMBS_UP,
    SignKind.FAILED: ReactionEmoji.BROKEN_HEART,
}

log = structlog.get_logger()


class Telegram:
    """Fulfils ChatPlatform, Signing, Streaming, Filing, Reaching, Deleting and Webhooked."""

    takes_files = True

    def __init__(
        self,
        config: TelegramConfig,
        commands: Sequence[CommandWord],
        *,
        sleep: Sleep = asyncio.sleep,
        circuit: Circuit | None = None,
    ) -> None:
        token = config.token.get_secret_value().strip()
        self._config = config
        self._commands = commands
        self._sleep = sleep
        self._request = Request(config.api_base, token, circuit)
        self._bot = Bot(NO_TOKEN, request=self._request, get_updates_request=self._request)
        number = token.partition(":")[0]
        self._me = inbound.Me(number if number.isdecimal() else "")
        self._take: Take | None = None
        self._moved: dict[str, int] = {}
        self._unknown: set[str] = set()
        self._drafts = Drafts(lambda fields: self._request.call("sendMessageDraft", fields, seconds=DRAFT_SECONDS))

    @property
    def name(self) -> str:
        return inbound.PLATFORM

    @property
    def tenant(self) -> str:
        return self._me.id

    @property
    def press_seconds(self) -> float:
        return PRESS_SECONDS

    @property
    def edit_gap(self) -> float:
        return PRIVATE_GAP_SECONDS

    def gap(self, thread: ThreadRef) -> float:
        """Seconds that a call takes of this chat's pace: a group's id is negative, and it allows fewer."""
        return GROUP_GAP_SECONDS if thread.chat.startswith("-") else PRIVATE_GAP_SECONDS

    def advice(self, thread: ThreadRef) -> str:
        """A group without topics is one line of talk for all."""
        if thread.root or not thread.chat.startswith("-"):
            return ""
        return (
            "This group has no topics, so it is one thread: one run works here at a time, and what is said meanwhile "
            "is its next turn. Switch on *Topics* in the group's settings to work side by side, one topic for each."
        )

    @property
    def webhook_path(self) -> str:
        return WEBHOOK_PATH if self._config.mode == "webhook" else ""

    # ------------------------------------------------------------------------------------ receiving

    async def connect(self) -> None:
        me = await self._set_up("getMe", {})
        if not isinstance(me, dict) or not isinstance(me.get("id"), int):
            raise ChatError(f"{self._config.api_base} is not a Bot API server. Check telegram.api_base.")
        username = me.get("username")
        self._me = inbound.Me(str(me["id"]), username if isinstance(username, str) else "")
        if self._config.mode == "webhook":
            await self._set_up("setWebhook", self._webhook_fields())
        else:
            await self._set_up("deleteWebhook", {"drop_pending_updates": False})
        await self._register_commands()
        log.info("telegram.connected", bot=self._me.id, username=self._me.username, mode=self._config.mode)

    async def listen(self, take: Take, cursor: str | None) -> None:
        if self._config.mode == "polling":
            await poll(self._request, take, cursor, self._sleep)
        else:
            await self._wait_for_calls(take)

    async def _wait_for_calls(self, take: Take) -> None:
        self._take = take
        try:
            await self._call_for_what_waits()
            await asyncio.Event().wait()
        finally:
            self._take = None

    async def receive(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        if not self._is_signed(headers):
            return HttpAnswer(401)
        try:
            update = strict_json(body)
        except ValueError:
            update = None
        arrived = delivery(update) if isinstance(update, dict) else None
        if arrived is None:
            return HttpAnswer(400)
        if self._take is None:
            return HttpAnswer(503)
        try:
            await self._take([arrived])
        except StoreError as error:
            log.warning("telegram.webhook.not_taken", reason=str(error))
            return HttpAnswer(503)
        return HttpAnswer(200)

    def read(self, raw: bytes) -> ChatEvent | None:
        event = inbound.read(raw, self._me)
        if event is None and b'"migrate_to_chat_id"' in raw:
            log.info("telegram.chat_migrated")
        return event

    def _is_signed(self, headers: Mapping[str, str]) -> bool:
        secret = self._config.webhook_secret.get_secret_value()
        given = [value for name, value in headers.items() if name.lower() == SECRET_HEADER]
        is_same = len(given) == 1 and hmac.compare_digest(given[0].encode(errors="replace"), secret.encode())
        return bool(secret) and self._config.mode == "webhook" and is_same

    def _webhook_fields(self) -> dict[str, Any]:
        return {
            "url": self._config.webhook_url.rstrip("/") + WEBHOOK_PATH,
            "secret_token": self._config.webhook_secret.get_secret_value(),
            "allowed_updates": list(UPDATES),
            "drop_pending_updates": False,
        }

    async def _call_for_what_waits(self) -> None:
        """Naming the address again makes the server send now what it kept while we were away."""
        try:
            await self._request.call("setWebhook", self._webhook_fields())
        except TelegramError as error:
            log.info("telegram.webhook.not_renewed", reason=error.message)

    async def _set_up(self, method: str, fields: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        try:
            return await self._request.call(method, fields)
        except TROUBLE as error:
            trouble = refusals.connecting_error(method, error, self._config.api_base)
        raise trouble

    async def _register_commands(self) -> None:
        """What the app shows after `/`. The bot works without."""
        commands = [BotCommand(each.word.lower(), each.summary[:256]) for each in self._commands]
        if not commands:
            return
        for scope in (BotCommandScopeAllPrivateChats(), BotCommandScopeAllGroupChats()):
            try:
                await self._bot.set_my_commands(commands, scope=scope)
            except TelegramError as error:
                log.warning("telegram.commands.not_registered", scope=str(scope.type), reason=error.message)

    # -------------------------------------------------------------------------------------- posting

    def split(self, post: Post) -> Sequence[Post]:
        return split(post)

    async def post(self, thread: ThreadRef, post: Post, key: PostKey) -> PostRef:
        del key  # the Bot API has no key that makes a send happen once
        fields = message_fields(post) if post.file is None else caption_fields(post)
        if thread.root:
            fields["message_thread_id"] = int(thread.root)
        if post.silent:
            fields["disable_notification"] = True
        trouble: ChatError
        try:
            message = await self._send("sendMessage", thread.chat, fields, post.file)
            chat = str(self._moved.get(thread.chat, thread.chat))
            return PostRef(replace(thread, chat=chat), str(message["message_id"]))
        except TROUBLE as error:
            trouble = refusals.sending_error(error) if post.file is None else refusals.filing_error(error)
        except (TypeError, KeyError):
            trouble = refusals.unreadable()
        raise trouble

    async def edit(self, ref: PostRef, post: Post) -> None:
        if post.file is not None:
            return  # a file stays as it was sent
        fields = message_fields(post)
        fields["message_id"] = int(ref.id)
        try:
            await self._send("editMessageText", ref.thread.chat, fields)
        except TROUBLE as error:
            trouble = refusals.editing_error(error)
        else:
            return
        raise trouble

    async def find(self, thread: ThreadRef, key: PostKey) -> PostRef | None:
        del thread, key
        raise NotSupported("Telegram's Bot API cannot look up what a bot has sent.")

    async def direct(self, person: str) -> ThreadRef:
        """A private chat bears the id of the person; the Bot API lets no bot write first where they never met."""
        return ThreadRef(self.name, self.tenant, person)

    async def delete(self, thread: ThreadRef, message: str) -> None:
        """In a private chat any message up to two days old; in a group the bot must be an administrator who may."""
        fields = {"chat_id": self._moved.get(thread.chat, _number(thread.chat)), "message_id": int(message)}
        try:
            await self._request.call("deleteMessage", fields, seconds=SEND_SECONDS)
        except TROUBLE as error:
            trouble = refusals.sending_error(error)
            if isinstance(error, Refused) and "message to delete not found" in error.description.lower():
                return
        else:
            return
        raise trouble

    async def _send(  # JSON
        self, method: str, chat: str, fields: dict[str, Any], file: File | None = None
    ) -> Any:  # noqa: ANN401
        """Sent as it is; after a refusal that names a way out, once more that way."""
        while True:
            wanted = {name: value for name, value in fields.items() if name not in self._unknown}
            wanted["chat_id"] = self._moved.get(chat, _number(chat))
            try:
                if file is not None:
                    return await self._request.send_document(wanted, file.name, file.text.encode())
                return await self._request.call(method, wanted, seconds=SEND_SECONDS)
            except Refused as error:
                if error.retry_after:
                    self._drafts.hold(chat, error.retry_after)
                if refusals.is_unchanged(error) and method == "editMessageText":
                    return {}
                if not self._finds_way_out(error, chat, wanted, fields):
                    raise

    def _finds_way_out(self, error: Refused, chat: str, sent: Mapping[str, Any], fields: dict[str, Any]) -> bool:
        """Each way changes what is sent next, so that none is gone twice."""
        moved, unknown = refusals.new_chat(error), refusals.unknown_field(error)
        if moved is not None and chat not in self._moved:
            log.info("telegram.chat_migrated", chat=chat, to=moved)
            self._moved[chat] = moved
        elif unknown in OPTIONAL and unknown in sent:
            log.info("telegram.field_unknown", field=unknown)
            self._unknown.add(unknown)
        elif refusals.is_about_entities(error) and without_marks(fields):
            log.warning("telegram.formatting_refused", reason=error.description)
        else:
            return False
        return True

    # ---------------------------------------------------------------------------------------- signs

    async def sign(self, thread: ThreadRef, message: str, kind: SignKind) -> None:
        chat = self._moved.get(thread.chat, _number(thread.chat))
        if kind is SignKind.WORKING:
            topic = {"message_thread_id": int(thread.root)} if thread.root else {}
            await self._try("sendChatAction", {"chat_id": chat, "action": ChatAction.TYPING, **topic}, kind)
        elif message.isdecimal():
            reaction = [{"type": "emoji", "emoji": REACTIONS[kind]}]
            fields = {"chat_id": chat, "message_id": int(message), "reaction": reaction}
            await self._try("setMessageReaction", fields, "reaction")

    async def answer_press(self, handle: str, text: str) -> None:
        words = text[: int(CallbackQueryLimit.ANSWER_CALLBACK_QUERY_TEXT_LENGTH)]
        await self._try("answerCallbackQuery", {"callback_query_id": handle, "text": words}, "answer")

    async def _try(self, method: str, fields: Mapping[str, Any], sign: str) -> None:
        """Best effort. A server that does not know this kind of sign is not asked for it again."""
        if sign in self._unknown:
            return
        try:
            await self._request.call(method, fields, seconds=SIGN_SECONDS)
        except Exception as error:  # noqa: BLE001 - a sign is never worth an error, whatever a library makes of it
            if isinstance(error, Refused) and error.status in {404, 501}:
                self._unknown.add(sign)
            log.debug("telegram.sign.failed", sign=sign, reason=type(error).__name__)

    async def stream(self, thread: ThreadRef, key: str, view: View) -> float | None:
        return await self._drafts.show(thread, key, view) if self._config.streaming else None

    async def end_stream(self, thread: ThreadRef, key: str) -> None:
        """The answer makes a draft vanish, or half a minute does."""

    async def close(self) -> None:
        await self._request.shutdown()


def _number(chat: str) -> int | str:
    return int(chat) if chat.removeprefix("-").isdecimal() else chat
