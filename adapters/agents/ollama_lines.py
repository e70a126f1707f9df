"""Ollama's stream, one JSON object a line, kept whole: httpx also ends a line at a U+2028, U+2029 or U+0085 in a text.

Imported when used: httpx takes its time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

_BREAKS = {char.encode(): f"\\u{ord(char):04x}".encode() for char in "\u2028\u2029\u0085"}
"""JSON has them in texts alone, where an escape says the same."""
_STARTS = {key[:length] for key in _BREAKS for length in range(1, len(key))}


class WholeLines(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = await super().handle_async_request(request)
        if "content-encoding" not in response.headers and isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Escaped(response.stream)
        return response


class _Escaped(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = b""
        async for chunk in self._stream:
            data = left + chunk
            left = next((data[-n:] for n in (2, 1) if data[-n:] in _STARTS), b"")
            data = data[: len(data) - len(left)]
            for raw, escaped in _BREAKS.items():
                data = data.replace(raw, escaped)
            yield data
        if left:
            yield left

    async def aclose(self) -> None:
        await self._stream.aclose()
