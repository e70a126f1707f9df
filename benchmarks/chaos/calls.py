"""Ends a life at a system call: strace watches it, and puts SIGKILL in the place of the call."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from benchmarks.chaos.points import Aim

ATTACH_SECONDS = 10.0
LOOK_SECONDS = 0.003


async def trace(pid: int, aim: Aim) -> None:
    """The life stands still until it is watched. Its children are let go: it is the bot that is to die."""
    process = await asyncio.create_subprocess_exec(
        "strace",
        *("-f", "-qq", "-b", "execve", "-o", os.devnull, "-e", f"trace={aim.call}"),
        *("-e", f"inject={aim.call}:signal=KILL:when={aim.nth}", "-p", str(pid)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    _ENDING.add(ending := asyncio.create_task(process.wait()))  # it ends with the life that it watches
    ending.add_done_callback(_ENDING.discard)
    async with asyncio.timeout(ATTACH_SECONDS):
        while not (_is_watched(pid) and _is_stopped(pid)):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(LOOK_SECONDS)
    os.kill(pid, signal.SIGCONT)


_ENDING: set[asyncio.Task[int]] = set()


def _is_watched(pid: int) -> bool:
    return "TracerPid:\t0" not in _status(pid)


def _is_stopped(pid: int) -> bool:
    return "State:\tt" in _status(pid).replace("State:\tT", "State:\tt")


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()
