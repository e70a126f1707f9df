"""The running bot: the one TaskGroup, the order of start and stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from adapters.secrets import Redactor
from adapters.secrets.vault import Vault
from bot.config import Config
from bot.health import Health, beat
from bot.http import serve
from bot.loop import run as run_loop
from bot.scheduler import tick
from core.audit.checkpoints import Checkpoints
from core.budgets.budgets import Budgets
from core.commands import Desk
from core.inbox import Inbox
from core.model.errors import ChatError, SandboxError, SecretsLocked
from core.owners import Owners
from core.ports import (
    ChatPlatform,
    Clock,
    Closing,
    Engine,
    FlowFunction,
    Gateway,
    NewsSource,
    Sandbox,
    Store,
    Tracer,
    Webhooked,
)
from core.posts import Posts
from core.runs.live import Live
from core.runs.restarts import Restarts
from core.signs import Signs
from core.tidying import Tidying
from core.watch import Watch

log = structlog.get_logger()

RECONNECT_SECONDS = (1.0, 2.0, 5.0, 15.0, 60.0)
QUIET_SECONDS = 5.0
"""How long a stop waits for what is being handled and said; what is left is taken up at the next start."""

SWITCH_SECONDS = 0.0005
"""How long the engine's threads, which poll, may keep the loop from going on; Python's own is ten times that."""


@dataclass(frozen=True, slots=True)
class App:
    """`run` is the whole life; `main` decides how long it lasts."""

    config: Config
    store: Store
    engine: Engine
    platforms: Mapping[str, ChatPlatform]
    sources: Sequence[NewsSource]
    inbox: Inbox
    posts: Posts
    live: Live
    signs: Signs
    desk: Desk
    flows: Mapping[str, FlowFunction]
    clock: Clock
    health: Health
    owners: Owners
    watch: Watch
    restarts: Restarts
    tidying: Tidying
    tracer: Tracer
    gateway: Gateway
    budgets: Budgets
    vault: Vault
    checkpoints: Checkpoints

    async def run(self, main: Callable[[], Awaitable[int]]) -> int:
        """Start, await `main`, drain, stop; its result. BotError when it cannot start."""
        make_folder(self.config.data)
        await self.store.open()
        try:
            await self._end_leftovers()
            await self._open_vault()
            await self.budgets.open()
            await self.gateway.open()
            await self.inbox.remind()
            await self.restarts.take_stock()
            return await self._run(main)
        finally:
            await self.gateway.close()
            await self.signs.close()
            for platform in self.platforms.values():
                await platform.close()
            for forge in self.desk.forges.values():
                if isinstance(forge, Closing):
                    await forge.close()
            await self.store.close()
            if isinstance(self.tracer, Closing):
                await self.tracer.close()

    async def _open_vault(self) -> None:
        """Without its key the bot works on, and says so: what is sealed can be opened when the key is back."""
        try:
            count = await self.vault.open()
        except SecretsLocked as error:
            log.error("secrets.locked", reason=str(error))  # noqa: TRY400 - its text says what to do
        else:
            log.info("secrets.open", count=count)

    async def _end_leftovers(self) -> None:
        """Once the store is ours: what an earlier life left running must not write beside what is taken up again."""
        from adapters.sandbox.leftovers import end_leftovers  # noqa: PLC0415 - wiring's side of the house

        if count := await asyncio.to_thread(end_leftovers, self.config.data):
            log.warning("sandbox.leftovers_ended", count=count)

    async def _run(self, main: Callable[[], Awaitable[int]]) -> int:
        try:
            async with asyncio.TaskGroup() as group, serve(self.config.http, self._webhooks(), self.health):
                workers = [
                    group.create_task(each)
                    for each in (
                        self.inbox.work(),
                        self.posts.work(),
                        self._launch(),
                        self.desk.runs.work(),
                        self.live.tick(),
                        tick(self.desk.digests.due, self.tidying.tidy),
                        self.owners.work(),
                        self.watch.work(),
                        self.checkpoints.work(),
                        self.restarts.work(),
                        beat(self.health.tally),
                    )
                ]
                await asyncio.sleep(0)
                for source in self.sources:
                    await self.inbox.take_up(source)
                    source.open(self.inbox.take_for(source))
                listeners = [group.create_task(self._attend(each)) for each in self.platforms.values()]
                try:
                    return await main()
                finally:
                    await self._drain(listeners)
                    await self.checkpoints.last()
                    for worker in workers:
                        worker.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors

    async def _launch(self) -> None:
        await self.engine.launch(self.flows)
        self.health.is_launched = True
        await self.desk.runs.recover()
        self.desk.runs.free()
        gc.freeze()  # modules stay; looking through them for garbage again and again holds the loop up
        log.info("engine.ready")

    async def _attend(self, platform: ChatPlatform) -> None:
        """Connect, take up what was left, and listen. A wrong token ends the start; an outage is waited out."""
        await self._connect(platform)
        self.health.connected.add(platform.name)
        await self.posts.take_up(platform.name)
        await self.inbox.take_up(platform)
        log.info("platform.ready", platform=platform.name)
        await platform.listen(self.inbox.take_for(platform), await self.inbox.cursor(platform.name))

    async def _connect(self, platform: ChatPlatform) -> None:
        tries = 0
        while True:
            try:
                await platform.connect()
            except ChatError as error:
                if error.is_final:
                    raise
                log.warning("platform.unreachable", platform=platform.name, reason=str(error))
                await self.clock.sleep(RECONNECT_SECONDS[min(tries, len(RECONNECT_SECONDS) - 1)])
                tries += 1
            else:
                return

    async def _drain(self, listeners: list[asyncio.Task[None]]) -> None:
        """Take nothing more; let what is begun come to its next stopping place, within limits."""
        self.health.is_stopping = True
        for listener in listeners:
            listener.cancel()
        await asyncio.wait(listeners) if listeners else None
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS):
                await self.inbox.until_quiet()
        await self.engine.close(self.config.limits.drain_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS):
                await self.posts.until_quiet()

    def _webhooks(self) -> list[Webhooked]:
        return [each for each in (*self.platforms.values(), *self.sources) if isinstance(each, Webhooked)]


def make_folder(data: Path) -> None:
    """For its owner alone: it holds the code of every project, and what was said."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """One error is enough to say; the log has them all."""
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return _first(error)
        if not isinstance(error, asyncio.CancelledError):
            return error
    return errors


async def until_signalled() -> int:
    """For `run`: SIGTERM and SIGINT end it cleanly."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await stopped.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    log.info("bot.stopping")
    return 0


def run(config: Config, redactor: Redactor) -> int:
    """`patchbay run`: until it is signalled. BotError when it cannot start."""
    sys.setswitchinterval(SWITCH_SECONDS)
    return run_loop(_serve(config, redactor))


def _log_layers(sandbox: Sandbox) -> None:
    """What its probe found: a layer that is not there is a warning."""
    found = getattr(sandbox, "findings", ())
    if found:
        log.info("sandbox.holds", tried=[each.text for each in found if each.holds])
    for each in found:
        if not each.holds:
            log.warning("sandbox.open", layer=each.text)


async def _serve(config: Config, redactor: Redactor) -> int:
    from adapters.sandbox import NoSandbox, choose  # noqa: PLC0415 - wiring sees both sides; this is the door's probe
    from bot.wiring import build, hidden  # noqa: PLC0415 - the composition root

    make_folder(config.data)  # the sandbox covers what is there
    try:
        sandbox: Sandbox = await choose(config.sandbox, hidden(config))
    except SandboxError as error:
        log.error("sandbox.none", reason=str(error))  # noqa: TRY400 - its text says what to do
        sandbox = NoSandbox(str(error))
    _log_layers(sandbox)
    log.info("bot.starting", data=str(config.data), sandbox=sandbox.name, platforms=list(config.platforms))
    return await build(config, sandbox, redactor=redactor).run(until_signalled)
