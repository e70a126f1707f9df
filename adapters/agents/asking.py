"""Between an agent and its act: it is asked about, and then exactly what was asked about is done."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass

from core.model.approvals import Act, Verdict
from core.ports import Approve


class Refused(Exception):
    """The call cannot be done as it was asked; the model reads why and goes on."""


@dataclass(frozen=True, slots=True)
class Permit:
    """A yes to one act. `by`: who said it; empty: the rules did, at once."""

    act: Act
    digest: str
    by: str = ""

    def checked(self) -> Act:
        """The act, right before it is done. Refused: it is not what was allowed any more."""
        if not hmac.compare_digest(self.act.digest, self.digest):
            raise Refused("This is not what was allowed, so it was not done. Ask for it again.")
        return self.act


async def permit(approve: Approve, act: Act) -> Permit:
    """Refused with the reason when the answer is no."""
    digest = act.digest
    verdict = await approve(act)
    if not verdict.granted:
        raise Refused(f"Not allowed, and nothing was done. {verdict.reason}".strip())
    return Permit(act, digest, verdict.by)


def patient(approve: Approve, limit: asyncio.Timeout) -> Approve:
    """The time of the turn stands still while a person thinks."""

    async def ask(act: Act) -> Verdict:
        loop = asyncio.get_running_loop()
        left = (limit.when() or loop.time()) - loop.time()
        limit.reschedule(None)
        try:
            return await approve(act)
        finally:
            limit.reschedule(loop.time() + left)

    return ask
