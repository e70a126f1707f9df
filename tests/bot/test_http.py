"""The HTTP door, knocked at by a real client and by rude sockets."""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
import pytest

from bot.config import HttpConfig
from bot.http import MAX_BODY, serve
from core.model.errors import ConfigError, StoreError
from core.ports import HttpAnswer

LOCAL = HttpConfig(port=0)


async def _accept(_headers: Mapping[str, str], _body: bytes) -> HttpAnswer:
    return HttpAnswer(200, b"taken")


@dataclass
class Hook:
    webhook_path: str = "/hooks/test"
    act: Callable[[Mapping[str, str], bytes], Awaitable[HttpAnswer]] = _accept
    seen: list[tuple[str, bytes]] = field(default_factory=list)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        self.seen.append((headers.get("x-signature", ""), body))
        return await self.act(headers, body)


async def _post(port: int, body: bytes, **headers: str) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"http://127.0.0.1:{port}/hooks/test", data=io.BytesIO(body), headers=headers) as answer,
    ):
        return answer.status, await answer.read()


async def test_a_platform_gets_the_raw_bytes_and_its_answer_goes_back() -> None:
    hook = Hook()
    body = b'{"a":\xff\x00 1}'

    async with serve(LOCAL, [hook]) as door:
        answer = await _post(door.port, body, **{"X-Signature": "s"})

    assert answer == (200, b"taken")
    assert hook.seen == [("s", body)]


async def test_healthz_answers_though_no_platform_is_called_over_http() -> None:
    async with (
        serve(LOCAL, [object(), Hook(webhook_path="")]) as door,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{door.port}/healthz") as answer,
    ):
        assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_what_nobody_asked_for_is_not_found() -> None:
    async with serve(LOCAL, [Hook(webhook_path="/other")]) as door:
        status, _ = await _post(door.port, b"{}")

    assert status == 404


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity"])
async def test_a_compressed_body_is_refused_unopened(encoding: str) -> None:
    hook = Hook()

    async with serve(LOCAL, [hook]) as door:
        status, _ = await _post(door.port, gzip.compress(b"0" * 1_000), **{"Content-Encoding": encoding})

    assert status == 415
    assert hook.seen == []


async def test_a_body_may_be_one_mebibyte_and_not_a_byte_more() -> None:
    hook = Hook()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b"0" * (MAX_BODY // 16)

    async with serve(LOCAL, [hook]) as door:
        assert (await _post(door.port, b"0" * MAX_BODY))[0] == 200
        assert (await _post(door.port, b"0" * (MAX_BODY + 1)))[0] == 413
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"http://127.0.0.1:{door.port}/hooks/test", data=chunks()) as answer,
        ):
            assert answer.status == 413

    assert [len(body) for _, body in hook.seen] == [MAX_BODY]


async def test_what_cannot_be_kept_is_to_be_sent_again() -> None:
    async def full(_headers: Mapping[str, str], _body: bytes) -> HttpAnswer:
        raise StoreError("disk full")

    async with serve(LOCAL, [Hook(act=full)]) as door:
        status, body = await _post(door.port, b"{}")

    assert status == 503
    assert b"disk" not in body


async def test_a_fault_of_ours_is_told_without_what_it_is() -> None:
    async def broken(_headers: Mapping[str, str], _body: bytes) -> HttpAnswer:
        raise RuntimeError("inside")

    async with serve(LOCAL, [Hook(act=broken)]) as door:
        status, body = await _post(door.port, b"{}")

    assert status == 500
    assert b"inside" not in body


RUDE = {
    "silent": b"",
    "half a head": b"POST /hooks/test HTTP/1.1\r\nHost: x\r\n",
    "half a body": b"POST /hooks/test HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
    "half a chunk": b"POST /hooks/test HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc",
    "the second head never whole": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea",
}


@pytest.mark.parametrize("sent", RUDE.values(), ids=RUDE)
async def test_a_slow_connection_is_closed(sent: bytes) -> None:
    async with serve(LOCAL, [Hook()], head_seconds=0.2, body_seconds=0.2) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(sent)
        await _until_closed(reader)

        writer.close()


async def _until_closed(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(10):
        try:
            while await reader.read(1_000):
                pass
        except ConnectionResetError:
            pass


async def test_a_drip_of_header_bytes_buys_no_time() -> None:
    async with serve(LOCAL, [], head_seconds=0.3) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /healthz HTTP/1.1\r\n")

        closed = asyncio.create_task(_until_closed(reader))
        for _ in range(60):
            if closed.done():
                break
            writer.write(b"X-A: 1\r\n")
            await asyncio.wait([closed], timeout=0.05)

        assert closed.done()
        await closed
        writer.close()


async def test_a_request_that_takes_longer_than_the_deadline_for_heads_is_answered() -> None:
    async def slow(_headers: Mapping[str, str], _body: bytes) -> HttpAnswer:
        await asyncio.sleep(0.4)
        return HttpAnswer(200, b"late")

    async with serve(LOCAL, [Hook(act=slow)], head_seconds=0.2) as door:
        assert await _post(door.port, b"{}") == (200, b"late")


async def test_one_connection_serves_many_requests() -> None:
    hook = Hook()

    async with serve(LOCAL, [hook]) as door, aiohttp.ClientSession() as client:
        for _ in range(20):
            async with client.post(f"http://127.0.0.1:{door.port}/hooks/test", data=b"{}") as answer:
                assert answer.status == 200

    assert len(hook.seen) == 20


async def test_a_port_that_is_taken_ends_the_start_only_where_it_is_needed() -> None:
    async with serve(LOCAL, []) as door:
        taken = HttpConfig(port=door.port)

        async with serve(taken, []) as second:
            assert second.port == 0
        with pytest.raises(ConfigError, match=rf"cannot listen at 127\.0\.0\.1:{door.port}"):
            async with serve(taken, [Hook()]):
                pass
