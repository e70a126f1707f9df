"""`patchbay inbox`: what was said and could not be handled, so that a person may look at it, replay it or drop it."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from adapters.secrets import Redactor
from bot.config import Config
from core.model.errors import NotFound, StoreBusy
from core.ports import Aside, Store

SHOWN_CHARS = 4000
"""Of the content of one delivery."""

_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")
"""What a stranger sent must not steer the terminal, nor break its line."""


async def told(config: Config, *, with_content: bool) -> str:
    """What is set aside, a line each. Its content may be private: it is told only where that is asked for."""
    async with _opened(config) as store:
        asides = await store.asides()
    if not asides:
        return "Nothing is set aside."
    redact = Redactor(config.secrets())
    return "\n".join(redact(_line(each, with_content=with_content)) for each in asides)


async def replay(config: Config, keys: Sequence[str]) -> str:
    async with _opened(config) as store:
        for key in keys:
            _known(key, is_known=await store.replay(key))
    return f"{_count(keys)} handled at the next start of the bot."


async def drop(config: Config, keys: Sequence[str]) -> str:
    async with _opened(config) as store:
        for key in keys:
            _known(key, is_known=await store.drop(key))
    return f"{_count(keys)} not handled any more, and the content is forgotten."


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Store]:
    from adapters.store import DatabaseStore  # noqa: PLC0415 - imported when used

    store = DatabaseStore(config.database_url, config.data)
    try:
        await store.open()
    except StoreBusy as error:
        raise StoreBusy(
            f"{error}\nThe inbox belongs to the bot that runs: stop the bot, do this, and start it again."
        ) from error
    try:
        yield store
    finally:
        await store.close()


def _line(aside: Aside, *, with_content: bool) -> str:
    """An error may quote what was said: without content only its kind is told."""
    kind = re.match(r"\w*", aside.error)
    error = aside.error if with_content or kind is None else kind[0]
    said = (
        shlex.quote(aside.arrival.key),
        aside.arrival.delivery.platform,
        f"{aside.came_at:%Y-%m-%d %H:%M:%S} UTC",
        f"{aside.tries} tries",
        error,
    )
    line = "  ".join(_UNSHOWN.sub(" ", each) for each in said)
    if not with_content:
        return line
    content = aside.arrival.delivery.raw[: 4 * SHOWN_CHARS].decode(errors="replace")
    return f"{line}\n    {_UNSHOWN.sub(' ', content)[:SHOWN_CHARS]}"


def _known(key: str, *, is_known: bool) -> None:
    if not is_known:
        raise NotFound(f"Nothing is set aside under {shlex.quote(key)}. `patchbay inbox list` shows what is.")


def _count(keys: Sequence[str]) -> str:
    return "One delivery is" if len(keys) == 1 else f"{len(keys)} deliveries are"
