"""A sandbox without walls, for tests of what runs in one: the same argv, a given environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.model.events import Readiness
from core.ports import Access, Wrapped


class PassThrough:
    """`wrapped` keeps what went through it, in order."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        self._environment = {"PATH": path, "LANG": "C.UTF-8", **(environment or {})}
        self.wrapped: list[tuple[tuple[str, ...], Access]] = []

    @property
    def name(self) -> str:
        return "none, for tests"

    async def probe(self) -> Readiness:
        return Readiness("no walls, for tests", is_usable=True)

    def wrap(
        self,
        argv: Sequence[str],
        workspace: str,
        access: Access,
        environment: Mapping[str, str],
        *,
        project: str = "",
        opened: Sequence[str] = (),
        socket: str = "",
    ) -> Wrapped:
        self.wrapped.append((tuple(argv), access))
        return Wrapped(tuple(argv), {**self._environment, **environment})
