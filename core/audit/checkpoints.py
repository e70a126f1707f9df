"""Signed checkpoints of the chain, so that what is cut off its end is missed: every so many entries, or minutes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from core.audit.chain import signed_words
from core.model.audit import Checkpoint
from core.model.errors import BotError
from core.ports import Audits, Clock, Signer

log = structlog.get_logger()

MOST_SECONDS = 300.0
MOST_ENTRIES = 100
LOOK_SECONDS = 5.0

Keep = Callable[[Checkpoint], Awaitable[None]]
"""Puts it where who changes the database does not reach. BotError: not now."""


class Checkpoints:
    """`work` must run for any to be made."""

    def __init__(self, audits: Audits, signer: Signer, keep: Keep, clock: Clock) -> None:
        self._audits, self._signer, self._keep, self._clock = audits, signer, keep, clock
        self._last: Checkpoint | None = None

    async def work(self) -> None:
        """Until cancelled. The first is made at once: it says how far the chain went when the bot started."""
        while True:
            try:
                await self.look()
            except BotError as error:
                log.error("audit.no_checkpoint", reason=str(error))  # noqa: TRY400 - its text says what to do
            await self._clock.sleep(LOOK_SECONDS)

    async def last(self) -> None:
        """At the end, of all there is."""
        try:
            await self.look(is_last=True)
        except BotError as error:
            log.error("audit.no_checkpoint", reason=str(error))  # noqa: TRY400 - its text says what to do

    async def look(self, *, is_last: bool = False) -> bool:
        """Make one if it is due. False: it is not."""
        head = await self._audits.audit_head()
        if head is None or (self._last is not None and head.seq == self._last.seq):
            return False
        now = self._clock.now()
        if self._last is not None and not is_last:
            is_old = (now - self._last.at).total_seconds() >= MOST_SECONDS - LOOK_SECONDS
            if not is_old and head.seq - self._last.seq < MOST_ENTRIES:
                return False
        bare = Checkpoint(head.seq, head.hash, now)
        signature = await self._signer.sign(signed_words(bare))
        made = replace(bare, key=self._signer.key, signature=signature)
        await self._keep(made)
        self._last = made
        return True
