"""No sandbox works here: nothing is started, and whoever asks is told why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.model.errors import SandboxError
from core.model.events import Readiness
from core.ports import Access, Wrapped


class NoSandbox:
    def __init__(self, reason: str) -> None:
        self._reason = reason

    name = "none"

    async def probe(self) -> Readiness:
        return Readiness("no sandbox", is_usable=False, missing=self._reason)

    def wrap(self, argv: Sequence[str], workspace: str, access: Access, environment: Mapping[str, str]) -> Wrapped:  # noqa: ARG002 - the port's words
        raise SandboxError(self._reason)
