"""One request on its way to an upstream and its answer on the way back, counted as it goes by."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import structlog
from aiohttp import web

from adapters.gateway.addresses import AddressRefused
from adapters.gateway.asked import Asked, Refused, returned
from adapters.gateway.counting import Counter
from adapters.gateway.upstreams import Upstream
from adapters.prices import PricedTokens
from core.model.errors import OverBudget, StoreError, Unavailable
from core.model.spend import Account, Hold, Spent
from core.ports import Accounting, Circuits, Meter, Redact

log = structlog.get_logger()

MOST_ERROR_BYTES = 65_536
"""Of what an upstream says is wrong; it is read whole, and blackened."""


@dataclass(slots=True)
class Call:
    """A request that is charged. `counter` is there once an answer has begun."""

    hold: Hold | None
    counter: Counter | None = None
    is_cut: bool = False
    """The answer ended before its own end."""
    is_sent: bool = False
    """The upstream may have it, so it may be charged for."""
    is_refused: bool = False
    is_given_up: bool = False
    """The guest has gone, so how the answer would have ended is not known."""


class Outage(Refused):
    """The upstream did not answer, or broke off."""


@dataclass(slots=True)
class Relay:
    accounting: Accounting
    circuits: Circuits
    meter: Meter
    redact: Redact
    session: Callable[[Upstream], aiohttp.ClientSession]
    _mute: set[str] = field(default_factory=set)
    """Upstreams that refuse to be asked what their streams take."""

    def asks_usage(self, upstream: Upstream) -> bool:
        return upstream.name not in self._mute

    def count(self, outcome: str, upstream: Upstream) -> None:
        self.meter.count("gateway_requests", upstream=upstream.name, outcome=outcome)

    async def begin(self, account: Account, asked: Asked) -> Call:
        """Refused: there is no money for it."""
        if asked.is_free:
            return Call(None)
        tokens = PricedTokens(*asked.guess)
        micros = asked.upstream.micros(tokens, asked.model)
        try:
            return Call(await self.accounting.begin(account, asked.model, Spent(*asked.guess, micros, True)))
        except OverBudget as over:
            raise Refused(402, str(over)) from over
        except StoreError as error:
            raise Refused(503, "What this would cost cannot be counted just now; try again later.") from error

    async def end(self, asked: Asked, call: Call) -> None:
        if call.hold is None:
            return
        spent = self._spent(asked, call)
        upstream = asked.upstream.name
        self.meter.count("gateway_tokens", spent.input_tokens, upstream=upstream, direction="in")
        self.meter.count("gateway_tokens", spent.output_tokens, upstream=upstream, direction="out")
        self.meter.count("gateway_cost_dollars", (spent.micros or 0) / 1e6, upstream=upstream)
        await self.accounting.end(call.hold, spent)

    def _spent(self, asked: Asked, call: Call) -> Spent:
        if call.is_refused or not call.is_sent:
            return Spent()
        counter = call.counter
        tokens = counter.tokens(asked.guess) if counter else PricedTokens(asked.guess[0], 0)
        is_told = counter is not None and counter.has_usage and counter.is_over
        models = (counter.model, asked.model) if counter else (asked.model,)
        micros = asked.upstream.micros(tokens, *(each for each in models if each))
        return Spent(tokens.input, tokens.output, micros, is_estimate=not is_told)

    async def pass_on(self, request: web.BaseRequest, asked: Asked, call: Call) -> web.StreamResponse:
        if asked.upstream.is_guarded:
            return await self._sent(request, asked, call)
        circuit = self.circuits.circuit(asked.upstream.address, asked.upstream.address)
        try:
            with circuit.attempt():
                try:
                    answer = await self._sent(request, asked, call)
                except Outage as outage:
                    circuit.failed(outage.words)
                    raise
                if answer.status >= 500:
                    circuit.failed(f"HTTP {answer.status}")
                elif call.is_cut:
                    circuit.failed("the stream ended before the reply did")
                elif not call.is_given_up:
                    circuit.answered()
                return answer
        except Unavailable as held:
            raise Refused(503, str(held)) from held

    async def _sent(self, request: web.BaseRequest, asked: Asked, call: Call) -> web.StreamResponse:
        upstream = asked.upstream
        headers = {"user-agent": "patchbay", "accept": "*/*", **asked.headers, "accept-encoding": "identity"}
        asking = self.session(upstream).request(
            asked.method,
            asked.url,
            data=asked.body or None,
            headers={**headers, **upstream.credentials()},
            allow_redirects=False,
        )
        try:
            call.is_sent = True
            async with asking as answer:
                return await self._answered(request, asked, call, answer)
        except aiohttp.ClientConnectorError as error:
            call.is_sent = False
            if isinstance(error.os_error, AddressRefused) or isinstance(error.__cause__, AddressRefused):
                log.warning("gateway.address_refused", upstream=upstream.name, reason=str(error.os_error))
                raise Refused(502, "The address of the model is one that the gateway does not call.") from error
            raise self._outage(upstream, error) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._outage(upstream, error) from error

    def _outage(self, upstream: Upstream, error: BaseException) -> Outage:
        self.count("outage", upstream)
        return Outage(502, f"The connection to the model failed ({type(error).__name__}).")

    async def _answered(
        self, request: web.BaseRequest, asked: Asked, call: Call, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        upstream, headers = asked.upstream, returned(answer.headers.items())
        if 300 <= answer.status < 400:
            call.is_refused = True
            raise Refused(502, "The upstream wanted to send the request elsewhere; that is not done.")
        if answer.status >= 400:
            call.is_refused = True
            self.count("error", upstream)
            return await self._error(asked, answer, headers)
        call.counter = Counter(answer.headers.get("content-type", ""))
        self.count("ok", upstream)
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        try:
            async for piece in answer.content.iter_any():
                call.counter.take(piece)
                await _write(response, piece, call)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.info("gateway.cut", upstream=upstream.name, reason=type(error).__name__)
            call.is_cut = True
            if request.transport is not None:
                request.transport.abort()
            return response
        except _GuestGone:
            return response
        call.counter.finish()
        call.is_cut = not call.counter.is_over
        with suppress(ConnectionResetError):
            await response.write_eof()
        return response

    async def _error(self, asked: Asked, answer: aiohttp.ClientResponse, headers: dict[str, str]) -> web.StreamResponse:
        """As the provider says it: agents know its caps by that. Without our key, should it repeat it."""
        body = (await answer.content.read(MOST_ERROR_BYTES)).decode("utf-8", "replace")
        if answer.status == 400 and "stream_options" in body:
            self._mute.add(asked.upstream.name)
        key = asked.upstream.key
        text = self.redact(body.replace(key, "[redacted]") if key else body)
        headers.pop("content-encoding", None)
        return web.Response(status=answer.status, body=text.encode(), headers=headers)


class _GuestGone(Exception):
    pass


async def _write(response: web.StreamResponse, piece: bytes, call: Call) -> None:
    """Its errors are the guest's, and look like those of the upstream."""
    try:
        await response.write(piece)
    except ConnectionResetError:
        call.is_given_up = True
        raise _GuestGone from None
