"""Signs on a message: reactions, and the session's status where the workspace shows agents. Never raised.

`processing` is what gives a thread its native Stop button. Not every workspace has agent sessions: the first refusal
for want of them is the last question. https://docs.slack.dev/reference/methods/agents.sessions.setStatus
"""

from __future__ import annotations

import asyncio

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from adapters.chat.slack.web import OUTSIDE, error_name, status_of
from core.model.chat import SignKind, ThreadRef

log = structlog.get_logger()

SIGN_SECONDS = 5.0

REACTIONS = {SignKind.SEEN: "eyes", SignKind.DONE: "white_check_mark", SignKind.FAILED: "x"}
STATUSES = {SignKind.WORKING: "processing", SignKind.DONE: "closed", SignKind.FAILED: "active"}

WITHOUT_SESSIONS = {
    "access_denied",
    "agent_not_enabled",
    "feature_not_enabled",
    "method_deprecated",
    "method_not_supported_for_channel_type",
    "missing_scope",
    "not_allowed",
    "not_allowed_token_type",
    "no_permission",
    "paid_only",
    "team_access_not_granted",
    "unknown_method",
}


class Signs:
    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self.has_sessions = True
        """Until the workspace says otherwise."""

    async def put(self, thread: ThreadRef, message: str, kind: SignKind) -> None:
        await asyncio.gather(self._react(thread, message, kind), self._show_status(thread, kind))

    async def _react(self, thread: ThreadRef, message: str, kind: SignKind) -> None:
        name = REACTIONS.get(kind)
        if not name or not message:
            return
        try:
            async with asyncio.timeout(SIGN_SECONDS):
                await self._client.reactions_add(channel=thread.chat, timestamp=message, name=name)
        except OUTSIDE as error:
            log.debug("slack.no_reaction", error=error_name(error) or type(error).__name__)

    async def _show_status(self, thread: ThreadRef, kind: SignKind) -> None:
        status = STATUSES.get(kind)
        if not status or not thread.root or not self.has_sessions:
            return
        try:
            async with asyncio.timeout(SIGN_SECONDS):
                await self._client.agents_sessions_setStatus(
                    channel_id=thread.chat, thread_ts=thread.root, status=status
                )
        except OUTSIDE as error:
            name = error_name(error)
            if name in WITHOUT_SESSIONS or status_of(error) == 404:
                self.has_sessions = False
                log.info("slack.no_agent_sessions", error=name or "404")
