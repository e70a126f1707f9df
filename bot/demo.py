"""`patchbay demo`: the whole bot in one folder, with a scratch project, in this terminal or over standard input.

Nothing is pretended: the same wiring, on the embedded default, with the console as its one platform.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from adapters.chat.console.config import ConsoleConfig
from adapters.chat.console.inbound import thread
from adapters.chat.console.platform import Console
from adapters.chat.console.screen import JsonScreen, PlainScreen, Screen
from adapters.forges import LocalConfig
from adapters.sandbox import SandboxConfig
from adapters.sandbox import choose as choose_sandbox
from bot.config import Config, HttpConfig, LogConfig, SecretsConfig
from bot.config.load import AUDIT_KEY_FILE, CHECKPOINTS, KEY_FILE
from bot.config.model import AuditConfig
from bot.demo_agent import FirstAgent, choose
from bot.demo_project import FOLDER, TASK, make, recipes
from bot.loop import run as run_loop
from core.model.chat import Cause
from core.model.errors import BotError, SandboxError
from core.model.work import Project, ProjectKey, RepoRef, Run, RunState
from core.ports import Forge, Store

if TYPE_CHECKING:  # the heavy part
    from bot.app import App

DEFAULT_FOLDER = Path("patchbay-demo")
SANDBOX = "PATCHBAY_SANDBOX"
STOPPED = 130
"""As a shell says it of what was ended by Ctrl-C."""
KEY = ProjectKey("DEMO")
MANY_RUNS = 1_000_000

LOOK_SECONDS = 0.05
CALM_LOOKS = 3
"""So many looks in a row must find nothing under way: between two steps it may seem so for a moment."""
WAITING_LOOKS = 30
"""The same, while a run waits for a person: what it was just told may still be on its way to it."""

ROOM = thread("").room


def run(data: Path | None, *, batch: bool, as_json: bool, wait: bool) -> int:
    """The exit code. `data` None: `./patchbay-demo`. Without a terminal, or as JSON, it is batch mode."""
    is_batch = batch or as_json or not (sys.stdin.isatty() and sys.stdout.isatty())
    folder = (data or DEFAULT_FOLDER).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return run_loop(_batch(folder, as_json=as_json, wait=wait) if is_batch else _talk(folder))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return STOPPED
    except (BotError, OSError, RuntimeError) as error:
        hint = f"\nFor the demo: {SANDBOX}=off patchbay demo" if isinstance(error, SandboxError) else ""
        print(f"patchbay demo: {error}{hint}", file=sys.stderr)  # noqa: T201 - this is a command line
        return 2


async def _talk(folder: Path) -> int:
    """In the terminal, until the person leaves."""
    ended = asyncio.Event()
    first = await choose(os.environ)
    print(banner(folder, first), flush=True)  # noqa: T201 - this is a command line

    async def main(app: App) -> int:
        del app  # the person does the rest
        await ended.wait()
        return 0

    with _on_signals(ended.set, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        return await _with_bot(folder, first, None, ended.set, main)


async def _batch(folder: Path, *, as_json: bool, wait: bool) -> int:
    """Line by line; 0 only when every run that was started COMPLETED."""
    first = await choose(os.environ)
    print(banner(folder, first), file=sys.stderr, flush=True)  # noqa: T201 - this is a command line

    async def main(app: App) -> int:
        before = {run.id for run in await app.store.runs_of(ROOM, MANY_RUNS)}
        console = app.platforms["console"]
        assert isinstance(console, Console)
        await feed(app.store, console, _lines(), wait=wait)
        started = [run for run in await app.store.runs_of(ROOM, MANY_RUNS) if run.id not in before]
        return 0 if all(each.state is RunState.COMPLETED for each in started) else 1

    task = asyncio.current_task()
    assert task is not None
    with _on_signals(task.cancel, signal.SIGINT, signal.SIGTERM):
        return await _with_bot(folder, first, JsonScreen() if as_json else PlainScreen(), None, main)


async def _with_bot(
    folder: Path,
    first: FirstAgent,
    screen: Screen | None,
    on_end: Callable[[], None] | None,
    main: Callable[[App], Awaitable[int]],
) -> int:
    """The bot runs, and has its project, while `main` does."""
    # The heavy part, when the banner is on the screen already.
    from adapters.secrets import Redactor  # noqa: PLC0415
    from bot.log import configure  # noqa: PLC0415
    from bot.tables import command_words  # noqa: PLC0415
    from bot.wiring import build, hidden  # noqa: PLC0415

    settings = config(folder, first)
    redactor = Redactor(settings.secrets())
    configure(settings.log, redactor)
    sandbox = await choose_sandbox(settings.sandbox, hidden(settings))
    console = Console(ConsoleConfig(), command_words(), folder, screen=screen, on_end=on_end)
    app = build(settings, sandbox, platforms={console.name: console}, redactor=redactor)

    async def with_project() -> int:
        await ensure_project(app.store, app.desk.forges["local"], await make(folder / FOLDER))
        return await main(app)

    return await app.run(with_project)


async def feed(store: Store, console: Console, lines: AsyncIterator[str], *, wait: bool) -> None:
    """Say each line, and wait for what it sets going; at the end in any case."""
    async for line in lines:
        if not await console.say(line):
            break
        if wait:
            await until_calm(store)
    await until_calm(store)


async def until_calm(store: Store) -> None:
    """What was said is handled, what it started is over or waits for a person, and all of it has been shown."""
    calm = 0
    while True:
        runs = await store.open_runs()
        calm = calm + 1 if await _is_calm(store, runs) else 0
        if calm >= (WAITING_LOOKS if runs else CALM_LOOKS):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _is_calm(store: Store, runs: Sequence[Run]) -> bool:
    """A run that has not begun may be in line behind one that waits for a person; then nothing moves by itself."""
    still = {RunState.WAITING}
    if any(run.state is RunState.WAITING for run in runs):
        still.add(RunState.PENDING)
    if any(run.state not in still for run in runs):
        return False
    return not await store.unsettled() and not await store.unsent()


def banner(folder: Path, first: FirstAgent) -> str:
    """Three lines: what this is, what to type, and who does the work."""
    title, agent = (TASK, "") if first.can_think else ("Tidy the code", f" {first.name}")
    return (
        f"Patchbay demo in {folder}: project {KEY} is untidy, and one of its tests fails.\n"
        f"Type  /link {KEY}  then  /create_task {KEY} {title}  then  /execute {KEY}-1{agent}  then  /pr\n"
        f"The agent is {first.about}. /help says more, Ctrl-C stops."
    )


def config(folder: Path, first: FirstAgent) -> Config:
    thinking: dict[str, BaseModel] = {} if first.config is None else {first.name: first.config}
    sandbox = SandboxConfig(mode="off" if os.environ.get(SANDBOX) == "off" else "auto")
    return Config(
        data=folder,
        sandbox=sandbox,
        default_agent=first.name,
        http=HttpConfig(port=0),
        log=LogConfig(level="error"),
        platforms={"console": ConsoleConfig()},
        forges={"local": LocalConfig()},
        agents={**thinking, **recipes()},
        vault=SecretsConfig(key_file=folder / KEY_FILE),
        audit=AuditConfig(checkpoints=folder / CHECKPOINTS, key_file=folder / AUDIT_KEY_FILE),
    )


async def ensure_project(store: Store, forge: Forge, repository: Path) -> None:
    """The project DEMO on the scratch repository; one that the person put elsewhere is left as it is."""
    wanted = Project(KEY, "Demo: an inventory", RepoRef("local", str(repository)))
    standing = await store.project(KEY)
    if standing is None:
        wanted = replace(wanted, base=await forge.ensure(wanted))
        await store.add_project(wanted, Cause("demo:project"))
    elif standing.repo.forge == "local" and _has_moved(standing, repository):
        await store.put_project(replace(standing, repo=wanted.repo))


def _has_moved(standing: Project, repository: Path) -> bool:
    """The folder was renamed: the same repository is now elsewhere."""
    before = Path(standing.repo.path)
    return before.name == repository.name and before != repository and not before.exists()


@contextmanager
def _on_signals(act: Callable[[], object], *numbers: signal.Signals) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _lines() -> AsyncIterator[str]:
    """Standard input, read in a thread of its own that does not hold up the end of the program."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        with suppress(RuntimeError):  # the loop is over before its input is
            for line in sys.stdin.buffer:
                loop.call_soon_threadsafe(queue.put_nowait, line.decode("utf-8", "replace").rstrip("\r\n"))
            loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, daemon=True, name="stdin").start()
    while (line := await queue.get()) is not None:
        yield line
