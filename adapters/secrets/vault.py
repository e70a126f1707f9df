"""The vault: secrets sealed in the database, opened by keys that are not in it, black wherever the bot speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from adapters.secrets.keys import Keys, key_id, new_key
from adapters.secrets.redactor import Redactor
from core.model.errors import SecretsLocked
from core.model.secrets import Sealed, SecretRef
from core.ports import SealedSecrets

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

log = structlog.get_logger()

USE_KEPT = timedelta(hours=1)
"""Of the time of the last use no more is known than this."""

TRIES = 3
"""Keys that are exchanged just while one is used."""


CHANGED = (
    "The secret `{name}` cannot be opened: its row was changed. Forget it (`patchbay secrets forget {name}`) and set "
    "it again, or restore a backup."
)


class Vault:
    """Fulfils `core.ports.Secrets`."""

    def __init__(self, store: SealedSecrets, keys: Keys, redactor: Redactor, now: Callable[[], datetime]) -> None:
        self._store, self._keys, self._redactor, self._now = store, keys, redactor, now
        self._open: dict[str, Fernet] = {}

    async def open(self) -> int:
        """Every secret is black from now on; the first start makes a key. Their number. SecretsLocked."""
        current = await self._store.current_key()
        if not current:
            newest = (await asyncio.to_thread(self._keys.load))[:1] or (await asyncio.to_thread(self._keys.make),)
            current = await self._store.first_key(key_id(newest[0]), self._now())
        await self._lock_of(current)
        rows = await self._store.all_sealed()
        for row in rows:
            self._redactor.add(await self._words(row))
        return len(rows)

    async def get(self, ref: SecretRef) -> str | None:
        row = await self._store.sealed(ref)
        if row is None:
            return None
        words = await self._words(row)
        self._redactor.add(words)
        if row.used_at is None or self._now() - row.used_at > USE_KEPT:
            await self._store.use_sealed(ref, self._now())
        return words

    async def put(self, ref: SecretRef, value: str) -> None:
        for _ in range(TRIES):
            if await self._store.put_sealed(await self._seal(ref, value)):
                return
        raise SecretsLocked("The key of the secrets is just being exchanged. Nothing was kept; say it again.")

    async def forget(self, ref: SecretRef) -> bool:
        return await self._store.drop_sealed(ref)

    async def kept(self, scope: str) -> Sequence[Sealed]:
        return await self._store.all_sealed(scope)

    async def move(self, old: SecretRef, ref: SecretRef) -> bool:
        """Under another name. False: there is none under the old one."""
        for _ in range(TRIES):
            row = await self._store.sealed(old)
            if row is None:
                return False
            if await self._store.move_sealed(old, await self._seal(ref, await self._words(row))):
                return True
        raise SecretsLocked("The key of the secrets is just being exchanged. Nothing was kept; say it again.")

    async def seal(self, ref: SecretRef, value: str) -> Sealed | None:
        try:
            return await self._seal(ref, value)
        except SecretsLocked as error:
            log.error("secrets.locked", reason=str(error))  # noqa: TRY400 - its text says what to do
            return None

    async def rotate(self) -> str:
        """The id of the key that all are sealed with now. What was begun before is finished, however it was cut.

        Both keys stand in the file before a row changes; all rows and the current key change in one transaction; only
        then the old key goes. So at each moment every row can be opened with what the file holds.
        """
        keys = await asyncio.to_thread(self._keys.load)
        current = await self._store.current_key()
        self._refuse_lost(current, keys)
        is_cut = len(keys) > 1 and bool(current)
        if not is_cut and (not keys or key_id(keys[0]) == current):
            keys = (new_key(), *keys)
            await asyncio.to_thread(self._keys.save, keys)
        await self._reseal(keys)
        await asyncio.to_thread(self._keys.save, keys[:1])
        return key_id(keys[0])

    async def _reseal(self, keys: Sequence[str]) -> None:
        """All rows with the first of these."""
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415 - imported when used

        ring = MultiFernet([Fernet(key) for key in keys])

        def turn(row: Sealed) -> str:
            try:
                return ring.rotate(row.words.encode()).decode()
            except InvalidToken:
                raise SecretsLocked(CHANGED.format(name=row.ref.name)) from None

        await self._store.reseal(key_id(keys[0]), turn, self._now())

    async def _seal(self, ref: SecretRef, value: str) -> Sealed:
        self._redactor.add(value)
        current = await self._store.current_key()
        lock = await self._lock_of(current)
        return Sealed(ref, lock.encrypt(value.encode()).decode(), current, self._now())

    async def _words(self, row: Sealed) -> str:
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - imported when used

        lock = await self._lock_of(row.key)
        try:
            return lock.decrypt(row.words.encode()).decode()
        except InvalidToken:
            raise SecretsLocked(CHANGED.format(name=row.ref.name)) from None

    async def _lock_of(self, current: str) -> Fernet:
        """Looked for in the file again when it is not known: somebody may have exchanged the keys."""
        if current not in self._open:
            keys = await asyncio.to_thread(self._keys.load)
            self._refuse_lost(current, keys)
            from cryptography.fernet import Fernet  # noqa: PLC0415 - imported when used

            self._open = {key_id(key): Fernet(key) for key in keys}
        return self._open[current]

    def _refuse_lost(self, current: str, keys: Sequence[str]) -> None:
        if current and current not in {key_id(key) for key in keys}:
            there = f"only {', '.join(map(key_id, keys))}" if keys else "none"
            raise SecretsLocked(
                f"The secrets are sealed with the key {current}, and there is {there} in {self._keys.place}. Nothing "
                f"is lost: put the right key back there (several may stand side by side). If it is gone for good, "
                "`patchbay secrets forget --all` drops the secrets, and they must be set again."
            )
