"""The HTTP door: webhooks of the platforms, and what watches over the bot. It limits what comes in, and reads nothing.

aiohttp has no deadline for headers or bodies of its own, and unpacks compressed bodies on the event loop: both are
closed here. Whoever is slow at everything is gone after HEAD_SECONDS + BODY_SECONDS + LINGER_SECONDS.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import web

from bot.config.model import HttpConfig
from bot.connections import Connection, Crowd, is_here, secure
from core.model.errors import BotError, ConfigError
from core.ports import HttpAnswer, Webhooked

MAX_BODY = 1 << 20
HEAD_SECONDS = 14.0
BODY_SECONDS = 12.0
HANDLE_SECONDS = 25.0
STOP_SECONDS = 5.0
BACKLOG = 512

log = structlog.get_logger()

PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
"""What a proxy adds: who asks is then somebody else than the connection says."""

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
    body_seconds: float = BODY_SECONDS,
) -> AsyncIterator[Door]:
    """Listens while inside. ConfigError when the port is taken and a platform needs it; else it does without."""
    hooks = [each for each in platforms if isinstance(each, Webhooked) and each.webhook_path]
    token = config.metrics_token.get_secret_value()
    app = make_app(hooks, probes, token, body_seconds)
    runner = web.AppRunner(app, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    listener = None
    try:
        crowd = Crowd(config.connections, config.connections_per_peer, head_seconds)
        listener = await _listen(config, runner, crowd, is_needed=bool(hooks))
        yield Door(config.host, listener.sockets[0].getsockname()[1] if listener else 0)
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()


def make_app(
    hooks: Iterable[Webhooked], probes: Probes | None, metrics_token: str, body_seconds: float
) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_bounded])
    app.on_response_prepare.append(_secured)
    app.router.add_get("/healthz", _health)
    if probes is not None:
        app.router.add_get("/readyz", _teller(probes.ready, metrics_token))
        app.router.add_get("/metrics", _teller(probes.metrics, metrics_token))
    for hook in hooks:
        app.router.add_post(hook.webhook_path, _receiver(hook, body_seconds))
    return app


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _secured(_request: web.Request, answer: web.StreamResponse) -> None:
    secure(answer)


def _teller(tell: Callable[[], Awaitable[HttpAnswer]], token: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        _let_in(request, token)
        told = await tell()
        return web.Response(status=told.status, body=told.body, headers={"Content-Type": told.content_type})

    return answer


def _let_in(request: web.Request, token: str) -> None:
    """With a token, who brings it; without, who asks on this machine and for nobody else."""
    if token:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        is_same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
        if kind.lower() != "bearer" or not is_same:
            raise web.HTTPUnauthorized(text="bring http.metrics_token\n", headers={"WWW-Authenticate": "Bearer"})
    elif not is_here(request.remote or "") or any(each in request.headers for each in PASSED_ON):
        raise web.HTTPForbidden(text="told on this machine only, unless http.metrics_token is set\n")


def _receiver(hook: Webhooked, body_seconds: float) -> Handler:
    async def receive(request: web.Request) -> web.Response:
        body = await _body(request, body_seconds)
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


async def _body(request: web.Request, seconds: float) -> bytes:
    """The raw bytes, for the signature is over those."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise web.HTTPUnsupportedMediaType(text="send it uncompressed\n")
    if (request.content_length or 0) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(max_size=MAX_BODY, actual_size=request.content_length or 0)
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError:
        answer = web.HTTPRequestTimeout(text="the body did not come in time\n")
        answer.force_close()
        raise answer from None
    except (ConnectionError, web.RequestPayloadError):
        raise web.HTTPBadRequest(text="the body is not whole\n") from None


@web.middleware
async def _bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Stops the clock of the connection while a request is handled. Our own faults are logged, never shown."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    connection.stop_clock()
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("http.failed", path=request.path)
        return web.Response(status=500, text="this is our fault; it is in the log\n")
    finally:
        connection.start_clock()


async def _listen(config: HttpConfig, runner: web.AppRunner, crowd: Crowd, *, is_needed: bool) -> asyncio.Server | None:
    server = runner.server
    assert server is not None, "set up before"
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(lambda: Connection(server, crowd), config.host, config.port, backlog=BACKLOG)
    except OSError as error:
        where = f"{config.host}:{config.port}"
        if is_needed:
            said = f"http: cannot listen at {where} ({error.strerror}); end what uses it, or set another http.port"
            raise ConfigError(said) from error
        log.warning("http.off", address=where, error=error.strerror, next="set another http.port")
        return None
