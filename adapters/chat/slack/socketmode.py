"""Socket Mode: two connections, so that one is up while Slack renews the other.

The library closes the old socket before it opens the next one; what Slack says in that gap goes to the other one.
Bolt dispatches each envelope to `before_authorize`, which commits it and answers 200 itself; only then is it
acknowledged. No listeners, no authorization: whatever is committed is handled from the inbox.
https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.chat.slack.config import SlackConfig
from adapters.chat.slack.receive import Intake, NotListeningError
from adapters.chat.slack.web import (
    CONNECT_SECONDS,
    OUTSIDE,
    QUIET,
    Client,
    close_client,
    error_name,
    new_client,
    proxy_for,
)
from core.model.errors import StoreError
from core.ports import Circuit

log = structlog.get_logger()

CONNECTIONS = 2
PING_SECONDS = 5.0
"""Also the library's pause between tries to connect; silent for four of them, a connection counts as dead."""
LOOK_SECONDS = 0.5
OUTAGE_LOOKS = 8
"""So many looks without a connection count as one outage; Slack renews its connections all the time."""
CLOSE_SECONDS = 3.0
DRAIN_SECONDS = 2.0


class _Commit(AsyncMiddleware):
    """An object, not a function: Bolt gathers thirty arguments for a function each time."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.running: set[asyncio.Task[Any]] = set()

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,  # noqa: ARG002 - Bolt's signature
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002, ARG002 - Bolt's signature
    ) -> BoltResponse:
        task = asyncio.current_task()
        if task is not None:
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        try:
            await self._intake.commit(req.body)
        except (StoreError, NotListeningError) as error:
            log.warning("slack.not_taken", error=str(error) or "not listening")
            return BoltResponse(status=503)
        return BoltResponse(status=200)


class _Opener(Client):
    """Remembers why no connection could be opened: the library keeps trying and tells only its own log."""

    trouble = ""

    async def apps_connections_open(self, *, app_token: str, **kwargs: Any) -> AsyncSlackResponse:  # noqa: ANN401
        try:
            answer = await super().apps_connections_open(app_token=app_token, **kwargs)
        except OUTSIDE as error:
            self.trouble = error_name(error) or type(error).__name__
            raise
        self.trouble = ""
        return answer


async def listen(config: SlackConfig, intake: Intake, web: Circuit, sockets: Circuit) -> None:
    """Until cancelled. Outages are waited out; `sockets` is told of those in which no delivery can come."""
    commit = _Commit(intake)
    client = new_client(config, web)
    opener = _Opener(web, client.token, client.base_url, client.session)
    opener.proxy = client.proxy
    app = AsyncApp(
        name="patchbay",
        logger=QUIET,
        client=opener,
        signing_secret="",
        before_authorize=commit,
        ssl_check_enabled=False,
        request_verification_enabled=False,
        process_before_response=True,
    )
    handlers = [await _handler(app, config) for _ in range(CONNECTIONS)]
    connecting = [asyncio.create_task(_connect(handler)) for handler in handlers]
    try:
        await _watch(handlers, opener, sockets)
    finally:
        await _end(connecting)
        if commit.running:  # what is being committed is still acknowledged
            await asyncio.wait(commit.running, timeout=DRAIN_SECONDS)
        await asyncio.gather(*(_close(handler) for handler in handlers))
        await close_client(client)


async def _handler(app: AsyncApp, config: SlackConfig) -> AsyncSocketModeHandler:
    handler = AsyncSocketModeHandler(app, config.app_token.get_secret_value().strip(), ping_interval=PING_SECONDS)
    client = handler.client
    client.proxy = proxy_for(config.api_base)
    await client.aiohttp_client_session.close()
    client.aiohttp_client_session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    )
    return handler


async def _connect(handler: AsyncSocketModeHandler) -> None:
    await handler.connect_async()  # type: ignore[no-untyped-call]


async def _watch(handlers: list[AsyncSocketModeHandler], opener: _Opener, sockets: Circuit) -> None:
    """One line when the last connection is lost, one when there is one again."""
    state, looks_without = "", 0
    while True:
        ups = [await handler.client.is_connected() for handler in handlers]
        seen = "up" if any(ups) else opener.trouble or state
        looks_without = 0 if any(ups) else looks_without + 1
        if any(ups):
            sockets.answered()
        elif looks_without % OUTAGE_LOOKS == 0:
            sockets.failed(seen or "not connected")
        if seen != state:
            if seen == "up":
                log.info("slack.connected")
            else:
                log.warning("slack.not_connected", error=seen)
            state = seen
        await asyncio.sleep(LOOK_SECONDS)


async def _close(handler: AsyncSocketModeHandler) -> None:
    """The library cancels its tasks and does not wait for them; and a dead peer never answers its goodbye."""
    client = handler.client
    client.closed = True
    tasks = [client.message_processor, client.current_session_monitor, client.message_receiver]
    with suppress(asyncio.TimeoutError, aiohttp.ClientError, OSError):
        await asyncio.wait_for(handler.close_async(), CLOSE_SECONDS)  # type: ignore[no-untyped-call]
    await _end([task for task in tasks if isinstance(task, asyncio.Task)])
    await client.aiohttp_client_session.close()


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
