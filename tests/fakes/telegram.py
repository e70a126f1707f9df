"""A Bot API server on loopback that keeps offsets as Telegram does, records every call, and can be told to fail.

    async with FakeTelegram() as server:
        server.say(1, "/status")
        await server.wait_for(lambda: server.posts)

Written for faults; what a right answer looks like is tested against servers that others wrote.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.fakes.watch import DONE, IN, Watch, nobody

WAIT_SECONDS = 20.0
EPOCH = 1_760_000_000


class Kind(StrEnum):
    REFUSE = "refuse"
    """Answer `status` with `body` and do nothing."""
    RESET_BEFORE = "reset before"
    """Cut the connection and do nothing."""
    RESET_AFTER = "reset after"
    """Do what was asked, then cut the connection: the reply is lost."""
    HANG = "hang"
    """Do what was asked and never answer."""
    GARBLE = "garble"
    """Do what was asked and answer no JSON."""


@dataclass(frozen=True, slots=True)
class Fault:
    kind: Kind
    status: int = 500
    body: dict[str, Any] | None = None

    @classmethod
    def refuse(cls, status: int, description: str, **parameters: object) -> Self:
        body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
        if parameters:
            body["parameters"] = parameters
        return cls(Kind.REFUSE, status, body)


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the platform accepted: `kind` is new or edit."""

    kind: str
    chat: int
    message: int
    text: str
    thread: int | None = None
    buttons: tuple[tuple[dict[str, Any], ...], ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A file that the platform accepted."""

    chat: int
    message: int
    name: str
    text: str
    caption: str = ""
    thread: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """What the person saw for a moment."""

    chat: int
    draft: int
    text: str
    thread: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)


class FakeTelegram:
    """`username` None: getMe tells no name. `updates` are those not yet acknowledged by a higher offset.

    `drafts` are all that came, in order; without `has_drafts` it is a server that is older than they are.
    """

    def __init__(
        self, token: str = "4242:test", username: str | None = "patchbay_bot", *, has_drafts: bool = True
    ) -> None:
        self.token = token
        self.bot = int(token.partition(":")[0])
        self.username = username
        self.calls: list[Call] = []
        self.posts: list[Shown] = []
        self.drafts: list[Draft] = []
        self.has_drafts = has_drafts
        self.documents: list[Document] = []
        self._content = b""
        self.updates: list[dict[str, Any]] = []
        self.acknowledged: list[int] = []
        self.messages: dict[tuple[int, int], dict[str, Any]] = {}
        self.webhook: dict[str, Any] | None = None
        self.base = ""
        self.watch: Watch = nobody
        self._faults: dict[str, deque[Fault]] = {}
        self._next_message = 100
        self._next_update = 1000
        self._polls = 0
        self._listeners: set[asyncio.Event] = set()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Also after `stop`, on the same port: the server was away."""
        self._closing = asyncio.Event()
        app = web.Application(client_max_size=50_000_000)
        app.router.add_post("/bot{token}/{method}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"

    async def stop(self) -> None:
        self._closing.set()
        self._tell()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    # --------------------------------------------------------------------------------- what people do

    def say(
        self,
        chat: int,
        text: str,
        *,
        sender: int | None = None,
        topic: int | None = None,
        reply_to: int | None = None,
        edit: int | None = None,
        first_name: str = "Ada",
    ) -> int:
        """A person's message, or with `edit` its correction; returns its id. Negative chats are groups."""
        number = edit or self._take_message_id()
        message: dict[str, Any] = {
            "message_id": number,
            "date": EPOCH,
            "chat": self._chat(chat),
            "from": {"id": sender or abs(chat), "is_bot": False, "first_name": first_name},
            "text": text,
        }
        if entities := self._entities(text):
            message["entities"] = entities
        if topic is not None:
            message |= {"message_thread_id": topic, "is_topic_message": True}
        if reply_to is not None:
            message["reply_to_message"] = self.messages[chat, reply_to]
        if edit is None:
            self.messages[chat, number] = message
            self.push({"message": message})
        else:
            self.push({"edited_message": message | {"edit_date": EPOCH + self._next_update}})
        return number

    def press(self, chat: int, data: str, *, message: int | None = None, sender: int | None = None) -> str:
        """A press of the button whose callback_data is `data`, on the newest post that has it."""
        if message is None:
            message = next(
                each.message
                for each in reversed(self.posts)
                if each.chat == chat and any(key.get("callback_data") == data for row in each.buttons for key in row)
            )
        handle = f"press-{self._next_update}"
        person = {"id": sender or abs(chat), "is_bot": False, "first_name": "Ada"}
        query = {"id": handle, "from": person, "message": self.messages[chat, message], "chat_instance": "1"}
        self.push({"callback_query": query | {"data": data}})
        return handle

    def push(self, update: dict[str, Any], number: int | None = None) -> int:
        """Queue an update; a given number is used as it is."""
        number = self._next_update if number is None else number
        self._next_update = number + 1
        self.updates.append({"update_id": number, **update})
        self._tell()
        return number

    def button(self, chat: int, label: str) -> str:
        """The callback_data behind a label, on the newest post that shows it."""
        return next(
            str(key["callback_data"])
            for each in reversed(self.posts)
            if each.chat == chat
            for row in each.buttons
            for key in row
            if label in key["text"] and "callback_data" in key
        )

    # ------------------------------------------------------------------------------- what tests ask

    def fail(self, method: str, *faults: Fault) -> None:
        """The next calls of `method` fail so, one after another."""
        self._faults.setdefault(method, deque()).extend(faults)

    def called(self, method: str) -> list[dict[str, Any]]:
        return [each.fields for each in self.calls if each.method == method]

    def texts(self, chat: int) -> dict[int, str]:
        """What the chat shows now, by message id."""
        return {each.message: each.text for each in self.posts if each.chat == chat}

    async def wait_for(self, claim: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        """Until it is true; it is asked at every call and every update."""
        heard = asyncio.Event()
        self._listeners.add(heard)
        try:
            async with asyncio.timeout(seconds):
                while not claim():
                    await heard.wait()
                    heard.clear()
        finally:
            self._listeners.discard(heard)

    async def deliver(self) -> list[int]:
        """Send what waits to the webhook, in order, until it refuses or is not there; the answers."""
        assert self.webhook is not None
        answers: list[int] = []
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token", "")}
        async with aiohttp.ClientSession() as session:
            while self.updates:
                await self.watch("telegram:delivery", DONE)
                try:
                    async with session.post(self.webhook["url"], json=self.updates[0], headers=headers) as answer:
                        answers.append(answer.status)
                except aiohttp.ClientError:
                    break
                if await self.watch("telegram:ack", IN) or answers[-1] != 200:
                    break
                self.acknowledged.append(self.updates.pop(0)["update_id"])
        return answers

    # ---------------------------------------------------------------------------------- the server

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if request.match_info["token"] != self.token:
            return _answer(Fault.refuse(401, "Unauthorized"))
        is_form = request.content_type == "multipart/form-data"
        fields = await _form(request) if is_form else _decoded(await request.json())
        self._content = fields.pop("content", b"")
        self.calls.append(Call(method, fields))
        self._tell()
        if await self.watch(f"telegram:{method}", IN):
            return _cut(request)
        faults = self._faults.get(method)
        fault = faults.popleft() if faults else None
        if fault is not None and fault.kind in {Kind.REFUSE, Kind.RESET_BEFORE}:
            return _answer(fault) if fault.kind is Kind.REFUSE else _cut(request)
        result = await self._do(method, fields)
        self._tell()
        if await self.watch(f"telegram:{method}", DONE):
            return _cut(request)
        if fault is None or isinstance(result, Fault):
            return _answer(result) if isinstance(result, Fault) else _ok(result)
        if fault.kind is Kind.HANG:
            await self._closing.wait()
        return web.Response(text="<html>") if fault.kind is Kind.GARBLE else _cut(request)

    async def _do(self, method: str, fields: dict[str, Any]) -> Any:
        match method:
            case "getMe":
                me = {"id": self.bot, "is_bot": True, "first_name": "Patchbay"}
                return me | ({"username": self.username} if self.username else {})
            case "getUpdates":
                return await self._get_updates(fields)
            case "sendMessage":
                return self._send(fields)
            case "sendDocument":
                return self._send_document(fields)
            case "editMessageText":
                return self._edit(fields)
            case "sendMessageDraft" if self.has_drafts:
                return self._draft(fields)
            case "setWebhook":
                self.webhook = fields
            case "deleteWebhook":
                self.webhook = None
            case "setMyCommands" | "sendChatAction" | "setMessageReaction" | "answerCallbackQuery":
                pass
            case _:
                return Fault.refuse(404, "Not Found")
        return True

    async def _get_updates(self, fields: dict[str, Any]) -> Any:
        if self.webhook is not None:
            return Fault.refuse(409, "Conflict: can't use getUpdates method while webhook is active")
        if self._polls:
            return Fault.refuse(409, "Conflict: terminated by other getUpdates request")
        offset = int(fields.get("offset", 0))
        self.acknowledged += [each["update_id"] for each in self.updates if each["update_id"] < offset]
        self.updates = [each for each in self.updates if each["update_id"] >= offset]
        self._polls += 1
        self._tell()
        try:
            await self.wait_for(lambda: self.updates or self._closing.is_set(), float(fields.get("timeout", 0)))
        except TimeoutError:
            pass
        finally:
            self._polls -= 1
        allowed = set(fields.get("allowed_updates", ()))
        return [each for each in self.updates if allowed & set(each)][: int(fields.get("limit", 100))]

    def _send(self, fields: dict[str, Any]) -> Any:
        if trouble := _text_trouble(fields):
            return trouble
        return self._show("new", fields, self._take_message_id())

    def _send_document(self, fields: dict[str, Any]) -> Any:
        name, content = fields["document"], self._content
        if len(str(fields.get("caption", "")).encode("utf-16-le")) // 2 > 1024:
            return Fault.refuse(400, "Bad Request: message caption is too long")
        if not content:
            return Fault.refuse(400, "Bad Request: file must be non-empty")
        chat, thread, number = int(fields["chat_id"]), fields.get("message_thread_id"), self._take_message_id()
        caption = str(fields.get("caption", ""))
        self.documents.append(Document(chat, number, name, content.decode(), caption, thread, fields))
        file = {"file_id": f"file-{number}", "file_unique_id": str(number), "file_name": name}
        me = {"id": self.bot, "is_bot": True, "first_name": "Patchbay"}
        return {"message_id": number, "date": EPOCH, "chat": self._chat(chat), "from": me, "document": file}

    def _edit(self, fields: dict[str, Any]) -> Any:
        chat, number = int(fields["chat_id"]), int(fields["message_id"])
        if (chat, number) not in self.messages:
            return Fault.refuse(400, "Bad Request: message to edit not found")
        if trouble := _text_trouble(fields):
            return trouble
        shown = next(each for each in reversed(self.posts) if (each.chat, each.message) == (chat, number))
        if (shown.text, shown.buttons) == (fields["text"], _buttons(fields)):
            return Fault.refuse(400, "Bad Request: message is not modified: specified new message content is the same")
        return self._show("edit", fields, number)

    def _draft(self, fields: dict[str, Any]) -> Any:
        chat, text = int(fields["chat_id"]), str(fields.get("text", ""))
        if chat < 0:
            return Fault.refuse(400, "Bad Request: TEXTDRAFT_PEER_INVALID")
        if not int(fields.get("draft_id", 0)):
            return Fault.refuse(400, "Bad Request: draft identifier must be non-zero")
        if text and (trouble := _text_trouble(fields)):
            return trouble
        self.drafts.append(Draft(chat, int(fields["draft_id"]), text, fields.get("message_thread_id"), fields))
        return True

    def _show(self, kind: str, fields: dict[str, Any], number: int) -> dict[str, Any]:
        chat, thread = int(fields["chat_id"]), fields.get("message_thread_id")
        before = self.messages.get((chat, number), {})
        thread = before.get("message_thread_id", thread)
        message = {
            "message_id": number,
            "date": EPOCH,
            "chat": self._chat(chat),
            "from": {"id": self.bot, "is_bot": True, "first_name": "Patchbay"},
            "text": fields["text"],
        }
        if thread is not None:
            message |= {"message_thread_id": int(thread), "is_topic_message": True}
        self.messages[chat, number] = message
        self.posts.append(Shown(kind, chat, number, fields["text"], thread, _buttons(fields), fields))
        return message

    def _chat(self, chat: int) -> dict[str, Any]:
        if chat > 0:
            return {"id": chat, "type": "private", "first_name": "Ada"}
        return {"id": chat, "type": "supergroup", "title": "Team"}

    def _entities(self, text: str) -> list[dict[str, Any]]:
        """Enough for tests that write ASCII: a leading command, and the mention of the bot."""
        found: list[dict[str, Any]] = []
        if text.startswith("/"):
            found.append({"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])})
        name = f"@{self.username}"
        at = text.find(name)
        if at >= 0 and not found:
            found.append({"type": "mention", "offset": at, "length": len(name)})
        return found

    def _take_message_id(self) -> int:
        self._next_message += 1
        return self._next_message

    def _tell(self) -> None:
        for each in self._listeners:
            each.set()


async def _form(request: web.Request) -> dict[str, Any]:
    """A file is its name, and `content`; what is not text comes as JSON."""
    fields: dict[str, Any] = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            fields |= {name: value.filename, "content": value.file.read()}
        else:
            fields[name] = value if name == "caption" else json.loads(str(value))
    return fields


def _decoded(fields: dict[str, Any]) -> dict[str, Any]:
    """A field may be given as JSON, or as JSON in a string."""
    nested = {"entities", "reply_markup", "link_preview_options", "allowed_updates", "commands", "scope", "reaction"}
    return {
        name: json.loads(value) if name in nested and isinstance(value, str) else value
        for name, value in fields.items()
    }


def _buttons(fields: dict[str, Any]) -> tuple[tuple[dict[str, Any], ...], ...]:
    rows = (fields.get("reply_markup") or {}).get("inline_keyboard", [])
    return tuple(tuple(row) for row in rows)


def _text_trouble(fields: dict[str, Any]) -> Fault | None:
    text = str(fields.get("text", ""))
    length = len(text.encode("utf-16-le")) // 2
    if not text.strip():
        return Fault.refuse(400, "Bad Request: message text is empty")
    if length > 4096:
        return Fault.refuse(400, "Bad Request: message is too long")
    if any(each["offset"] + each["length"] > length for each in fields.get("entities", ())):
        return Fault.refuse(400, "Bad Request: can't parse entities: an entity ends after the text")
    return None


def _ok(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _answer(fault: Fault) -> web.Response:
    if fault.body is None:
        return web.Response(status=fault.status, text="<html>trouble</html>", content_type="text/html")
    return web.json_response(fault.body, status=fault.status)


def _cut(request: web.Request) -> web.Response:
    """The connection ends without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
