"""Receives by long poll, so that nothing is acknowledged before it is committed.

The Bot API takes an update as received when the *next* getUpdates asks for a higher offset; that call is only made
after `take` has returned. https://core.telegram.org/bots/api#getupdates
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from telegram.constants import PollingLimit
from telegram.error import TelegramError

from adapters.chat.telegram.inbound import PLATFORM
from adapters.chat.telegram.request import Refused, Request
from core.model.chat import Delivery
from core.model.errors import StoreError
from core.ports import Take

UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
"""Named one by one: what is not named is not sent, and an update of an unknown kind does not reach us."""

POLL_SECONDS = 50
"""The longest that Telegram's server waits, whatever is asked."""

POLL_LIMIT_SECONDS = POLL_SECONDS + 15.0
"""A poll that takes longer hangs on a dead connection."""

EMPTY_SECONDS = 0.5
EMPTY_PAUSE_SECONDS = 0.1
"""A server that answers an empty poll sooner than that does not wait as it should: then we do."""

HEAD_START_SECONDS = 0.002
"""For what was taken: asking for more takes the loop about as long as an answer, which is what a person waits for."""

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0

log = structlog.get_logger()

Sleep = Callable[[float], Awaitable[None]]


async def poll(request: Request, take: Take, cursor: str | None, sleep: Sleep = asyncio.sleep) -> None:
    """Until cancelled. Whatever goes wrong is waited out and asked again, from the last offset that was committed."""
    offset = int(cursor) if cursor is not None and cursor.isdecimal() else None
    failures, trouble = 0, ""
    while True:
        try:
            began, before = time.monotonic(), offset
            offset = await _turn(request, take, offset, 0 if failures else POLL_SECONDS)
            if not failures and offset == before and time.monotonic() - began < EMPTY_SECONDS:
                await sleep(EMPTY_PAUSE_SECONDS)
        except Exception as error:  # noqa: BLE001 - the bot must not go deaf; the pause is logged, and so is its end
            failures += 1
            if trouble != (trouble := _name(error)):
                log.warning("telegram.poll.failing", reason=trouble, hint=_hint(error))
            await sleep(_pause(failures, error))
        else:
            if failures:
                log.info("telegram.poll.back", after_failures=failures)
            failures, trouble = 0, ""


def delivery(update: object) -> Delivery | None:
    """None: not an update. The same bytes for the same update, however it came."""
    number = update.get("update_id") if isinstance(update, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    try:
        raw = json.dumps(update, separators=(",", ":"), sort_keys=True).encode()
    except RecursionError:
        return None
    return Delivery(PLATFORM, str(number), raw)


async def _turn(request: Request, take: Take, offset: int | None, seconds: int) -> int | None:
    """One poll; the offset for the next one. ValueError when nothing in the answer can be acknowledged.

    `seconds` 0: answered at once, to see soon that an outage is over.

    Ids start anew at random after a quiet week, so the next offset is that of this batch, be it lower than before.
    """
    fields: dict[str, Any] = {
        "timeout": seconds,
        "limit": int(PollingLimit.MAX_LIMIT),
        "allowed_updates": list(UPDATES),
    }
    if offset is not None:
        fields["offset"] = offset
    updates = await request.call("getUpdates", fields, seconds=POLL_LIMIT_SECONDS, is_poll=True)
    deliveries = [each for each in map(delivery, updates) if each is not None]
    if len(deliveries) != len(updates):
        log.error("telegram.poll.malformed", updates=len(updates) - len(deliveries))
    if not deliveries:
        if updates:
            raise ValueError("no update in the answer has an id")
        return offset
    following = max(int(each.id) for each in deliveries) + 1
    await take(deliveries, cursor=str(following))
    await asyncio.sleep(HEAD_START_SECONDS)
    return following


def _pause(failures: int, error: Exception) -> float:
    """Seconds, doubling, with jitter; at least what the server asked for."""
    asked = error.retry_after if isinstance(error, Refused) else None
    if asked is not None:
        return asked + random.uniform(0, FIRST_PAUSE_SECONDS)
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10))
    return random.uniform(longest / 2, longest)


def _name(error: Exception) -> str:
    if isinstance(error, Refused):
        return f"{error.status} {error.description}"
    if isinstance(error, (TelegramError, StoreError)):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__


def _hint(error: Exception) -> str:
    if isinstance(error, Refused) and error.status == 409:
        return "another process polls with this token, or a webhook is set: stop the other one"
    if isinstance(error, Refused) and error.status in {401, 404}:
        return "the token is no longer accepted: check telegram.token"
    return "trying again; nothing that was said is lost"
