"""The one way to language models: a socket for each turn, behind which keys are added, and what is spent is counted.

A turn gets a path and a token. What comes in by that socket with that token goes out to the upstreams of the turn's
agent, with their key in the place of the token; nothing else does. When the turn ends the socket is gone, the token is
nothing, and every connection that is still open is cut.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web

from adapters.gateway.config import GatewayConfig
from adapters.gateway.connections import HEAD_SECONDS, MOST_CONNECTIONS, Connections
from adapters.gateway.inside import variables
from adapters.gateway.network import Resolve, session_to, system_resolve
from adapters.gateway.relay import Relay
from adapters.gateway.sockets import SUFFIX, socket_folder, sweep
from adapters.gateway.turns import GatewayTurn
from adapters.gateway.upstreams import Upstream
from core.model.spend import Account, Door
from core.ports import Accounting, Circuits, Meter, Redact

log = structlog.get_logger()

TOKEN_BYTES = 32
BACKLOG = 64
END_SECONDS = 2.0
LINGER_SECONDS = 2.0
"""To read on after an answer that did not wait for the whole body, so that the answer is read."""
LOOKS = 5
"""Turns of the loop in which those who stood in line are taken, and cut: closed before, asyncio would forget them."""


class LlmGateway:
    """Fulfils core.ports.Gateway. `agents`: which upstreams each agent may reach; the first is meant by default."""

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        data: Path,
        agents: Mapping[str, Sequence[Upstream]],
        accounting: Accounting,
        circuits: Circuits,
        meter: Meter,
        redact: Redact,
        config: GatewayConfig | None = None,
        *,
        resolve: Resolve = system_resolve,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        self._data, self._agents, self._config = data, agents, config or GatewayConfig()
        self._resolve, self._head_seconds = resolve, head_seconds
        self._relay = Relay(accounting, circuits, meter, redact, self._session)
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._folder: Path | None = None

    async def open(self) -> None:
        self._folder = await asyncio.to_thread(socket_folder, self._data)
        if count := await asyncio.to_thread(sweep, self._folder):
            log.info("gateway.swept", sockets=count)

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    @asynccontextmanager
    async def admit(self, account: Account, agent: str) -> AsyncIterator[Door | None]:
        upstreams = tuple(self._agents.get(agent, ()))
        if not upstreams:
            yield None
            return
        if self._folder is None:
            await self.open()
        assert self._folder is not None
        path = self._folder / f"{secrets.token_hex(8)}{SUFFIX}"
        token, names = secrets.token_urlsafe(TOKEN_BYTES), tuple(each.name for each in upstreams)
        door = Door(str(path), token, names, variables(upstreams, token))
        turn = GatewayTurn(account, door.token, upstreams, self._relay, self._config)
        server = web.Server(
            turn.handle,
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=self._head_seconds,
            lingering_time=LINGER_SECONDS,
        )
        turn.connections = Connections(server, most=MOST_CONNECTIONS, head_seconds=self._head_seconds)
        listener = await _listen(turn.connections, path)
        log.debug("gateway.opened", run=account.run, agent=agent)
        try:
            yield door
        finally:
            turn.revoke()
            with suppress(OSError):
                path.unlink()
            turn.connections.cut()
            for _ in range(LOOKS):
                await asyncio.sleep(0)
            listener.close()
            await server.shutdown(END_SECONDS)
            await turn.settled()

    def _session(self, upstream: Upstream) -> aiohttp.ClientSession:
        session = self._sessions.get(upstream.name)
        if session is None:
            session = session_to(upstream, self._resolve, self._config.silence_seconds)
            self._sessions[upstream.name] = session
        return session


async def _listen(connections: Connections, path: Path) -> asyncio.Server:
    """For its owner alone from the first moment: the folder is, and so is the socket."""
    listener = await asyncio.get_running_loop().create_unix_server(connections, str(path), backlog=BACKLOG)
    os.chmod(path, 0o600)  # noqa: PTH101 - one system call, at once
    return listener
