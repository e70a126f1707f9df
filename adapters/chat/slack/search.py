"""Looking for a post whose receipt was lost, among the newest messages of its thread or channel.

A post of ours bears the id of its key as metadata and as the block_id of its first block. Not everything that speaks
Slack's API keeps metadata, and an edit renews the block_id: so either will do, and where a message of ours bears
neither, nothing is certain. https://docs.slack.dev/reference/methods/conversations.replies
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.chat.slack.inbound import Me
from adapters.chat.slack.web import error_name
from core.model.chat import PostRef, ThreadRef
from core.model.errors import NotSupported

PAGE = 200
PAGES = 5
"""A thread is told from its beginning, so one that is longer cannot be searched to its end."""

STREAM = "patchbay:"
"""Begins the id of the first task of every stream; its name follows."""

NO_HISTORY = {"missing_scope", "not_allowed_token_type", "unknown_method", "method_not_supported_for_channel_type"}


async def find(client: AsyncWebClient, me: Me, thread: ThreadRef, name: str) -> PostRef | None:
    """NotSupported when the scopes do not allow it, or when not finding it would prove nothing."""
    cursor, is_sure = "", True
    for _ in range(PAGES):
        page = await _page(client, thread, cursor)
        ours = [each for each in _messages(page) if _is_ours(each, me) and not _streams(each) and not _names(each)]
        for each in ours:
            if name in _marks(each):
                return PostRef(thread, str(each["ts"]))
        is_sure = is_sure and all(_marks(each) for each in ours)
        cursor = _cursor(page)
        if not cursor:
            break
    if cursor or not is_sure:
        raise NotSupported("Slack does not say whether the message was sent.")
    return None


async def find_stream(client: AsyncWebClient, me: Me, thread: ThreadRef, name: str) -> str:
    """The ts of the stream with this name; empty: there is none. NotSupported."""
    cursor = ""
    for _ in range(PAGES):
        page = await _page(client, thread, cursor)
        for each in _messages(page):
            if _is_ours(each, me) and STREAM + name in _streams(each):
                return str(each["ts"])
        cursor = _cursor(page)
        if not cursor:
            break
    return ""


async def shared(client: AsyncWebClient, me: Me, thread: ThreadRef, mark: str) -> str:
    """The id of a file of ours in the thread whose name holds `mark`; empty: none was found, which proves nothing."""
    cursor = ""
    for _ in range(PAGES):
        try:
            page = await _page(client, thread, cursor)
        except NotSupported:
            return ""
        for each in _messages(page):
            found = next((id_ for id_, name in _names(each) if mark in name), "") if _is_ours(each, me) else ""
            if found:
                return found
        cursor = _cursor(page)
        if not cursor:
            break
    return ""


async def listed(client: AsyncWebClient, me: Me, mark: str) -> tuple[str, bool]:
    """The same among all files of ours, the newest first; and whether these were all."""
    for number in range(1, PAGES + 1):
        try:
            answer = await client.files_list(user=me.user, count=PAGE, page=number)
        except SlackApiError as error:
            if error_name(error) in NO_HISTORY:
                return "", False
            raise
        page = answer.data if isinstance(answer.data, dict) else {}
        names = _names(page)
        found = next((id_ for id_, name in names if mark in name), "")
        if found or len(names) < PAGE:
            return found, True
    return "", False


async def _page(client: AsyncWebClient, thread: ThreadRef, cursor: str) -> dict[str, Any]:
    more: dict[str, Any] = {"cursor": cursor} if cursor else {}
    try:
        if thread.root:
            answer = await client.conversations_replies(
                channel=thread.chat, ts=thread.root, limit=PAGE, include_all_metadata=True, **more
            )
        else:
            answer = await client.conversations_history(
                channel=thread.chat, limit=PAGE, include_all_metadata=True, **more
            )
    except SlackApiError as error:
        if error_name(error) in NO_HISTORY:
            raise NotSupported("The Slack app may not read this channel's messages.") from error
        if error_name(error) == "thread_not_found":
            return {}
        raise
    return answer.data if isinstance(answer.data, dict) else {}


def _cursor(page: dict[str, Any]) -> str:
    more = page.get("response_metadata")
    found = more.get("next_cursor") if isinstance(more, dict) else None
    return found if isinstance(found, str) else ""


def _messages(page: dict[str, Any]) -> Iterable[dict[str, Any]]:
    found = page.get("messages")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _names(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Ids and names of the files of a message, which bears no mark: Slack posts it, not we."""
    files = message.get("files")
    found = [each for each in files if isinstance(each, dict)] if isinstance(files, list) else []
    return [(str(each["id"]), f"{each.get('name')} {each.get('title')}") for each in found if each.get("id")]


def _is_ours(message: dict[str, Any], me: Me) -> bool:
    return message.get("user") == me.user or (bool(me.bot) and message.get("bot_id") == me.bot)


def _marks(message: dict[str, Any]) -> set[str]:
    """Whatever tells which post this is; empty: it could be any."""
    metadata, blocks = message.get("metadata"), message.get("blocks")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    key_id = payload.get("key_id") if isinstance(payload, dict) else None
    block = blocks[0] if isinstance(blocks, list) and blocks else None
    first = block.get("block_id") if isinstance(block, dict) else None
    named = isinstance(first, str) and (first.startswith("edit:") or first.count("-") == 4)
    return {str(mark) for mark in (key_id, first if named else None, message.get("client_msg_id")) if mark}


def _streams(message: dict[str, Any]) -> set[str]:
    """Ids of tasks that only a stream of ours has: in a plan, or each by itself."""
    blocks = message.get("blocks")
    found = [each for each in blocks if isinstance(each, dict)] if isinstance(blocks, list) else []
    inside = [each.get("tasks") for each in found]
    tasks = [*found, *(task for each in inside if isinstance(each, list) for task in each if isinstance(task, dict))]
    return {str(each["task_id"]) for each in tasks if str(each.get("task_id", "")).startswith(STREAM)}
