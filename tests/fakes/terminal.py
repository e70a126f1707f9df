"""A person at a real pseudo-terminal, for programs that look whether they have one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

SECONDS = 80.0
_TAKE_SEAT = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Only the terminal that a session belongs to turns Ctrl-C into a signal."""
_WHERE = b"\x1b[6n"
"""Asks a terminal in which row the cursor is; one that does not answer gets no bar at the bottom."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b\][^\x07]*\x07|\x1b[=>78]")


class Terminal:
    """`screen` is everything that was ever shown, without the escapes."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
        known = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_SEAT, *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env=known,
            start_new_session=True,
        )
        os.close(theirs)
        self._seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._mine)

    @property
    def screen(self) -> str:
        return _ESCAPES.sub("", self._seen.decode(errors="replace")).replace("\r", "")

    def type(self, text: str) -> None:
        os.write(self._mine, text.encode())

    def line(self, text: str) -> None:
        self.type(text + "\r")

    def wait_for(self, words: str, times: int = 1) -> str:
        """AssertionError shows the screen."""
        until = time.monotonic() + SECONDS
        while self.screen.count(words) < times:
            assert time.monotonic() < until, f"{words!r} did not come:\n{self.screen}"
            assert self._read() or self.screen.count(words) >= times, f"it ended without {words!r}:\n{self.screen}"
        return self.screen

    def ends(self) -> int:
        """The exit code, when all it wrote has been read."""
        until = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < until, f"it did not end:\n{self.screen}"
        return self._process.wait(timeout=SECONDS)

    def _read(self) -> bool:
        """False: the other end is closed."""
        if not select.select([self._mine], [], [], 0.1)[0]:
            return True
        try:
            piece = os.read(self._mine, 65_536)
        except OSError:  # Linux says EIO when the last writer is gone
            return False
        for _ in range(piece.count(_WHERE)):
            os.write(self._mine, b"\x1b[5;1R")
        self._seen += piece
        return bool(piece)
