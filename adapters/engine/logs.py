"""DBOS's own words, at their place among ours."""

from __future__ import annotations

import logging

import structlog

from adapters.damped import Damped

log = structlog.get_logger()


class _ToStructlog(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.addFilter(Damped())

    def emit(self, record: logging.LogRecord) -> None:
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(
            "engine.said",
            text=record.getMessage(),
            flow=getattr(record, "operationUUID", None),
            exc_info=record.exc_info or None,
        )


def quiet(logger: logging.Logger) -> None:
    """A handler of ours, before DBOS makes one that writes to the terminal."""
    logger.propagate = False
    if not any(isinstance(each, _ToStructlog) for each in logger.handlers):
        logger.addHandler(_ToStructlog())
