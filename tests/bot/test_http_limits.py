"""Who gets in at the HTTP door, who does not, and what every answer says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from bot import connections, loop
from bot.config import HttpConfig
from bot.connections import EXTRA, SECURITY, Crowd, is_here, peer_of
from bot.http import Door, serve
from core.ports import HttpAnswer

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
SECONDS = 30.0


class Hook:
    webhook_path = "/hooks/test"

    async def receive(self, _headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        if body == b"fault":
            raise RuntimeError("inside")
        return HttpAnswer(200)


class Probes:
    async def ready(self) -> HttpAnswer:
        return HttpAnswer(200, b"{}", "application/json")

    async def metrics(self) -> HttpAnswer:
        return HttpAnswer(200, b"x 1\n")


async def say(door: Door, *parts: bytes) -> bytes:
    """What comes back until the other side closes; empty where it was cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    said = b""
    try:
        async with asyncio.timeout(SECONDS):
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0)
            with suppress(ConnectionError):
                while more := await reader.read(10_000):
                    said += more
    finally:
        writer.close()
    return said


def asking(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


ANSWERS = {
    "health": (asking("/healthz"), 200),
    "not found": (asking("/"), 404),
    "not found at all": (asking("/%2e%2e/etc/passwd"), 404),
    "not for this": (asking("/hooks/test"), 405),
    "nor for that": (asking("/healthz", method="DELETE"), 405),
    "taken": (asking("/hooks/test", method="POST"), 200),
    "our fault": (asking("/hooks/test", method="POST", body=b"fault"), 500),
    "compressed": (asking("/hooks/test", "Content-Encoding: gzip", method="POST"), 415),
    "too large": (asking("/hooks/test", method="POST").replace(b"h: 0", b"h: 9999999"), 413),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no length": (asking("/healthz").replace(b"h: 0", b"h: x"), 400),
    "two lengths": (asking("/hooks/test", "Content-Length: 7", method="POST"), 400),
    "two ways": (asking("/hooks/test", "Transfer-Encoding: chunked", method="POST"), 400),
    "expecting": (asking("/healthz", "Expect: the-impossible"), 417),
    "three hundred headers": (asking("/healthz", *(f"X-{number}: 1" for number in range(300))), 400),
    "a long header": (asking("/healthz", "X-A: " + "a" * 100_000), 400),
    "a long line": (asking("/" + "a" * 100_000), 400),
    "an odd version": (asking("/healthz").replace(b"HTTP/1.1", b"HTTP/9.9"), 400),
    "a bare line feed in a name": (asking("/healthz", "X-A\n: 1"), 400),
}


@pytest.mark.parametrize(("sent", "expected"), ANSWERS.values(), ids=ANSWERS)
async def test_every_answer_says_that_it_is_no_page_and_not_who_we_are(sent: bytes, expected: int) -> None:
    async with serve(HttpConfig(port=0), [Hook()]) as door:
        answer = await say(door, sent)

    head = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    headers = dict(line.split(": ", 1) for line in head)
    assert status(answer) == expected
    assert {name: headers.get(name) for name in SECURITY} == dict(SECURITY)
    assert "Server" not in headers
    assert b"inside" not in answer
    assert b"aiohttp" not in answer


FLOODS = {
    "ten thousand headers": asking("/healthz", *(f"X-{number}: 1" for number in range(10_000))),
    "a byte a chunk": asking("/hooks/test", method="POST").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    + b"1\r\nx\r\n" * 10_000
    + b"0\r\n\r\n",
    "a pile of requests": HEALTH * 5_000,
}


@pytest.mark.parametrize("sent", FLOODS.values(), ids=FLOODS)
async def test_a_flood_of_short_lines_is_cut(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(HttpConfig(port=0), [Hook()]) as door:
        cut = await say(door, sent)
        assert status(await say(door, asking("/hooks/test", method="POST", body=b"a\r\n" * 100))) == 200
        monkeypatch.setattr(connections, "MOST_LINES", 10**9)
        answered = await say(door, sent if sent.count(b"GET") < 9 else HEALTH * 500 + asking("/healthz"))

    assert len(cut) < len(answered)
    assert status(answered) in {200, 400}


CHUNKED = b"POST /hooks/test HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("bad", [b"zz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"f" * 20 + b"\r\n", b"\0\r\n"])
async def test_a_body_that_goes_wrong_on_its_way_is_the_senders_fault(bad: bytes) -> None:
    async with serve(HttpConfig(port=0), [Hook()], body_seconds=0.5) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(CHUNKED + b"3\r\nabc\r\n")
        await writer.drain()
        assert status(await say(door, asking("/healthz"))) == 200  # what was sent is being read by now
        writer.write(bad)
        async with asyncio.timeout(SECONDS):
            answer = await reader.read(1_000)
        writer.close()

    assert status(answer) in {400, 408}


async def test_who_leaves_within_a_body_is_no_fault_of_ours() -> None:
    with capture_logs() as told:
        async with serve(HttpConfig(port=0), [Hook()]) as door:
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(CHUNKED + b"3\r\nabc\r\n")
            await writer.drain()
            assert status(await say(door, asking("/healthz"))) == 200
            writer.transport.abort()
            assert status(await say(door, asking("/healthz"))) == 200

    assert [each for each in told if each["log_level"] == "error"] == []


# ------------------------------------------------------------------------------------------------ how many


async def hold(stack: AsyncExitStack, door: Door, count: int) -> list[asyncio.StreamReader]:
    """That many connections that begin a request and do not go on, each known to the bot."""
    readers = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        stack.callback(writer.close)
        writer.write(HEALTH + b"GET /healthz HTTP/1.1\r\n")
        with suppress(ConnectionError):
            async with asyncio.timeout(SECONDS):
                await reader.readuntil(b"ok\n")
                readers.append(reader)
    return readers


@pytest.mark.parametrize("limits", [{"connections": 5}, {"connections_per_peer": 5}])
async def test_beyond_the_limits_only_health_is_answered(limits: dict[str, Any]) -> None:
    async with AsyncExitStack() as stack, serve(HttpConfig(port=0, **limits), [Hook()], Probes()) as door:
        held = await hold(stack, door, 5)

        assert len(held) == 5
        assert await say(door, asking("/hooks/test", method="POST")) == b""
        assert await say(door, asking("/metrics")) == b""
        assert await say(door, b"\x16\x03\x01") == b""
        assert await say(door, HEALTH[:30] + b"X: " + b"x" * 5_000) == b""
        for parts in ([HEALTH], [HEALTH[:7], HEALTH[7:]]):
            answer = await say(door, *parts)
            assert (status(answer), answer.endswith(b"ok\n")) == (200, True)
            assert all(f"{name}: {value}".encode() in answer for name, value in SECURITY.items())


async def test_without_limits_the_same_crowd_gets_in() -> None:
    async with AsyncExitStack() as stack, serve(HttpConfig(port=0), [Hook()]) as door:
        await hold(stack, door, 5)

        assert status(await say(door, asking("/hooks/test", method="POST"))) == 200


async def test_whoever_leaves_makes_room() -> None:
    async with serve(HttpConfig(port=0, connections=2), [Hook()]) as door:
        async with AsyncExitStack() as stack:
            await hold(stack, door, 2)
            assert await say(door, asking("/hooks/test", method="POST")) == b""
        async with asyncio.timeout(SECONDS):
            while True:
                if status(await say(door, asking("/hooks/test", method="POST"))) == 200:
                    break


async def test_a_crowd_that_says_nothing_does_not_hide_the_health() -> None:
    async with AsyncExitStack() as stack, serve(HttpConfig(port=0, connections=1), []) as door:
        await hold(stack, door, 1)
        for _ in range(EXTRA + 5):
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            stack.callback(writer.close)

        assert status(await say(door, HEALTH)) == 200


async def test_who_is_beyond_the_limits_and_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "EXTRA_SECONDS", 0.1)
    async with AsyncExitStack() as stack, serve(HttpConfig(port=0, connections=1), []) as door:
        await hold(stack, door, 1)

        assert await say(door) == b""


def test_on_the_loop_of_the_program_it_is_the_same() -> None:
    """uvloop's connections are not asyncio's: what takes them for those would close every one, or none."""

    async def story() -> tuple[list[int], bytes, bytes]:
        config = HttpConfig(port=0, connections=1)
        async with AsyncExitStack() as stack, serve(config, [Hook()], head_seconds=1.0) as door:
            answers = [status(await say(door, ANSWERS[each][0])) for each in ("taken", "no HTTP")]
            slow = await say(door, b"POST /hooks/test HTTP/1.1\r\n")
            await hold(stack, door, 1)
            return answers, slow, await say(door, HEALTH)

    answers, slow, health = loop.run(story())

    assert answers == [200, 400]
    assert slow == b""
    assert health.endswith(b"ok\n")


class Wire(asyncio.Transport):
    def __init__(self, peer: object) -> None:
        super().__init__({"peername": peer})


PEERS = {
    ("192.0.2.1", 1): "192.0.2.1",
    ("::ffff:192.0.2.1", 1, 0, 0): "192.0.2.1",
    ("2001:db8:1:2:3:4:5:6", 1, 0, 0): "2001:db8:1:2::",
    ("fe80::1%eth0", 1, 0, 0): "fe80::",
    "": "?",
    None: "?",
    ("somewhere", 1): "?",
}


@pytest.mark.parametrize("peer", PEERS, ids=str)
def test_who_has_one_address_of_a_network_counts_for_all_of_it(peer: object) -> None:
    assert peer_of(Wire(peer)) == PEERS[peer]  # type: ignore[index]


def test_each_address_has_its_own_limit() -> None:
    crowd = Crowd(4, 2, 1.0)

    assert [crowd.enter("a"), crowd.enter("a"), crowd.enter("a")] == [True, True, False]
    assert [crowd.enter("b"), crowd.enter("b"), crowd.enter("c")] == [True, True, False]
    crowd.leave("a")
    assert crowd.enter("c")


# ------------------------------------------------------------------------------------------------ for whom


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
async def test_with_a_token_who_brings_it_is_told(path: str) -> None:
    token = uuid4().hex
    config = HttpConfig(port=0, metrics_token=SecretStr(token))
    async with serve(config, [], Probes()) as door:

        async def ask(*headers: str) -> int:
            return status(await say(door, asking(path, *headers)))

        assert await ask(f"Authorization: Bearer {token}") == 200
        assert await ask(f"Authorization: bearer {token}", "X-Forwarded-For: 192.0.2.1") == 200
        for wrong in ("Bearer", f"Bearer {token}x", f"Basic {token}", f"Bearer {uuid4().hex}", "Bearer é", token):
            assert await ask(f"Authorization: {wrong}") == 401
        assert await ask() == 401
        assert status(await say(door, asking("/healthz"))) == 200


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
async def test_without_a_token_only_this_machine_is_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(HttpConfig(port=0), [], Probes()) as door:
        assert status(await say(door, asking(path))) == 200
        for each in ("X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "Via: 1.1 x", "X-Real-IP: 127.0.0.1"):
            assert status(await say(door, asking(path, each))) == 403
        monkeypatch.setattr("bot.http.is_here", lambda _peer: False)
        assert status(await say(door, asking(path))) == 403


@pytest.mark.parametrize(
    ("peer", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True)]
    + [(each, False) for each in ("10.0.0.1", "::ffff:10.0.0.1", "fe80::1%lo", "localhost", "", "?")],
)
def test_what_is_this_machine(peer: str, *, expected: bool) -> None:
    assert is_here(peer) is expected


@pytest.mark.parametrize("token", ["x", "a" * 40])
def test_a_weak_token_is_refused(token: str) -> None:
    with pytest.raises(ValidationError, match="by chance"):
        HttpConfig(metrics_token=SecretStr(token))
