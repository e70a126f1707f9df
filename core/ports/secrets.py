"""Where secrets are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from core.model.secrets import Sealed, SecretRef


class Secrets(Protocol):
    """Kept sealed; knows every live one for the redactor. SecretsLocked: the key that opens them is not there."""

    async def get(self, ref: SecretRef) -> str | None: ...

    async def put(self, ref: SecretRef, value: str) -> None:
        """Instead of what stood there; black everywhere from now on."""

    async def forget(self, ref: SecretRef) -> bool:
        """False: there was none. What is forgotten stays black in this life of the bot."""

    async def move(self, old: SecretRef, ref: SecretRef) -> bool:
        """Under another name. False: there is none under the old one."""

    async def kept(self, scope: str) -> Sequence[Sealed]:
        """What stands in this scope, by name."""

    async def seal(self, ref: SecretRef, value: str) -> Sealed | None:
        """To be stored in a transaction of others, and black from now on. None: nothing can be kept just now."""


class SealedSecrets(Protocol):
    """The rows of the vault. All are sealed with one key, the current one."""

    async def current_key(self) -> str:
        """The id of the key that every row is sealed with; empty: none was ever used."""

    async def first_key(self, key: str, at: datetime) -> str:
        """The current one from now on, unless one is; the one that is."""

    async def sealed(self, ref: SecretRef) -> Sealed | None: ...

    async def all_sealed(self, scope: str | None = None) -> list[Sealed]:
        """By scope and name."""

    async def put_sealed(self, sealed: Sealed) -> bool:
        """False, and nothing is stored: its key is not the current one any more."""

    async def move_sealed(self, old: SecretRef, sealed: Sealed) -> bool:
        """`put_sealed`, and in the same transaction `old` is dropped."""

    async def drop_sealed(self, ref: SecretRef) -> bool: ...

    async def use_sealed(self, ref: SecretRef, at: datetime) -> None:
        """It was used."""

    async def reseal(self, key: str, turn: Callable[[Sealed], str], at: datetime) -> int:
        """All rows at once: `turn` gives the new words of each, and `key` is the current one. Their number."""

    async def drop_all_sealed(self) -> int:
        """Every secret, and which key was the current one; the number of secrets."""
