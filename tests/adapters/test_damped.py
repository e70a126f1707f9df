"""What a library says again and again is told once a minute, and how often it was held back."""

from __future__ import annotations

import logging

from adapters.damped import MOST_PLACES, SECONDS, Damped


class Told(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.lines: list[str] = []
        self.addFilter(Damped(lambda: self.now))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def said(told: Told, text: str, *args: object, line: int = 1, level: int = logging.WARNING) -> None:
    told.handle(logging.LogRecord("pool", level, "pool.py", line, text, args, None))


def test_the_same_place_is_told_once_a_minute_with_its_count() -> None:
    told = Told()

    for number in range(10):
        said(told, "cannot connect: %d", number)
    told.now = SECONDS - 1
    said(told, "cannot connect: %d", 10)
    told.now = SECONDS
    said(told, "cannot connect: %d", 11)
    told.now = 2 * SECONDS
    said(told, "cannot connect: %d", 12)

    assert told.lines == [
        "cannot connect: 0",
        "cannot connect: 11 (and 10 times more since it was last told)",
        "cannot connect: 12",
    ]


def test_another_place_and_every_error_are_told() -> None:
    told = Told()

    said(told, "a")
    said(told, "b", line=2)
    said(told, "c", level=logging.ERROR)
    said(told, "d", level=logging.ERROR)

    assert told.lines == ["a", "b", "c", "d"]


def test_what_it_remembers_is_bounded() -> None:
    told = Told()

    for line in range(MOST_PLACES + 1):
        said(told, "x", line=line)
        said(told, "x", line=line)

    assert len(told.lines) == MOST_PLACES + 1
