"""No sandbox works here: nothing is started, and whoever asks is told why."""

from __future__ import annotations

from core.model.errors import SandboxError
from core.model.events import Readiness
from core.ports import Wrapped


class NoSandbox:
    def __init__(self, reason: str) -> None:
        self._reason = reason

    name = "none"

    async def probe(self) -> Readiness:
        return Readiness("no sandbox", is_usable=False, missing=self._reason)

    def wrap(self, *_: object, **__: object) -> Wrapped:
        raise SandboxError(self._reason)
