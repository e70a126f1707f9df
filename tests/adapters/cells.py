"""A data folder with a worktree, and commands run in it by the real sandbox, or without one of its layers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox import Bubblewrap, SandboxConfig, _programs, choose
from adapters.system import Ended, ProcessEndedError, run
from core.model.errors import SandboxError
from core.ports import Access, Wrapped

SECONDS = 60.0


@cache
def program() -> Path:
    """The bubblewrap that holds on this machine; the test is skipped where none does."""

    async def look() -> Path:
        for path in _programs():
            if (await Bubblewrap(path, []).probe()).is_usable:
                return path
        raise SandboxError("none")

    try:
        with ThreadPoolExecutor(1) as thread:  # where no loop runs yet
            return thread.submit(lambda: asyncio.run(look())).result()
    except SandboxError as error:
        pytest.skip(f"no sandbox works on this machine: {error}")


class Cell:
    """`without` names layers that are left out, to see that they are what holds."""

    def __init__(self, folder: Path, *, without: Collection[str] = (), **limits: Any) -> None:
        self.data = folder / "data"
        self.run = self.data / "runs" / "one"
        self.tree = self.run / "tree"
        self.tree.mkdir(parents=True, exist_ok=True)
        self.config = SandboxConfig(**limits)
        self.sandbox = Bubblewrap(program(), [self.data], config=self.config, without=frozenset(without))

    def wrap(self, *argv: str, access: Access = Access.WRITE, **rest: Any) -> Wrapped:
        return self.sandbox.wrap(argv, str(self.tree), access, rest.pop("environment", {}), **rest)

    async def sh(self, script: str, seconds: float = SECONDS, **rest: Any) -> Ended:
        wrapped = self.wrap("bash", "-c", script, **rest)
        return await run(
            wrapped.argv,
            environment=wrapped.environment,
            seconds=seconds,
            merge=True,
            limit=1_000_000,
            watch=wrapped.watch,
        )

    async def python(self, script: str, *words: str, **rest: Any) -> Ended:
        wrapped = self.wrap(sys.executable, "-I", "-S", "-c", script, *words, **rest)
        return await run(
            wrapped.argv, environment=wrapped.environment, seconds=SECONDS, merge=True, watch=wrapped.watch
        )

    async def killed(self, script: str, seconds: float = SECONDS) -> str:
        """Why it was ended."""
        with pytest.raises(ProcessEndedError) as caught:
            await self.sh(script, seconds)
        return str(caught.value)


async def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what other processes do sets no event
            await asyncio.sleep(0.02)


def command_lines() -> Mapping[int, str]:
    """Of every process of this machine that can be seen, by its number."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def alive(mark: str) -> list[int]:
    """Processes that have it among their words, but those that are gone and only not yet cleared away."""
    return [number for number, words in command_lines().items() if mark in words]


__all__ = ["Cell", "alive", "choose", "command_lines", "program", "until"]
