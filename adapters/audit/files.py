"""Checkpoints in a file: one JSON object a line, only ever added to."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from core.model.audit import Checkpoint
from core.model.codec import from_json, to_json
from core.model.errors import BotError


class CheckpointFile:
    """With a thread of its own: the loop's others end with the engine, and the last checkpoint comes after."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")

    async def keep(self, checkpoint: Checkpoint) -> None:
        """On the disk when this returns. BotError."""
        line = json.dumps(to_json(checkpoint))
        await asyncio.get_running_loop().run_in_executor(self._thread, self._append, line)

    def _append(self, line: str) -> None:
        try:
            with open(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:  # noqa: PTH123
                file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BotError(f"The checkpoint could not be written: {self._path}: {error.strerror}.") from error


def read_checkpoints(path: Path) -> list[Checkpoint]:
    """A line that a crash has cut is left out. BotError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BotError(f"{path}: {error.strerror}") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(from_json(Checkpoint, json.loads(line)))
        except (ValueError, TypeError, KeyError):
            if number < len(lines):
                raise BotError(f"{path}: line {number} is no checkpoint.") from None
    return found
