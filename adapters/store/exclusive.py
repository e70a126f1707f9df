"""One process for each database: a lock that dies with the process that holds it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.model.errors import StoreBusy, StoreError

if TYPE_CHECKING:
    import asyncpg  # type: ignore[import-untyped]

CONNECT_SECONDS = 10.0
POLL_SECONDS = 0.1
LOCK_NAME = "patchbay.lock"
_ADVISORY_KEY = 0x7061746368626179
"""`patchbay` in ASCII; advisory locks are numbers, and count within one database."""
_KEEPALIVE = {"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""So that the server notices a host that has vanished, and frees its lock."""


class Exclusive(Protocol):
    async def take(self, seconds: float = 0.0) -> None:
        """StoreBusy: another process still has it after so many seconds."""

    async def ensure(self) -> None:
        """It is still ours, or ours again. StoreBusy: it was lost to another process."""

    async def release(self) -> None: ...


class FileLock:
    """flock on a file beside the database. A child process does not inherit it."""

    def __init__(self, data: Path) -> None:
        self._path = data / LOCK_NAME
        self._file: int | None = None

    async def take(self, seconds: float = 0.0) -> None:
        file = await asyncio.to_thread(os.open, self._path, os.O_RDWR | os.O_CREAT, 0o600)
        while not _lock(file):
            if seconds <= 0:
                holder = os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
                os.close(file)
                raise StoreBusy(
                    f"Another Patchbay (process {holder}) uses {self._path.parent}. "
                    "Stop it first, or give this one a data folder of its own."
                )
            await asyncio.sleep(POLL_SECONDS)
            seconds -= POLL_SECONDS
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    async def ensure(self) -> None:
        """The kernel keeps it for as long as we live."""

    async def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class AdvisoryLock:
    """A session's advisory lock, on a connection of its own. A transaction pooler would break it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None

    async def take(self, seconds: float = 0.0) -> None:
        import asyncpg  # noqa: PLC0415 - imported when used

        try:
            connection = await asyncpg.connect(
                self._url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS, server_settings=_KEEPALIVE
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StoreError(f"No connection to PostgreSQL: {error}. Check database.url and the server.") from error
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _ADVISORY_KEY):
            if seconds <= 0:
                await connection.close()
                raise StoreBusy(
                    "Another Patchbay uses this PostgreSQL database. "
                    "Stop it first, or give this one a database of its own."
                )
            await asyncio.sleep(POLL_SECONDS)
            seconds -= POLL_SECONDS
        self._connection = connection

    async def ensure(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            await self.take()

    async def release(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=CONNECT_SECONDS)
        self._connection = None


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
