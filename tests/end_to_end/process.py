"""`patchbay run` as a process of its own: started, killed and stopped as an operating system does it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 40.0
LOOK_SECONDS = 0.02

KEPT = ("PATH", "COVERAGE", "COV_", "LANG", "LC_", "VIRTUAL_ENV", "TMPDIR")
"""Of the environment: without what would configure the bot."""


class BotProcess:
    """`folder` keeps everything of it: `config.yaml`, the data, and `log`, to which each life appends."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.path = folder / "config.yaml"
        self.log_path = folder / "log"
        self.config = {"data": str(self.data), **config}
        self.program: tuple[str, ...] = ("-m", "bot")
        """What Python is told to run."""
        self.process: asyncio.subprocess.Process | None = None
        self.environment: dict[str, str] = {}
        """More of it for the process."""
        self._began = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.returncode is None:
            await self.stop() if error is None else await self.kill()
        if error is not None:
            print(self.log[-6000:])  # noqa: T201 - a test that fails shows what the bot logged

    @property
    def log(self) -> str:
        """Of all its lives."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Until it is ready: every platform heard, the engine at work."""
        await self.launch()
        wanted = [f"platform={name}" for name in ("telegram", "slack") if name in self.config]
        async with asyncio.timeout(START_SECONDS):
            while True:
                life = self.log[self._began :]
                if "engine.ready" in life and all(each in life for each in wanted):
                    return
                assert self.process is not None
                assert self.process.returncode is None, f"it ended with {self.process.returncode}:\n{life}"
                await asyncio.sleep(LOOK_SECONDS)

    async def launch(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.write_text(yaml.safe_dump(self.config, allow_unicode=True))
        self._began = len(self.log)
        environment = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        with self.log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.program,
                "run",
                "--config",
                str(self.path),
                cwd=self.folder,
                env={**environment, "PYTHONPATH": str(ROOT), "HOME": str(self.folder), **self.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def ended(self, seconds: float = STOP_SECONDS) -> int:
        """Its exit code."""
        assert self.process is not None
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, as a service manager does it."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.terminate()
        return await self.ended()

    def shoot(self) -> None:
        """SIGKILL, to it alone: what it started must notice by itself."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def kill(self) -> None:
        self.shoot()
        await self.ended()

    async def restart(self) -> None:
        await self.kill()
        await self.start()
