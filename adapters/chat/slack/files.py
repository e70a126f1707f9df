"""Files in Slack: an address to send to, the bytes, and then the word that it is complete and where it belongs.

Nobody sees a file before that last call, so only its reply can be lost with something said. The name of the file bears
the id of its key, by which it is found again. https://docs.slack.dev/messaging/working-with-files#uploading_files
"""

from __future__ import annotations

from typing import Any

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from adapters.chat.slack.inbound import Me
from adapters.chat.slack.render import FALLBACK_CHARACTERS
from adapters.chat.slack.search import listed, shared
from adapters.chat.slack.web import CONNECT_SECONDS, OUTSIDE, REASONS, error_name, line_of, refusal
from adapters.chat.slack.words import plain
from core.model.chat import File, Post, PostRef, ThreadRef
from core.model.errors import ChatError, FileRefused, NotSupported, SendFailed

log = structlog.get_logger()

UPLOAD_SECONDS = 120.0
SCOPE = "files:write"
NO_SCOPE = f"My Slack app lacks the permission `{SCOPE}`: install it again with what `patchbay slack-manifest` prints."

CHAT_TROUBLE = frozenset(REASONS) - {"missing_scope"} | {"invalid_channel"}
"""Words would be refused there too."""


class Files:
    """`is_allowed`: until Slack says that the app may not."""

    def __init__(self) -> None:
        self.is_allowed = True

    def note_scopes(self, said: str) -> None:
        """`said`: what Slack's header x-oauth-scopes lists; empty: it does not tell."""
        scopes = {each.strip() for each in said.split(",")}
        self.is_allowed = not said or SCOPE in scopes
        if not self.is_allowed:
            log.warning("slack.no_files", reason=NO_SCOPE)

    async def send(self, client: AsyncWebClient, thread: ThreadRef, post: Post, key_id: str) -> PostRef:
        """FileRefused where it is the file, and not the chat, that is refused."""
        assert post.file is not None
        content = post.file.text.encode()
        id_ = await self._uploaded(client, file_name(post.file, key_id), content)
        await self._completed(client, id_, thread, post)
        return PostRef(thread, id_)

    async def _uploaded(self, client: AsyncWebClient, name: str, content: bytes) -> str:
        """Its id. Nobody sees it yet, so a lost reply loses nothing."""
        try:
            answer = await client.files_getUploadURLExternal(filename=name, length=len(content))
        except OUTSIDE as error:
            raise self._refusal(error, may_repeat=True) from error
        address, id_ = answer.get("upload_url"), answer.get("file_id")
        if not isinstance(address, str) or not isinstance(id_, str):
            raise SendFailed("Slack did not say where to send a file.")
        await _put(client, address, content)
        return id_

    async def _completed(self, client: AsyncWebClient, id_: str, thread: ThreadRef, post: Post) -> None:
        assert post.file is not None
        words: dict[str, Any] = {"initial_comment": plain(post.text, FALLBACK_CHARACTERS)} if post.text.strip() else {}
        try:
            await client.files_completeUploadExternal(
                files=[{"id": id_, "title": post.file.name}],
                channel_id=thread.chat,
                thread_ts=thread.root or None,
                **words,
            )
        except OUTSIDE as error:
            raise self._refusal(error) from error

    def _refusal(self, error: BaseException, *, may_repeat: bool = False) -> ChatError:
        name = error_name(error)
        if name == "missing_scope":
            self.is_allowed = False
            return FileRefused(NO_SCOPE)
        trouble = refusal(error, may_repeat=may_repeat)
        return FileRefused(str(trouble)) if trouble.is_final and name not in CHAT_TROUBLE else trouble


async def find_file(client: AsyncWebClient, me: Me, thread: ThreadRef, key_id: str) -> PostRef | None:
    """NotSupported when not finding it would prove nothing: what is complete comes to the channel a little later."""
    mark = _mark(key_id)
    id_, is_all = await listed(client, me, mark)
    if not id_:
        id_ = await shared(client, me, thread, mark)
    if not id_ and not is_all:
        raise NotSupported("Slack does not say whether the file was sent.")
    return PostRef(thread, id_) if id_ else None


def file_name(file: File, key_id: str) -> str:
    """`answer-0123456789ab.md`"""
    stem, dot, end = file.name.rpartition(".")
    return f"{stem or end}-{_mark(key_id)}{dot}{end if stem else ''}"


def _mark(key_id: str) -> str:
    return key_id.replace("-", "")[:12]


async def _put(client: AsyncWebClient, address: str, content: bytes) -> None:
    """The address is the permission: no token goes there."""
    timeout = aiohttp.ClientTimeout(total=UPLOAD_SECONDS, sock_connect=CONNECT_SECONDS)
    assert client.session is not None
    try:
        async with client.session.post(address, data=content, proxy=client.proxy, timeout=timeout) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SendFailed(f"The file did not reach Slack: {line_of(error)}. I try again.") from error
    if status >= 500 or status == 429:
        raise SendFailed(f"Slack did not take the file just now ({status}). I try again.")
    if status != 200:
        raise FileRefused(f"Slack refused the file ({status}).")
