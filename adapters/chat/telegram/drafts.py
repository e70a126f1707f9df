"""Drafts: what an agent is just saying, shown in a private chat while it grows. Never raised, and no message.

A draft is a preview of 30 seconds: a newer one with the same id replaces it, any message of the bot makes it vanish. So
it needs no end of its own. https://core.telegram.org/bots/api#sendmessagedraft
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any
from zlib import crc32

import structlog

from adapters.chat.telegram.refusals import is_about_entities
from adapters.chat.telegram.render import LIMIT, Rendered, render, render_whole, units
from adapters.chat.telegram.request import Refused
from core.model.chat import ThreadRef
from core.ports import View

log = structlog.get_logger()

DRAFT_SECONDS = 5.0
"""A draft that comes later shows nothing new any more."""

PACE_SECONDS = 1.2
"""Telegram: about one message a second in a chat, and it does not say that drafts are none."""

TROUBLE_SECONDS = 10.0
"""After an outage."""

TAIL = 3000
"""Characters of Markdown that are shown of what is too long for one message."""

Call = Callable[[dict[str, Any]], Awaitable[Any]]
"""sendMessageDraft with these fields."""


class Drafts:
    """`call` raises what `Request.call` does; `now` counts seconds."""

    def __init__(self, call: Call, now: Callable[[], float] = monotonic) -> None:
        self._call, self._now = call, now
        self._held: dict[str, float] = {}
        """By chat, until when it wants no call."""
        self._is_known = True
        """Until the server does not know drafts."""
        self._is_formatted = True
        """Until it does not know a format of ours."""

    async def show(self, thread: ThreadRef, key: str, view: View) -> float | None:
        """Seconds until the next may come; None: no drafts in this chat. Groups have none."""
        if not self._is_known or not thread.chat.isdecimal():
            return None
        if (wait := self._held.get(thread.chat, 0.0) - self._now()) > 0:
            return wait
        self._held.pop(thread.chat, None)
        shown = rendered(view)
        fields: dict[str, Any] = {"chat_id": int(thread.chat), "draft_id": draft_id(key), "text": shown.text}
        if thread.root:
            fields["message_thread_id"] = int(thread.root)
        if shown.marks and self._is_formatted:
            fields["entities"] = shown.entities
        try:
            await self._call(fields)
        except Refused as error:
            return self._after(thread.chat, error)
        except Exception as error:  # noqa: BLE001 - a draft is never worth an error, whatever a library makes of it
            log.debug("telegram.draft.failed", reason=type(error).__name__)
            return TROUBLE_SECONDS
        return PACE_SECONDS

    def hold(self, chat: str, seconds: float) -> None:
        """The chat wants no call for so long: a draft in it would make its posts wait longer."""
        self._held[chat] = self._now() + seconds

    def _after(self, chat: str, error: Refused) -> float | None:
        if error.status == 429:
            seconds = error.retry_after or TROUBLE_SECONDS
            self.hold(chat, seconds)
            return seconds
        if error.status in {404, 501}:
            self._is_known = False
            log.info("telegram.no_drafts", reason=error.description)
            return None
        if is_about_entities(error) and self._is_formatted:
            self._is_formatted = False
            return PACE_SECONDS
        log.debug("telegram.draft.refused", reason=error.description)
        return TROUBLE_SECONDS if error.status >= 500 else None


def draft_id(key: str) -> int:
    """The same for the same key; from 1 to 2³¹ - 1, as an Integer of the Bot API surely holds it."""
    return crc32(key.encode()) % 0x7FFFFFFF + 1


def rendered(view: View) -> Rendered:
    """The words, and below them what is being done; of what is too long, the end."""
    doing = [f"▸ `{each.title}`" for each in view.doing if each.ok is None]
    done = [f"{'✓' if each.ok else '✗'} `{each.title}`" for each in view.doing[-1:] if each.ok is not None]
    below = "  \n".join(doing or done)
    whole = "\n\n".join(part for part in (view.text.rstrip(), below) if part)
    if units(render_whole(whole)[0]) <= LIMIT:
        return render(whole)
    tail = view.text.rstrip()[-TAIL:]
    tail = tail[tail.find("\n") + 1 :]
    return render("\n\n".join(part for part in ("…", tail, below) if part))
