"""What a step keeps: its result or its BotError, as JSON that reads the same on the first run and later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import structlog

from core.model import errors
from core.model.codec import Json, from_json, to_json
from core.model.errors import BotError, StoreError

T = TypeVar("T")

log = structlog.get_logger()

RETRY_SECONDS = 300.0
"""How long a step is tried again while the database is away; a restart of PostgreSQL takes seconds."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Seconds between two tries; each pause doubles."""

_IN_STEP: ContextVar[bool] = ContextVar("in_step", default=False)


def is_leaving() -> bool:
    """The engine has cancelled this flow to leave it for the next start, whatever the code made of the cancellation."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def refuse_in_step(act: str) -> None:
    """A step is one act: what is kept of it is its result, so nothing durable may begin inside it."""
    if _IN_STEP.get():
        raise RuntimeError(f"{act} inside a step: return from the step first")


async def keep(call: Callable[..., Awaitable[Any]], args: Sequence[Any]) -> Json:
    """Run the call and write down how it ended. CancelledError when the engine leaves: then nothing may be kept."""
    token = _IN_STEP.set(True)
    try:
        kept = await _ending(call, args)
    except asyncio.CancelledError:
        if is_leaving():
            raise
        # Kept open, the flow would hang until the next start; broken it is seen.
        raise RuntimeError("the call of a step was cancelled, and not by the engine") from None
    except Exception:
        if is_leaving():
            raise asyncio.CancelledError from None
        raise
    finally:
        _IN_STEP.reset(token)
    if is_leaving():
        raise asyncio.CancelledError
    return kept


def read_kept(returns: type[T], kept: Json) -> T:
    """The result of a step, or its BotError raised again."""
    ending = cast("dict[str, Json]", kept)
    if "error" in ending:
        raise _read_error(cast("dict[str, Any]", ending["error"]))
    return from_json(returns, ending["value"])


def is_database_error(error: Exception) -> bool:
    """The database is away, locked or restarting: tried again later, the same call may well succeed.

    asyncpg lets ConnectionResetError through as it is. The libraries are told by name, so as not to import them.
    """
    if isinstance(error, (StoreError, ConnectionResetError)):
        return True
    return any((each.__module__.partition(".")[0], each.__name__) in _DATABASE_ERRORS for each in type(error).__mro__)


async def _ending(call: Callable[..., Awaitable[Any]], args: Sequence[Any]) -> Json:
    try:
        value = await _patiently(call, args)
    except BotError as error:
        return {"error": _write_error(error)}
    return {"value": to_json(value)}


async def _patiently(call: Callable[..., Awaitable[Any]], args: Sequence[Any]) -> object:
    """Not by stamina, which on the first retry imports a metrics library in the loop."""
    loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
    until = loop.time() + RETRY_SECONDS
    while True:
        try:
            return await call(*args)
        except Exception as error:
            if not is_database_error(error) or loop.time() > until:
                raise
            log.warning("engine.database_away", error=repr(error), pause=pause)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, LONGEST_PAUSE)


def _write_error(error: BotError) -> Json:
    """An adapter's own subclass is kept as the class of our tree that it stands under."""
    kind = next(each for each in type(error).__mro__ if each.__module__ == errors.__name__)
    return {"kind": kind.__name__, "text": str(error), "fields": to_json(error.__dict__)}


def _read_error(kept: dict[str, Any]) -> BotError:
    """Made without its constructor, whose arguments differ: text and fields are all there is to it."""
    kind: type[BotError] = getattr(errors, kept["kind"], BotError)
    error = kind.__new__(kind, kept["text"])
    error.args = (kept["text"],)
    error.__dict__.update(kept["fields"])
    return error


_DATABASE_ERRORS = {
    ("sqlite3", "OperationalError"),
    ("asyncpg", "InterfaceError"),
    ("asyncpg", "PostgresConnectionError"),
    ("asyncpg", "OperatorInterventionError"),
    ("tortoise", "OperationalError"),
    ("tortoise", "DBConnectionError"),
}
