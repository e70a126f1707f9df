"""The HTTP door: webhooks of the platforms, and what watches over the bot. It limits what comes in, and reads nothing.

aiohttp has no deadline for headers or bodies of its own, and unpacks compressed bodies on the event loop: both are
closed here. A connection has HEAD_SECONDS, from its start or from its last answer, to bring the next whole head.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import web

from bot.config.model import HttpConfig
from core.model.errors import BotError, ConfigError
from core.ports import HttpAnswer, Webhooked

MAX_BODY = 1 << 20
HEAD_SECONDS = 20.0
BODY_SECONDS = 20.0
HANDLE_SECONDS = 25.0
STOP_SECONDS = 5.0
BACKLOG = 512

log = structlog.get_logger()

GUARDS: web.AppKey[dict[web.RequestHandler, _Guard]] = web.AppKey("guards")
"""By aiohttp's handler of the connection, for the middleware; each goes with its connection."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Probes(Protocol):
    """What is told to who watches over the bot."""

    async def ready(self) -> HttpAnswer: ...

    async def metrics(self) -> HttpAnswer: ...


@dataclass(frozen=True, slots=True)
class Door:
    """Where the bot listens. `port` is the real one also where 0 was asked for; 0 when nothing listens."""

    host: str
    port: int


@asynccontextmanager
async def serve(
    config: HttpConfig,
    platforms: Iterable[object],
    probes: Probes | None = None,
    *,
    head_seconds: float = HEAD_SECONDS,
) -> AsyncIterator[Door]:
    """Listens while inside. ConfigError when the port is taken and a platform needs it; else it does without."""
    hooks = [each for each in platforms if isinstance(each, Webhooked) and each.webhook_path]
    # Access logs would show what an address holds.
    runner = web.AppRunner(
        make_app(hooks, probes), auto_decompress=False, access_log=None, shutdown_timeout=STOP_SECONDS
    )
    await runner.setup()
    listener = None
    try:
        listener = await _listen(config, runner, head_seconds, is_needed=bool(hooks))
        yield Door(config.host, listener.sockets[0].getsockname()[1] if listener else 0)
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()


def make_app(hooks: Iterable[Webhooked], probes: Probes | None = None) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_bounded])
    app[GUARDS] = {}
    app.router.add_get("/healthz", _health)
    if probes is not None:
        app.router.add_get("/readyz", _teller(probes.ready))
        app.router.add_get("/metrics", _teller(probes.metrics))
    for hook in hooks:
        app.router.add_post(hook.webhook_path, _receiver(hook))
    return app


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _teller(tell: Callable[[], Awaitable[HttpAnswer]]) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        told = await tell()
        return web.Response(status=told.status, body=told.body, headers={"Content-Type": told.content_type})

    return answer


def _receiver(hook: Webhooked) -> Handler:
    async def receive(request: web.Request) -> web.Response:
        body = await _body(request)
        try:
            async with asyncio.timeout(HANDLE_SECONDS):
                answer = await hook.receive(request.headers, body)
        except BotError as error:
            log.warning("http.refused", path=hook.webhook_path, error=str(error))
            answer = HttpAnswer(503, b"try again later\n")
        except TimeoutError:
            log.warning("http.slow", path=hook.webhook_path, seconds=HANDLE_SECONDS)
            answer = HttpAnswer(503, b"try again later\n")
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    return receive


async def _body(request: web.Request) -> bytes:
    """The raw bytes, for the signature is over those."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise web.HTTPUnsupportedMediaType(text="send it uncompressed\n")
    if (request.content_length or 0) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(max_size=MAX_BODY, actual_size=request.content_length or 0)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        answer = web.HTTPRequestTimeout(text="the body did not come in time\n")
        answer.force_close()
        raise answer from None


@web.middleware
async def _bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Stops the clock of the connection while a request is handled. Our own faults are logged, never shown."""
    guard = request.app[GUARDS].get(request.protocol)
    if guard is not None:
        guard.stop_clock()
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("http.failed", path=request.path)
        return web.Response(status=500, text="this is our fault; it is in the log\n")
    finally:
        if guard is not None:
            guard.start_clock()


async def _listen(
    config: HttpConfig, runner: web.AppRunner, head_seconds: float, *, is_needed: bool
) -> asyncio.Server | None:
    server = runner.server
    assert server is not None, "set up before"
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(
            lambda: _Guard(server(), runner.app[GUARDS], head_seconds), config.host, config.port, backlog=BACKLOG
        )
    except OSError as error:
        where = f"{config.host}:{config.port}"
        if is_needed:
            said = f"http: cannot listen at {where} ({error.strerror}); end what uses it, or set another http.port"
            raise ConfigError(said) from error
        log.warning("http.off", address=where, error=error.strerror, next="set another http.port")
        return None


class _Guard(asyncio.Protocol):
    """Stands before aiohttp's own protocol and cuts a connection whose next request does not come in time."""

    def __init__(self, handler: web.RequestHandler, guards: dict[web.RequestHandler, _Guard], seconds: float) -> None:
        self._handler, self._guards, self._seconds = handler, guards, seconds
        self._transport: asyncio.BaseTransport | None = None
        self._clock: asyncio.TimerHandle | None = None

    def start_clock(self) -> None:
        self.stop_clock()
        if self._transport is not None:
            self._clock = asyncio.get_running_loop().call_later(self._seconds, self._cut)

    def stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _cut(self) -> None:
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._guards[self._handler] = self
        self._handler.connection_made(transport)
        self.start_clock()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.stop_clock()
        self._guards.pop(self._handler, None)
        self._handler.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        self._handler.eof_received()
        return None

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()
