"""What one turn may ask through its socket, and what becomes of each request until its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from aiohttp import web

from adapters.gateway.asked import Asked, Refused, check_token, read, route
from adapters.gateway.config import GatewayConfig
from adapters.gateway.connections import Connections
from adapters.gateway.relay import Relay
from adapters.gateway.upstreams import Upstream
from core.model.spend import Account

log = structlog.get_logger()

BODY_SECONDS = 60.0
MB = 1_000_000


class GatewayTurn:
    """`handle` is aiohttp's handler. `revoke`, and nothing more is let through."""

    connections: Connections

    def __init__(
        self, account: Account, token: str, upstreams: Sequence[Upstream], relay: Relay, config: GatewayConfig
    ) -> None:
        self._account, self._token, self._upstreams = account, token, upstreams
        self._relay, self._most_bytes = relay, config.max_body_mb * MB
        self._room = asyncio.Semaphore(config.at_once)
        self._is_over = False
        self._ends: set[asyncio.Task[None]] = set()

    def revoke(self) -> None:
        self._is_over = True

    async def settled(self) -> None:
        """What its requests took is counted."""
        while self._ends:
            await asyncio.wait(self._ends)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        guard = self.connections.of(request.protocol)
        if guard is not None:
            guard.stop_clock()
        try:
            return await self._answer(request)
        except Refused as refused:
            return self._refusal(request, refused)
        except Exception:
            log.exception("gateway.failed", run=self._account.run)
            return self._refusal(request, Refused(500, "This is the gateway's fault; it is in its log."))
        finally:
            if guard is not None:
                guard.start_clock()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = list(_texts(request.raw_headers))
        check_token(headers, None if self._is_over else self._token)
        upstream, url = route(request.method, request.raw_path, self._upstreams)
        async with self._room:
            body = await self._body(request)
            asks_usage = self._relay.asks_usage(upstream)
            asked = read(upstream, request.method, url, headers, body, asks_usage=asks_usage)
            return await self._charged(request, asked)

    async def _charged(self, request: web.BaseRequest, asked: Asked) -> web.StreamResponse:
        """The task that counts outlives a guest that has gone."""
        call = await self._relay.begin(self._account, asked)
        try:
            return await self._relay.pass_on(request, asked, call)
        finally:
            ending = asyncio.ensure_future(self._relay.end(asked, call))
            self._ends.add(ending)
            ending.add_done_callback(self._ends.discard)
            await asyncio.shield(ending)

    async def _body(self, request: web.BaseRequest) -> bytes:
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise Refused(415, "Send it uncompressed.")
        if (request.content_length or 0) > self._most_bytes:
            raise Refused(413, f"A request may have {self._most_bytes // MB} MB.")
        pieces, size = [], 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for piece in request.content.iter_any():
                    pieces.append(piece)
                    size += len(piece)
                    if size > self._most_bytes:
                        raise Refused(413, f"A request may have {self._most_bytes // MB} MB.")
        except TimeoutError:
            raise Refused(408, "The body did not come in time.") from None
        return b"".join(pieces)

    def _refusal(self, request: web.BaseRequest, refused: Refused) -> web.Response:
        upstream = self._upstreams[0]
        with_name = [each for each in self._upstreams if request.raw_path.startswith(f"/{each.name}/")]
        shape = with_name[0] if with_name else upstream
        log.info("gateway.refused", run=self._account.run, status=refused.status, reason=refused.words)
        self._relay.count("refused", shape)
        answer = web.Response(
            status=refused.status, body=shape.error(refused.status, refused.words), content_type="application/json"
        )
        if not request.body_exists or not request.content.at_eof():
            answer.force_close()
        return answer


def _texts(raw: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    for name, value in raw:
        yield name.decode("latin-1"), value.decode("utf-8", "surrogateescape")
