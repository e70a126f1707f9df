"""Logging, set up once: structlog, as text or JSON on standard error, with every secret blacked out at the root.

What libraries log through `logging` goes the same way, from WARNING on: below that they show addresses, and an
address of Telegram holds the token.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import stamina
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from adapters.damped import Damped
from bot.config.model import LogConfig
from core.ports import Redact

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

# A line that came from outside cannot look like two, nor move the cursor of who reads it.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
_CONTROL_BUT_LINES = {code: shown for code, shown in _CONTROL.items() if code not in {9, 10}}


def configure(config: LogConfig, redact: Redact) -> None:
    """Replaces whatever was set before."""
    level = _LEVELS[config.level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _one_line,
        structlog.processors.format_exc_info,
    ]
    renderer = _renderer(config)
    structlog.configure(
        processors=[*shared, renderer, _blacked_out(redact)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_StandardError,
        cache_logger_on_first_use=False,
    )
    _route_libraries(shared, renderer, redact, max(level, logging.WARNING))


def _route_libraries(shared: list[Processor], renderer: Processor, redact: Redact, level: int) -> None:
    handler = _LibraryHandler()
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        _RedactingFormatter(
            redact,
            foreign_pre_chain=[*shared[:2], structlog.stdlib.add_logger_name, *shared[2:]],
            processors=[remove, renderer],
        )
    )
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _LibraryHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=True)
    stamina.instrumentation.set_on_retry_hooks([])  # what a retry was for says so itself, once, when it is given up


def _renderer(config: LogConfig) -> Processor:
    if config.format == "json":
        return structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=plain)


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = value.translate(_CONTROL)
    return event


def _blacked_out(redact: Redact) -> Callable[[WrappedLogger, str, Any], str]:
    def last(_logger: WrappedLogger, _method: str, line: Any) -> str:  # noqa: ANN401 - what the renderer made
        return redact(_plain(str(line)))

    return last


def _plain(line: str) -> str:
    """A terminal keeps its colours; a file gets none, nor what a stranger's text would do to a terminal later."""
    return line if sys.stderr.isatty() else line.translate(_CONTROL_BUT_LINES)


class _StandardError:
    """Writes to what standard error is at that moment."""

    def __init__(self, *_name: object) -> None:
        pass

    def msg(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is where logs go

    log = debug = info = warn = warning = error = critical = fatal = exception = msg


class _LibraryHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.addFilter(Damped())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)  # noqa: T201
        except Exception:  # noqa: BLE001 - a log line that cannot be written must not end what it tells of
            self.handleError(record)


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def __init__(self, redact: Redact, **more: Any) -> None:  # noqa: ANN401 - the base class's own
        super().__init__(**more)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(_plain(super().format(record)))


_CHATTY = ("aiohttp.access", "httpx", "httpx2", "telegram", "slack_sdk", "slack_bolt", "apscheduler", "tortoise")
"""Some set a level of their own; theirs is ours."""
