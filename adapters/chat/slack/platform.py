"""Slack as a chat platform: one workspace, by Socket Mode or HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.chat.slack import inbound, render
from adapters.chat.slack.config import WEBHOOK_PATH, SlackConfig
from adapters.chat.slack.files import NO_SCOPE, Files, find_file
from adapters.chat.slack.left import Left
from adapters.chat.slack.names import Names
from adapters.chat.slack.receive import NOT_NOW, Intake, Signed, receive
from adapters.chat.slack.search import find
from adapters.chat.slack.signs import Signs
from adapters.chat.slack.streams import Streams
from adapters.chat.slack.web import (
    BAD_BLOCKS,
    BAD_TOKEN,
    OUTSIDE,
    close_client,
    error_name,
    line_of,
    new_client,
    refusal,
)
from adapters.straight import NoCircuits
from core.model.chat import FILE, ChatEvent, Person, Post, PostKey, PostRef, SignKind, ThreadRef
from core.model.errors import ChatError, SendFailed, SendUnknown
from core.model.people import Profile
from core.ports import Circuits, CommandWord, HttpAnswer, Take, View

EVENT_TYPE = "patchbay_post"
NAMES = uuid5(NAMESPACE_URL, "patchbay:slack:post")


class Slack:
    """Fulfils ChatPlatform, Signing, Streaming, Filing, Naming, Vouching, Reaching and Webhooked."""

    name = "slack"
    edit_gap = 1.1
    """A channel takes about one message a second, and small bursts."""
    shared_edit_gap = 1.6
    """chat.update: 50 a minute by its tier, in all channels together; what the core lets be ahead is in that."""

    def __init__(
        self,
        config: SlackConfig,
        commands: Sequence[CommandWord],
        circuits: Circuits | None = None,
        folder: Path | None = None,
    ) -> None:
        """`folder` remembers what must be tidied up after a kill."""
        config.check()
        self.commands = tuple(commands)
        """Slack learns them from the manifest, not from us."""
        self._config = config
        self._circuits: Circuits = circuits or NoCircuits()
        self._circuit = self._circuits.circuit("slack", "Slack")
        self._intake = Intake()
        self._signed = Signed(config.signing_secret.get_secret_value().strip()) if config.mode == "http" else None
        self._names: Names | None = None
        self._web: AsyncWebClient | None = None
        self._signs: Signs | None = None
        self._left = Left(folder)
        self._streams: Streams | None = None
        self._me = inbound.Me()
        self._files = Files()

    @property
    def tenant(self) -> str:
        return self._me.team

    @property
    def takes_files(self) -> bool:
        return self._files.is_allowed

    def lacks(self) -> str:
        """What the app may not do and should, known after `connect`; empty: nothing."""
        return "" if self._files.is_allowed else NO_SCOPE

    @property
    def webhook_path(self) -> str:
        return WEBHOOK_PATH if self._config.mode == "http" else ""

    # ------------------------------------------------------------------------------------- receiving

    async def connect(self) -> None:
        answer = await self._ask_who(self._client.auth_test(), "bot_token")
        me = answer.data
        if not isinstance(me, dict) or not me.get("team_id") or not me.get("user_id"):
            raise ChatError(f"{self._config.api_base} is not Slack's Web API: auth.test did not say who I am.")
        if self._config.mode == "socket":
            token = self._config.app_token.get_secret_value().strip()
            await self._ask_who(self._client.apps_connections_open(app_token=token), "app_token")
        self._files.note_scopes(answer.headers.get("x-oauth-scopes") or "")
        self._me = inbound.Me(str(me["team_id"]), str(me["user_id"]), str(me.get("bot_id") or ""))

    async def _ask_who(self, call: Awaitable[AsyncSlackResponse], token: str) -> AsyncSlackResponse:
        try:
            return await call
        except OUTSIDE as error:
            why = error_name(error)
            if why in BAD_TOKEN:
                raise ChatError(f"Slack does not accept slack.{token} ({why}): paste the token again.") from error
            if why:
                raise ChatError(f"Slack refused slack.{token} ({why}): see the app's settings.") from error
            text = f"Slack cannot be reached at {self._config.api_base}: {line_of(error)}"
            raise ChatError(text, is_final=False) from error

    async def listen(self, take: Take, cursor: str | None) -> None:  # noqa: ARG002 - Slack has none
        self._intake.open(take, self._me.team)
        tidying = asyncio.ensure_future(self._live_views.sweep())
        try:
            if self._config.mode == "socket":
                await asyncio.to_thread(import_module, "adapters.chat.slack.socketmode")  # Bolt's takes a while
                from adapters.chat.slack import socketmode  # noqa: PLC0415 - imported when used

                sockets = self._circuits.circuit("slack.socket", "Slack's Socket Mode")
                await socketmode.listen(self._config, self._intake, self._circuit, sockets)
            else:
                await asyncio.Event().wait()
        finally:
            self._intake.shut()
            tidying.cancel()
            await asyncio.gather(tidying, return_exceptions=True)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        if self._signed is None or not self._intake.is_open:
            return NOT_NOW
        return await receive(self._intake, self._signed, headers, body)

    def read(self, raw: bytes) -> ChatEvent | None:
        return inbound.read(raw, self._me)

    # --------------------------------------------------------------------------------------- sending

    def split(self, post: Post) -> Sequence[Post]:
        return render.split(post)

    async def post(self, thread: ThreadRef, post: Post, key: PostKey) -> PostRef:
        """Sent under an id made from the key, which Slack keeps in three places: `find` looks for any."""
        name = str(uuid5(NAMES, key))
        if post.file is not None:
            return await self._files.send(self._client, thread, post, name)
        place: dict[str, Any] = {
            "channel": thread.chat,
            "thread_ts": thread.root or None,
            "client_msg_id": name,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key_id": name}},
            "unfurl_links": False,
            "unfurl_media": False,
            "link_names": False,
        }
        try:
            answer = await self._client.chat_postMessage(**place, **render.message(post, name))
        except OUTSIDE as error:
            if error_name(error) not in BAD_BLOCKS:
                raise refusal(error) from error
            answer = await self._post_plain(place, post)
        ts = answer.get("ts")
        if not isinstance(ts, str) or not ts:
            raise SendUnknown("Slack took the message and did not say where it stands.")
        return PostRef(thread, ts)

    async def _post_plain(self, place: dict[str, Any], post: Post) -> AsyncSlackResponse:
        try:
            return await self._client.chat_postMessage(**place, **render.plain_message(post))
        except OUTSIDE as error:
            raise refusal(error) from error

    async def edit(self, ref: PostRef, post: Post) -> None:
        """block_id must be new with each change of a message; the metadata stays as it was posted."""
        if post.file is not None:
            return  # a file stays as it was sent
        place: dict[str, Any] = {"channel": ref.thread.chat, "ts": ref.id, "link_names": False}
        try:
            try:
                await self._client.chat_update(**place, **render.message(post, f"edit:{uuid4()}"))
            except OUTSIDE as error:
                if error_name(error) not in BAD_BLOCKS:
                    raise
                await self._client.chat_update(**place, **render.plain_message(post))
        except OUTSIDE as error:
            raise refusal(error, may_repeat=True) from error

    async def find(self, thread: ThreadRef, key: PostKey) -> PostRef | None:
        look = find_file if key.endswith(FILE) else find
        try:
            return await look(self._client, self._me, thread, str(uuid5(NAMES, key)))
        except OUTSIDE as error:
            raise refusal(error, may_repeat=True) from error

    async def direct(self, person: str) -> ThreadRef:
        if not self._me.team:
            raise SendFailed("Slack has not been reached yet.")
        try:
            opened = (await self._client.conversations_open(users=[person])).get("channel")
        except OUTSIDE as error:
            raise refusal(error, may_repeat=True) from error
        channel = opened.get("id") if isinstance(opened, dict) else None
        if not isinstance(channel, str) or not channel:
            raise SendFailed("Slack did not say where to write to this person.")
        return ThreadRef(self.name, self._me.team, channel)

    # ----------------------------------------------------------------------------------------- signs

    async def sign(self, thread: ThreadRef, message: str, kind: SignKind) -> None:
        if self._signs is None:
            self._signs = Signs(self._client)
        await self._signs.put(thread, message, kind)

    async def name_of(self, person: Person) -> str:
        return await self._people.of(person.id)

    async def profile_of(self, person: Person) -> Profile | None:
        return await self._people.profile(person.id)

    async def answer_press(self, handle: str, text: str) -> None:
        """Slack shows no spinner once the press is acknowledged."""

    async def stream(self, thread: ThreadRef, key: str, view: View) -> float | None:
        return await self._live_views.show(thread, key, view) if self._config.streaming else None

    async def end_stream(self, thread: ThreadRef, key: str) -> None:  # noqa: ARG002 - the key says where it is
        await self._live_views.end(key)

    async def close(self) -> None:
        if self._web is not None:
            await close_client(self._web)
        self._web = self._signs = self._names = self._streams = None

    @property
    def _people(self) -> Names:
        if self._names is None:
            self._names = Names(self._client, self._me.team)
        return self._names

    @property
    def _live_views(self) -> Streams:
        if self._streams is None:
            self._streams = Streams(self._client, self._me, self._left)
        return self._streams

    @property
    def _client(self) -> AsyncWebClient:
        if self._web is None:
            self._web = new_client(self._config, self._circuit)
        return self._web
