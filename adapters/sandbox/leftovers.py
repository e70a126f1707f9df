"""Sandboxed processes that outlived their bot: it was killed before they could learn whose death to die with.

bubblewrap asks the kernel to end it with its parent, a moment after it was started; a parent that dies before that is
not noticed, and an agent's command would go on writing beside the run that is taken up again.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

PROCESSES = Path("/proc")
GONE_SECONDS = 2.0
"""The kernel takes a while to clear a killed process away, with everything inside its sandbox."""


def end_leftovers(data: Path) -> int:
    """End every bubblewrap that works in this data folder; how many there were. Only for its one owner, before any
    agent runs: whatever is found then belongs to a bot that is gone.
    """
    mark = str(data.absolute()).encode() + b"/"
    found = [each for each in _processes() if _is_ours(each, mark)]
    for number in found:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(number, signal.SIGKILL)
    until = time.monotonic() + GONE_SECONDS
    while any(_is_ours(each, mark) for each in found) and time.monotonic() < until:
        time.sleep(0.005)
    return len(found)


def _processes() -> list[int]:
    """None where there is no /proc: bubblewrap runs on Linux alone."""
    if not PROCESSES.is_dir():
        return []
    return [int(each.name) for each in PROCESSES.iterdir() if each.name.isdecimal()]


def _is_ours(number: int, mark: bytes) -> bool:
    try:
        words = (PROCESSES / str(number) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    is_bubblewrap = words[0].rpartition(b"/")[2] == b"bwrap"
    return is_bubblewrap and any(each.startswith(mark) for each in words)
