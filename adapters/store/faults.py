"""What a database error means: worth another try, an outage, or one job's own mistake; and what a person reads."""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

from tortoise.exceptions import BaseORMException

from core.model.errors import StoreBusy, StoreError

# https://www.sqlite.org/rescode.html, the primary codes
_BUSY = frozenset({5, 6})
_OUTAGE = frozenset({7, 8, 10, 11, 13, 14, 26})
_PRIMARY_CODE = 0xFF


class InDoubtError(Exception):
    """The commit itself failed: what was written may stand or not."""


def origin(error: BaseException) -> BaseException:
    """What the driver said, out of what Tortoise or we have wrapped it in."""
    while isinstance(error, (BaseORMException, InDoubtError, StoreError)):
        inner = next((each for each in error.args if isinstance(each, BaseException)), error.__cause__)
        if inner is None:
            return error
        error = inner
    return error


def is_passing(error: BaseException) -> bool:
    """Nothing was committed, and it may work in a moment: the file is locked, or the connection broke."""
    if isinstance(error, InDoubtError):
        return False
    error = origin(error)
    if isinstance(error, sqlite3.Error):
        return _code(error) in _BUSY
    return isinstance(error, (ConnectionError, TimeoutError, *_broken()))


def is_outage(error: BaseException) -> bool:
    """Whatever else is tried now would fail as well."""
    if isinstance(error, (InDoubtError, StoreError, StoreBusy)) or is_passing(error):
        return True
    error = origin(error)
    if isinstance(error, sqlite3.Error):
        return _code(error) in _OUTAGE
    return isinstance(error, (OSError, *_exhausted()))


def told(error: Exception) -> Exception:
    """What the caller gets: a database error in our words, everything else as it is."""
    kinds: tuple[type[BaseException], ...] = (
        BaseORMException,
        InDoubtError,
        sqlite3.Error,
        OSError,
        *_broken(),
        *_refused(),
    )
    return as_store_error(error) if isinstance(error, kinds) else error


def as_store_error(error: BaseException) -> StoreError:
    if isinstance(error, StoreError):
        return error
    cause = origin(error)
    text = f"The database cannot be used just now: {cause or type(cause).__name__}."
    return StoreError(f"{text} {_advice(cause)} Nothing that was acknowledged is lost.")


def _advice(cause: BaseException) -> str:
    code = _code(cause) if isinstance(cause, sqlite3.Error) else None
    if code == 13 or isinstance(cause, _exhausted()):
        return "Make room on its disk; it goes on by itself."
    if code in _BUSY:
        return "Another program keeps it locked; end that program."
    if code in {8, 14}:
        return "Make the data folder writable for the bot; it goes on by itself."
    if code in {10, 11, 26}:
        return "Check the disk, and restore the last backup if the file is damaged."
    if isinstance(cause, (OSError, *_broken())):
        return "Check that the server is up and reachable; it goes on by itself."
    return "The log has the details."


def _code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY_CODE


def _broken() -> tuple[type[BaseException], ...]:
    asyncpg = _asyncpg()
    if asyncpg is None:
        return ()
    return (
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # a connection that is asked while it takes in that the server ends it
        asyncpg.exceptions.OperatorInterventionError,
        asyncpg.TooManyConnectionsError,
        asyncpg.DeadlockDetectedError,
    )


def _refused() -> tuple[type[BaseException], ...]:
    asyncpg = _asyncpg()
    return () if asyncpg is None else (asyncpg.PostgresError,)


def _exhausted() -> tuple[type[BaseException], ...]:
    asyncpg = _asyncpg()
    return () if asyncpg is None else (asyncpg.exceptions.InsufficientResourcesError,)


def _asyncpg() -> Any:  # noqa: ANN401 - a module without types
    """Only when PostgreSQL is in use; its import is not free."""
    return sys.modules.get("asyncpg")
