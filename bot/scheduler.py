"""APScheduler as the clock only: it ticks, and what is due is asked of the core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

log = structlog.get_logger()

TICK_SECONDS = 5
"""A digest comes at most so late."""

TIDY_HOURS = 24
FIRST_TIDY = timedelta(minutes=10)
"""After the start: a bot that is started every day is tidied, too."""


async def tick(due: Callable[[], Awaitable[int]], tidy: Callable[[], Awaitable[int]]) -> None:
    """Call `due` every few seconds, and `tidy` soon and then once a day, until cancelled; what fails waits its turn."""
    await asyncio.to_thread(__import__, "apscheduler.schedulers.asyncio")
    from apscheduler.schedulers.asyncio import AsyncIOScheduler  # noqa: PLC0415 - imported when used
    from apscheduler.triggers.interval import IntervalTrigger  # noqa: PLC0415

    async def once(call: Callable[[], Awaitable[int]]) -> None:
        try:
            await call()
        except Exception:  # a boundary: the clock goes on
            log.exception("clock.failed")

    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = AsyncIOScheduler(timezone="UTC")
    first = datetime.now(UTC) + FIRST_TIDY
    daily = IntervalTrigger(hours=TIDY_HOURS, start_date=first)
    for call, trigger in ((due, IntervalTrigger(seconds=TICK_SECONDS)), (tidy, daily)):
        scheduler.add_job(once, trigger, (call,), misfire_grace_time=None, coalesce=True)
    scheduler.start()
    try:
        await once(due)
        await asyncio.Event().wait()
    finally:
        scheduler.shutdown(wait=False)
