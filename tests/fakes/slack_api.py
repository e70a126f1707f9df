"""What stands in a Slack of our own, and its Web API, with faults on order.

Every call is checked against the arguments that slack_sdk's own method takes, every block against slack_sdk's models
and the limits they do not know; what fails is kept in `violations`.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import web
from slack_sdk.models.blocks import Block
from slack_sdk.models.messages.chunk import Chunk
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack_files import SlackFile, SlackFiles
from tests.fakes.watch import DONE, IN, Watch, nobody

SCOPES = ("chat:write", "files:read", "files:write")
NEEDED_SCOPES = {
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "files.list": "files:read",
}
BEYOND_THE_SDK = {"chat.postMessage": {"client_msg_id"}}
"""Arguments that Slack takes and its documentation leaves out."""


@dataclass(frozen=True)
class Fault:
    """`busy`: 429. `error`: ok false with `name`. `reset`: the connection breaks before anything is done.

    `lost`: it is done and the reply is lost. `down`: 503 with HTML. `slow`: it takes `seconds`, then is done.
    """

    kind: str
    name: str = "internal_error"
    seconds: float = 1.0
    status: int = 200


@dataclass
class Message:
    """What stands in a channel. `edits` are the texts it had before."""

    channel: str
    ts: str
    user: str
    text: str
    thread_ts: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    reactions: list[str] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)
    streams_until: float | None = None
    """In the loop's time; None: it is no open stream."""
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of a stream, by id: title and status."""
    plan: str = ""
    files: list[SlackFile] = field(default_factory=list)

    @property
    def root(self) -> str:
        return self.thread_ts or self.ts

    @property
    def markdown(self) -> str:
        return "\n".join(block["text"] for block in self.blocks if block["type"] == "markdown")

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """By label."""
        rows = [block["elements"] for block in self.blocks if block["type"] == "actions"]
        return {button["text"]["text"]: button for row in rows for button in row}


class SlackApi:
    """Keeps what it is told and swallows nothing: a message posted twice stands there twice."""

    def __init__(self, *, has_sessions: bool = True, keeps_marks: bool = True) -> None:
        self.team, self.bot_user, self.bot_id, self.app = "T0TEAM", "U0BOT", "B0BOT", "A0APP"
        self.bot_token, self.app_token = f"xoxb-{uuid4()}", f"xapp-{uuid4()}"
        self.has_sessions, self.keeps_marks = has_sessions, keeps_marks
        self.port = 0
        self.messages: list[Message] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.violations: list[str] = []
        self.statuses: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.opened = 0
        self.stream_seconds = 300.0
        """After that Slack ends a stream by itself."""
        self.streamed: list[Message] = []
        """Every stream that was begun, those that are deleted too."""
        self.people: dict[str, str] = {}
        """Names by user id, for users.info."""
        self.facts: dict[str, dict[str, Any]] = {}
        """More of what users.info says, by user id."""
        self.unknown: set[str] = set()
        """Users of whom users.info knows nothing."""
        self.scopes: set[str] = set(SCOPES)
        self.files = SlackFiles(self._share, lambda: f"http://127.0.0.1:{self.port}/")
        self.watch: Watch = nobody
        """Sees `slack:chat.postMessage`; a delivery on its way is `slack:delivery`, what comes back `slack:ack`."""
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._changed = asyncio.Event()
        self._count = itertools.count(1)
        self._base_ts = int(time.time())
        self._do: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "auth.test": self._who,
            "users.info": self._person,
            "apps.connections.open": self._open,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.startStream": self._start_stream,
            "chat.appendStream": self._append_stream,
            "chat.stopStream": self._stop_stream,
            "conversations.open": self._open_direct,
            "files.getUploadURLExternal": self.files.get_address,
            "files.completeUploadExternal": self.files.complete_upload,
            "files.list": self.files.listed,
            "conversations.replies": self._replies,
            "conversations.history": self._history,
            "reactions.add": self._react,
            "agents.sessions.setStatus": self._set_status,
        }

    def plan(self, method: str, *faults: Fault) -> None:
        """The next calls of this method meet these, one each."""
        self._faults[method] += faults

    @property
    def posts(self) -> list[Message]:
        """Of the bot."""
        return [each for each in self.messages if each.user == self.bot_user]

    def message(self, ts: str) -> Message:
        return next(each for each in self.messages if each.ts == ts)

    def thread(self, root: str) -> list[Message]:
        return [each for each in self.messages if each.root == root]

    def called(self, method: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == method]

    async def wait_for(self, predicate: Callable[[], Any], seconds: float = 10.0) -> Any:
        """What the predicate gives, once that is truthy."""
        async with asyncio.timeout(seconds):
            while not (found := predicate()):
                self._changed.clear()
                await self._changed.wait()
        return found

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        is_json = request.content_type == "application/json"
        arguments = await request.json() if is_json else dict(request.query) | dict(await request.post())
        if isinstance(arguments.get("files"), str):
            arguments["files"] = json.loads(str(arguments["files"]))
        self.calls.append((method, arguments))
        if await self.watch(f"slack:{method}", IN):
            return self._cut(request)
        fault = self._faults[method].pop(0) if self._faults[method] else Fault("none")
        try:
            return await self._answer(request, method, arguments, fault)
        finally:
            self._changed.set()

    async def _answer(
        self, request: web.Request, method: str, arguments: dict[str, Any], fault: Fault
    ) -> web.StreamResponse:
        match fault.kind:
            case "busy":
                headers = {"Retry-After": str(int(fault.seconds))}
                return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
            case "error":
                return web.json_response({"ok": False, "error": fault.name}, status=fault.status)
            case "down":
                return web.Response(status=503, text="<html>down</html>", content_type="text/html")
            case "reset":
                return self._cut(request)
            case "slow":
                await asyncio.sleep(fault.seconds)
        wanted = self.app_token if method == "apps.connections.open" else self.bot_token
        if request.headers.get("Authorization") != f"Bearer {wanted}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        self._check(method, arguments)
        if (needed := NEEDED_SCOPES.get(method, "")) and needed not in self.scopes:
            return web.json_response({"ok": False, "error": "missing_scope", "needed": needed})
        handler = self._do.get(method)
        answer = handler(arguments) if handler else {"ok": False, "error": "unknown_method"}
        is_gone = await self.watch(f"slack:{method}", DONE)
        if is_gone or fault.kind == "lost":
            return self._cut(request)
        return web.json_response({"ok": True} | answer, headers={"X-OAuth-Scopes": ",".join(sorted(self.scopes))})

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """Whoever knows the address may send."""
        fault = self._faults["upload"].pop(0) if self._faults["upload"] else Fault("none")
        content = await request.read()
        if await self.watch("slack:upload", IN) or fault.kind == "reset":
            return self._cut(request)
        if "Authorization" in request.headers:
            self.violations.append("the token was sent to an upload address")
        status = self.files.upload(request.match_info["file"], content)
        if await self.watch("slack:upload", DONE) or fault.kind == "lost":
            return self._cut(request)
        return web.Response(status=status, text=f"OK - {len(content)}")

    def _share(self, file: SlackFile, comment: str) -> None:
        message = Message(file.channel, self.new_ts(), self.bot_user, comment, file.thread_ts, files=[file])
        self.messages.append(message)

    def _cut(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _check(self, method: str, arguments: dict[str, Any]) -> None:
        official = getattr(AsyncWebClient, method.replace(".", "_"), None)
        if official is None:
            self.violations.append(f"{method}: no such method")
            return
        known = set(inspect.signature(official).parameters) | BEYOND_THE_SDK.get(method, set())
        self.violations += [f"{method}: no argument {name}" for name in set(arguments) - known - {"token"}]
        self.violations += [f"{method}: {fault}" for fault in faults_of_blocks(arguments.get("blocks") or [])]
        self.violations += [f"{method}: {fault}" for fault in faults_of_chunks(arguments.get("chunks") or [])]

    def _who(self, _: dict[str, Any]) -> dict[str, Any]:
        who = {"team_id": self.team, "user_id": self.bot_user, "bot_id": self.bot_id}
        return who | {"team": "Team", "user": "patchbay", "url": "https://team.example/"}

    def _person(self, given: dict[str, Any]) -> dict[str, Any]:
        user = given["user"]
        if user in self.unknown:
            return {"ok": False, "error": "user_not_found"}
        name = {"profile": {"display_name": ""}, "real_name": self.people.get(user, "")}
        plain = {"id": user, "team_id": self.team, "is_restricted": False, "is_ultra_restricted": False}
        return {"ok": True, "user": plain | name | self.facts.get(user, {})}

    def _open(self, _: dict[str, Any]) -> dict[str, Any]:
        self.opened += 1
        return {"url": f"ws://127.0.0.1:{self.port}/socket?ticket={self.opened}"}

    def _open_direct(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"channel": {"id": f"D{given['users']}"}}

    def _post(self, given: dict[str, Any]) -> dict[str, Any]:
        message = Message(
            given["channel"],
            self.new_ts(),
            self.bot_user,
            given.get("text", ""),
            given.get("thread_ts", ""),
            given.get("blocks") or [],
            given.get("metadata") or {},
            given,
        )
        self.messages.append(message)
        return {"channel": message.channel, "ts": message.ts, "message": self._shown(message)}

    def _update(self, given: dict[str, Any]) -> dict[str, Any]:
        found = [each for each in self.posts if (each.channel, each.ts) == (given["channel"], given["ts"])]
        if not found:
            return {"ok": False, "error": "message_not_found"}
        if self._is_streaming(found[0]):
            return {"ok": False, "error": "streaming_state_conflict"}
        found[0].edits.append(found[0].text)
        found[0].text, found[0].blocks = given.get("text", ""), given.get("blocks") or []
        return {"channel": given["channel"], "ts": given["ts"], "text": found[0].text}

    def _delete(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._ours(given)
        if found is None:
            return {"ok": False, "error": "message_not_found"}
        if self._is_streaming(found):
            return {"ok": False, "error": "cant_delete_message"}
        self.messages.remove(found)
        return {"channel": found.channel, "ts": found.ts}

    def _start_stream(self, given: dict[str, Any]) -> dict[str, Any]:
        for name in ("recipient_team_id", "recipient_user_id"):
            if not given.get(name):
                return {"ok": False, "error": f"missing_{name}"}
        until = asyncio.get_running_loop().time() + self.stream_seconds
        message = Message(given["channel"], self.new_ts(), self.bot_user, "", given["thread_ts"], arguments=given)
        message.streams_until = until
        self.messages.append(message)
        self.streamed.append(message)
        self._take_chunks(message, given)
        return {"channel": message.channel, "ts": message.ts}

    def _append_stream(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._ours(given)
        if found is None:
            return {"ok": False, "error": "message_not_found"}
        if not self._is_streaming(found):
            return {"ok": False, "error": "message_not_in_streaming_state"}
        self._take_chunks(found, given)
        return {"channel": found.channel, "ts": found.ts}

    def _stop_stream(self, given: dict[str, Any]) -> dict[str, Any]:
        answer = self._append_stream(given)
        if "ts" in answer:
            self.message(given["ts"]).streams_until = None
        return answer

    def _take_chunks(self, message: Message, given: dict[str, Any]) -> None:
        for chunk in given.get("chunks") or []:
            match chunk["type"]:
                case "markdown_text":
                    message.text += chunk["text"]
                case "task_update":
                    message.tasks[chunk["id"]] = {"title": chunk["title"], "status": chunk["status"]}
                case "plan_update":
                    message.plan = chunk["title"]
        tasks = [{"task_id": name, **task} for name, task in message.tasks.items()]
        words = {"type": "rich_text", "block_id": "auto1", "elements": [{"type": "text", "text": message.text}]}
        message.blocks = [{"type": "plan", "title": message.plan, "tasks": tasks}, words]

    def _ours(self, given: dict[str, Any]) -> Message | None:
        here = (each for each in self.posts if (each.channel, each.ts) == (given["channel"], given["ts"]))
        return next(here, None)

    def _is_streaming(self, message: Message) -> bool:
        until = message.streams_until
        return until is not None and asyncio.get_running_loop().time() < until

    def _replies(self, given: dict[str, Any]) -> dict[str, Any]:
        found = [each for each in self.messages if each.channel == given["channel"] and each.root == given["ts"]]
        return self._page(given, found) if found else {"ok": False, "error": "thread_not_found"}

    def _history(self, given: dict[str, Any]) -> dict[str, Any]:
        found = [each for each in self.messages if each.channel == given["channel"] and not each.thread_ts]
        return self._page(given, found[::-1])

    def _page(self, given: dict[str, Any], found: list[Message]) -> dict[str, Any]:
        start, limit = int(given.get("cursor") or 0), int(given.get("limit") or 100)
        more = str(start + limit) if start + limit < len(found) else ""
        shown = [self._shown(each) for each in found[start : start + limit]]
        return {"messages": shown, "has_more": bool(more), "response_metadata": {"next_cursor": more}}

    def _react(self, given: dict[str, Any]) -> dict[str, Any]:
        found = [each for each in self.messages if each.ts == given["timestamp"]]
        if not found:
            return {"ok": False, "error": "message_not_found"}
        if given["name"] in found[0].reactions:
            return {"ok": False, "error": "already_reacted"}
        found[0].reactions.append(given["name"])
        return {}

    def _set_status(self, given: dict[str, Any]) -> dict[str, Any]:
        if not self.has_sessions:
            return {"ok": False, "error": "unknown_method"}
        if given["status"] not in {"active", "processing", "suspended", "closed"}:
            self.violations.append(f"agents.sessions.setStatus: no status {given['status']}")
        self.statuses[given["channel_id"], given["thread_ts"]].append(given["status"])
        return {}

    def _shown(self, message: Message) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": "message", "ts": message.ts, "user": message.user, "text": message.text}
        shown |= {"thread_ts": message.thread_ts} if message.thread_ts else {}
        if message.user == self.bot_user:
            shown |= {"bot_id": self.bot_id, "app_id": self.app}
        if message.files:
            return shown | {"files": [each.shown for each in message.files], "upload": False}
        if self.keeps_marks:
            shown |= {"blocks": message.blocks} | ({"metadata": message.metadata} if message.metadata else {})
        return shown

    def new_ts(self) -> str:
        return f"{self._base_ts}.{next(self._count):06d}"

    def _trigger(self) -> str:
        return f"{next(self._count)}.{uuid4().hex}"


def faults_of_chunks(chunks: list[dict[str, Any]]) -> list[str]:
    """What Slack would refuse of a stream's chunks."""
    faults = [f"no such chunk: {each}" for each in chunks if Chunk.parse(each) is None]
    for each in chunks:
        status = each.get("status", "pending")
        faults += [f"no status {status}"] if status not in {"pending", "in_progress", "complete", "error"} else []
        faults += ["a title that is too long or none"] if not 0 < len(each.get("title", "-")) <= 256 else []
        faults += ["a text that is too long or none"] if not 0 < len(each.get("text", "-")) <= 12_000 else []
    return faults


def faults_of_blocks(blocks: list[dict[str, Any]]) -> list[str]:
    """What Slack would refuse: by slack_sdk's models, and the limits they do not know."""
    faults = []
    for block in blocks:
        parsed = Block.parse(block)
        if parsed is None:
            faults.append(f"no such block: {block.get('type')}")
            continue
        try:
            parsed.validate_json()
        except Exception as error:  # noqa: BLE001 - whatever the models object to
            faults.append(str(error))
    markdown = sum(len(block["text"]) for block in blocks if block.get("type") == "markdown")
    ids = [button["action_id"] for block in blocks if block.get("type") == "actions" for button in block["elements"]]
    faults += [f"{markdown} characters of markdown"] if markdown > 11_300 else []
    faults += ["two buttons with one action_id"] if len(set(ids)) < len(ids) else []
    faults += ["more than 50 blocks"] if len(blocks) > 50 else []
    return faults + [f"row of {len(block['elements'])}" for block in blocks if len(block.get("elements", ())) > 25]
