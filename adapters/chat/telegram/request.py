"""The way to the Bot API: python-telegram-bot's request interface over one aiohttp session.

The token is part of every address, so no library's error text is ever passed on: errors are told in our own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import aiohttp
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from adapters.straight import NoCircuit
from core.model.errors import Unavailable
from core.ports import Circuit

CONNECT_SECONDS = 5.0
"""Name, connection and TLS, and the wait for a free connection."""

CALL_SECONDS = 20.0
"""One call that is not a long poll."""

KEEP_ALIVE_SECONDS = 15.0
"""Shorter than servers keep an idle connection: a request on one that just closed has an unknown fate."""

UPLOAD_SECONDS = 120.0
"""A file; after that its fate is unknown."""

CONNECTIONS = 100
JSON = "application/json"


class NotSent(NetworkError):
    """The request surely did not leave: no address, no connection, no TLS."""


class Held(NotSent):
    """Telegram does not answer, so it was not asked."""


class ReplyLost(TimedOut):
    """The request may have been carried out; the reply did not come, or cannot be read."""


class Refused(TelegramError):
    """The server answered, and not with success. `description` is its own text, `parameters` its hints."""

    def __init__(self, status: int, description: str, parameters: Mapping[str, Any]) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    @property
    def retry_after(self) -> float | None:
        """Seconds; None when the server did not ask to wait."""
        seconds = self.parameters.get("retry_after")
        if isinstance(seconds, (int, float)) and not isinstance(seconds, bool):
            return max(0.0, float(seconds))
        return None


Trouble = Refused | NotSent | ReplyLost
TROUBLE = (Refused, NotSent, ReplyLost)
"""All that `call` raises."""


class Request(BaseRequest):
    """One session. `call` is the short way for what happens with every message; `Bot` goes through `do_request`."""

    __slots__ = ("_circuit", "_root", "_session")

    def __init__(self, api_base: str, token: str, circuit: Circuit | None = None) -> None:
        self._circuit: Circuit = circuit or NoCircuit()
        self._root = f"{api_base.rstrip('/')}/bot{token}/"
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float | None:
        return CALL_SECONDS

    async def initialize(self) -> None:
        self._open()

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(  # JSON, read by who asked
        self, method: str, fields: Mapping[str, Any], *, seconds: float = CALL_SECONDS, is_poll: bool = False
    ) -> Any:  # noqa: ANN401
        """The `result` of a method. Refused, NotSent or ReplyLost. A poll is never held: it has pauses of its own."""
        body = json.dumps(fields, separators=(",", ":")).encode()
        with self._told(is_held=not is_poll):
            status, payload = await self._exchange(method, body, seconds)
            return _result(status, payload)

    async def send_document(self, fields: Mapping[str, Any], name: str, content: bytes) -> Any:  # noqa: ANN401 - JSON
        """The message that holds it. Refused, NotSent or ReplyLost."""
        with self._told():
            status, payload = await self._exchange("sendDocument", _form(fields, name, content), UPLOAD_SECONDS)
            return _result(status, payload)

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,
        connect_timeout: object = BaseRequest.DEFAULT_NONE,
        pool_timeout: object = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """What `Bot` calls. Only the last word of its `url` counts; of its time limits, only `read_timeout`."""
        del method, write_timeout, connect_timeout, pool_timeout
        fields = request_data.parameters if request_data is not None else {}
        seconds = float(read_timeout) if isinstance(read_timeout, (int, float)) else CALL_SECONDS
        with self._told():
            status, payload = await self._exchange(url.rpartition("/")[2], json.dumps(fields).encode(), seconds)
            if status >= 300:
                _result(status, payload)
            return status, payload

    @contextmanager
    def _told(self, *, is_held: bool = True) -> Iterator[None]:
        """The circuit learns what became of a call. Held when it is not to be made."""
        held = ""
        try:
            with self._circuit.attempt() if is_held else nullcontext():
                try:
                    yield
                except (NotSent, ReplyLost) as error:
                    self._circuit.failed(error.message)
                    raise
                except Refused as error:
                    self._circuit.failed(f"HTTP {error.status}") if error.status >= 500 else self._circuit.answered()
                    raise
                self._circuit.answered()
                return
        except Unavailable as error:
            held = str(error)
        raise Held(held)

    async def _exchange(self, method: str, body: bytes | aiohttp.MultipartWriter, seconds: float) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=seconds, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS)
        trouble: TelegramError
        try:
            async with self._open().post(
                self._root + method,
                data=body,
                headers={"Content-Type": JSON if isinstance(body, bytes) else body.content_type},
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            trouble = NotSent(_cause(error))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            trouble = ReplyLost(_cause(error))
        raise trouble  # outside the handlers: the library's error, which knows the address, is not in its chain

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _cause(error: BaseException) -> str:
    """The kind of an error, and what the operating system said; never its text, which may hold the address."""
    reason = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


def _form(fields: Mapping[str, Any], name: str, content: bytes) -> aiohttp.MultipartWriter:
    """https://core.telegram.org/bots/api#sending-files"""
    form = aiohttp.FormData()
    for field, value in fields.items():
        form.add_field(field, value if isinstance(value, str) else json.dumps(value))
    form.add_field("document", content, filename=name, content_type="text/plain; charset=utf-8")
    made = form()
    assert isinstance(made, aiohttp.MultipartWriter)
    return made


def _result(status: int, payload: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        # A proxy on the way speaks no JSON: whether the server behind it was reached is not known.
        raise ReplyLost(f"HTTP {status} without a readable answer")
    if status < 300 and answer.get("ok") is True and "result" in answer:
        return answer["result"]
    parameters = answer.get("parameters")
    raise Refused(
        status if status >= 300 else _code(answer),
        str(answer.get("description") or f"HTTP {status}"),
        parameters if isinstance(parameters, dict) else {},
    )


def _code(answer: Mapping[str, Any]) -> int:
    code = answer.get("error_code")
    return code if isinstance(code, int) else 500
