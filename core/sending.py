"""How one post comes to stand, once: a try whose fate is unknown is looked up, never blindly repeated.

Where a platform cannot be asked, it is said a second time and says so. If that has no answer either, people are told,
and may have it said again: neither a third copy nor a silent loss.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import structlog

from core.model.chat import Button, Post, PostKey, PostRef
from core.model.codec import Json
from core.model.errors import ChatError, NotSupported, SendUnknown, StoreError
from core.ports import ChatPlatform, Clock, Outboxes, Outgoing, SendState

T = TypeVar("T")
log = structlog.get_logger()

MAYBE_TWICE = "♻️ *The connection broke while I said this; you may have read it before.*\n\n"
MAYBE_LOST = "⚠️ The connection broke twice while I said something here. I cannot tell whether you have read it."
LOST = "lost:"

BACK_OFF_SECONDS = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Between tries of one post; the last one repeats. No post is given up because the platform is down."""

Opened = Callable[[Json, PostRef], Awaitable[None]]
"""Called when a post that opens a thread stands: with the ask that waited for it. Idempotent."""

RefusedFile = Callable[[Outgoing, str], Awaitable[None]]
"""Called when a file is refused for good, with the reason, before that is kept. Idempotent."""


class TwiceUnknown(SendUnknown):
    """The second try, which says that it is one, has no known fate either."""


class Sending:
    def __init__(self, store: Outboxes, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def send(self, platform: ChatPlatform, row: Outgoing) -> PostRef:
        """One try, or what takes its place. ChatError; SendUnknown also where an adapter fails in a way of its own."""
        if row.state is SendState.UNKNOWN or row.is_twice:
            return await self._reconcile(platform, row)
        if row.state is SendState.NEW:
            await self.mark(row.key, SendState.SENDING)
        return await _post(platform, row)

    async def after(self, row: Outgoing, *, is_unsure: bool) -> Outgoing:
        """As it stands after a try that failed: to be looked up, or to be tried again."""
        if row.is_twice and row.state is SendState.SENDING:
            return row
        state = SendState.UNKNOWN if is_unsure or row.state is SendState.UNKNOWN else SendState.NEW
        await self.mark(row.key, state)
        return replace(row, state=state)

    async def mark(
        self,
        key: PostKey,
        state: SendState,
        *,
        ref: PostRef | None = None,
        shown: int | None = None,
        is_twice: bool = False,
    ) -> None:
        """A store that cannot write is waited for: what was sent must not be forgotten."""
        await kept(lambda: self._store.mark(key, state, ref=ref, shown=shown, is_twice=is_twice), self._clock)

    async def _reconcile(self, platform: ChatPlatform, row: Outgoing) -> PostRef:
        """Adopt the post if it is there; where one can't look, say it again, and that it may be the second time.

        A crash may have come before the second time: that is told in a notice. Nothing tells of a notice, which is
        said once more instead.
        """
        try:
            found = await platform.find(row.thread, row.key)
        except NotSupported as error:
            if row.is_twice and row.state is SendState.SENDING and not row.key.startswith(LOST):
                raise TwiceUnknown(str(error)) from error
        else:
            if found is not None:
                log.info("post.adopted", key=row.key)
                return found
            return await _post(platform, row)
        return await self._say_twice(platform, row)

    async def _say_twice(self, platform: ChatPlatform, row: Outgoing) -> PostRef:
        """That it is on its way a second time is kept first: whoever finds it so after a crash may not repeat it."""
        log.warning("post.maybe_twice", key=row.key, platform=platform.name)
        await self.mark(row.key, SendState.SENDING, is_twice=True)
        try:
            return await _post(platform, replace(row, is_twice=True))
        except SendUnknown as error:
            raise TwiceUnknown(str(error)) from error


def worded(row: Outgoing) -> Post:
    """What may be there twice keeps saying so, whatever else it comes to say."""
    return replace(row.post, text=MAYBE_TWICE + row.post.text) if row.is_twice else row.post


def notice(row: Outgoing) -> Outgoing | None:
    """What is said when nobody knows whether the post was; None: it was this notice."""
    if row.key.startswith(LOST):
        return None
    again = Button("Say it again", f"/again {row.key}")
    return Outgoing(PostKey(f"{LOST}{row.key}"), row.thread, Post(MAYBE_LOST, ((again,),)), row.priority)


def pause(tries: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return BACK_OFF_SECONDS[min(tries, len(BACK_OFF_SECONDS) - 1)]


async def kept(call: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """What it gives, once the store can."""
    tries = 0
    while True:
        try:
            return await call()
        except StoreError as error:
            log.warning("store.busy", reason=str(error))
            await clock.sleep(pause(tries))
            tries += 1


async def _post(platform: ChatPlatform, row: Outgoing) -> PostRef:
    """A boundary: an adapter that fails in a way of its own has sent it, or has not."""
    try:
        return await platform.post(row.thread, worded(row), row.key)
    except ChatError:
        raise
    except Exception as error:
        log.exception("post.failed", key=row.key, platform=platform.name)
        raise SendUnknown(f"something went wrong inside the bot ({type(error).__name__})") from error
