"""Slack's Web API: one client, the library's retries off, and what its refusals mean for a post.

A lost reply and a library that tries again would say a thing twice: slack_sdk does so unless its retry handlers are
taken away. https://docs.slack.dev/reference/methods/chat.postMessage lists the errors.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.chat.slack.config import SlackConfig
from core.model.errors import ChatBusy, ChatError, PostGone, SendFailed, SendUnknown, Unavailable
from core.ports import Circuit

REPLY_SECONDS = 30.0
CONNECT_SECONDS = 10.0
BUSY_SECONDS = 30.0
"""When Slack asks to wait and does not say how long."""

OUTSIDE = (SlackClientError, aiohttp.ClientError, OSError, asyncio.TimeoutError)
"""Everything a call may raise."""

UNSURE = {
    "fatal_error",  # "some aspect of the operation succeeded", says Slack of these two
    "internal_error",
    "duplicate_message_not_found",  # it knows the client_msg_id, but not the message it stood for
    "duplicate_channel_not_found",
}
LATER = {"service_unavailable", "request_timeout", "team_added_to_org", "org_login_required", "ekm_access_denied"}
GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"}
BAD_BLOCKS = {
    "msg_blocks_too_long",
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_too_long",
    "markdown_text_conflict",
}
BAD_TOKEN = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "not_allowed_token_type",
}

QUIET = logging.getLogger("patchbay.slack")
"""For the library. Its own logger has no level, which it takes for DEBUG, and then it formats every call it makes."""
QUIET.setLevel(logging.CRITICAL)


class HeldError(SlackClientError):
    """Slack does not answer, so it was not asked."""


class Client(AsyncWebClient):
    """Every call of the Web API goes through `_send`, and so past the circuit."""

    def __init__(
        self, circuit: Circuit, token: str | None, base_url: str, session: aiohttp.ClientSession | None
    ) -> None:
        super().__init__(token, base_url, session=session, logger=QUIET, retry_handlers=[])
        self.circuit = circuit

    async def _send(self, http_verb: str, api_url: str, req_args: dict[str, Any]) -> AsyncSlackResponse:
        try:
            with self.circuit.attempt():
                return await self._told(super()._send(http_verb, api_url, req_args))
        except Unavailable as error:
            raise HeldError(str(error)) from None

    async def _told(self, call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
        """The circuit learns what became of it: a refusal is an answer too."""
        try:
            answer = await call
        except OUTSIDE as error:
            if _is_outage(error):
                self.circuit.failed(line_of(error))
            else:
                self.circuit.answered()
            raise
        self.circuit.answered()
        return answer


def new_client(config: SlackConfig, circuit: Circuit) -> Client:
    """Call it where a loop runs. `close_client` gives its session back."""
    session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=REPLY_SECONDS, sock_connect=CONNECT_SECONDS),
        connector=aiohttp.TCPConnector(limit=100),
    )
    token = config.bot_token.get_secret_value().strip()
    client = Client(circuit, token, config.api_base, session)
    client.proxy = proxy_for(config.api_base)  # slack_sdk's own choice does not know NO_PROXY
    return client


def proxy_for(url: str) -> str | None:
    """What the environment says, asked once: `trust_env` asks twice for each call, in a thread."""
    address = urlsplit(url)
    if proxy_bypass(address.hostname or ""):
        return None
    return getproxies().get(address.scheme)


async def close_client(client: AsyncWebClient) -> None:
    if client.session is not None:
        await client.session.close()


def answer_of(error: SlackApiError) -> dict[str, Any]:
    """What Slack said; empty if it was not Slack's way of saying it."""
    found = getattr(error.response, "data", None)
    return found if isinstance(found, dict) else {}


def error_name(error: BaseException) -> str:
    name = answer_of(error).get("error") if isinstance(error, SlackApiError) else None
    return name if isinstance(name, str) else ""


def status_of(error: BaseException) -> int:
    """HTTP's, 0 if there was none. Two kinds of response may hang on the error."""
    response = getattr(error, "response", None)
    found = getattr(response, "status_code", None) or getattr(response, "status", None)
    return found if isinstance(found, int) else 0


def refusal(error: BaseException, *, may_repeat: bool = False) -> ChatError:
    """What a failed call means. `may_repeat`: doing it twice is doing it once, so nothing needs to be unsure."""
    if isinstance(error, HeldError):
        return SendFailed(f"{error} I keep it until then.")
    if isinstance(error, SlackApiError):
        return _of_answer(error, may_repeat=may_repeat)
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return SendFailed(f"Slack cannot be reached: {line_of(error)}. I keep it and try again.")
    if may_repeat:
        return SendFailed(f"The connection to Slack broke: {line_of(error)}. I try again.")
    return SendUnknown(f"The connection to Slack broke before it answered: {line_of(error)}.")


def _is_outage(error: BaseException) -> bool:
    """A 5xx, or no answer at all."""
    return not isinstance(error, SlackClientError) or status_of(error) >= 500


def _of_answer(error: SlackApiError, *, may_repeat: bool) -> ChatError:
    name, status = error_name(error), status_of(error)
    if status == 429 or name in {"ratelimited", "rate_limited"}:
        return ChatBusy("Slack asks me to wait.", _wait(error))
    if name in GONE:
        return PostGone(f"Slack no longer has that message, or does not let me change it ({name}).")
    if name in UNSURE or (not name and (status >= 500 or status == 200)):
        text = f"Slack did not say whether it took the message ({name or status})."
        return SendFailed(text) if may_repeat else SendUnknown(text)
    if name in LATER or status >= 500:
        return SendFailed(f"Slack is not available just now ({name or status}). I keep it and try again.")
    return ChatError(REASONS.get(name) or f"Slack refused the message ({name or status}).")


def _wait(error: SlackApiError) -> float:
    headers = getattr(error.response, "headers", None) or {}
    said = str(headers.get("Retry-After") or headers.get("retry-after") or "")
    return float(said) if said.isascii() and said.isdigit() and len(said) < 6 else BUSY_SECONDS


def line_of(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


_INVITE = "invite me with /invite, then ask again."
_REVOKED = "Slack does not accept the bot token any more. Ask whoever runs me to put a new one (`patchbay doctor`)."
REASONS = {
    "channel_not_found": f"Slack does not show me this channel: {_INVITE}",
    "not_in_channel": f"I am not in this channel: {_INVITE}",
    "is_archived": "This channel is archived, so I cannot post here.",
    "restricted_action": "This workspace does not let me post in this channel. Ask an admin of the workspace.",
    "restricted_action_read_only_channel": "This channel is read-only for me. Ask an admin of the workspace.",
    "restricted_action_thread_locked": "This thread is locked, so I cannot post in it.",
    "thread_not_found": "The thread is gone, so I cannot answer in it.",
    "missing_scope": "My Slack app lacks a permission. Install it again with what `patchbay slack-manifest` prints.",
    **dict.fromkeys(BAD_TOKEN, _REVOKED),
}
