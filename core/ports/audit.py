"""The audit, as it is read, and who signs for it."""

from __future__ import annotations

from typing import Protocol

from core.model.audit import Entry
from core.model.chat import ChatRef


class Audits(Protocol):
    """Entries are written by the Store itself, in the transaction of what they tell of."""

    async def audit_head(self) -> Entry | None:
        """The last one."""

    async def audit_after(self, seq: int, limit: int) -> list[Entry]:
        """Those behind this one, in order."""

    async def audit_of(self, room: ChatRef, limit: int) -> list[Entry]:
        """Of what was done from this chat, newest first."""


class Signer(Protocol):
    """Signs checkpoints with a key that is not in the database."""

    @property
    def key(self) -> str:
        """The public one, in hex; known once something was signed."""

    async def sign(self, words: bytes) -> str:
        """In hex. SecretsLocked: the key is not there."""
