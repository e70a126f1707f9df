"""What a hostile guest, a hostile name server and a hostile upstream try at the gateway, each with its control."""

from __future__ import annotations

import asyncio
import gc
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from adapters.gateway import Api, upstream
from adapters.gateway.addresses import Verdict, judge, reach_of
from adapters.gateway.network import session_to
from adapters.gateway.sockets import LONGEST_PATH, socket_folder
from adapters.gateway.turns import GatewayTurn
from core.model.errors import ConfigError
from core.model.spend import Door, Spent
from tests.adapters.gates import AGENT, Gate, account, asking, guest, raw
from tests.fakes.llm import FakeLLM, Fault, Words

T = TypeVar("T")

PATH = "/my-anthropic/v1/messages"
BODY = json.dumps(asking("anthropic", stream=False))


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    async with FakeLLM() as llm:
        yield llm


@pytest.fixture
def gate(llm: FakeLLM, tmp_path: Path) -> Gate:
    llm.always = Words("You got me.")
    return Gate(llm, tmp_path, more={"head_seconds": 1.0})


def request(*headers: str, path: str = PATH, method: str = "POST", body: str = BODY) -> str:
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "Connection: close", "", body])


# ------------------------------------------------------------------------------------------------ tokens


def attacks(token: str, other: str, dead: str) -> dict[str, list[str]]:
    """Headers that must not be let in. `other`: of a run that is at work; `dead`: of one that is over."""
    half, swapped = token[: len(token) // 2], token.swapcase()
    return {
        "none": [],
        "empty bearer": ["Authorization: Bearer "],
        "bearer alone": ["Authorization: Bearer"],
        "empty key": ["X-Api-Key:"],
        "forged": [f"Authorization: Bearer {secrets.token_urlsafe(32)}"],
        "forged key": [f"X-Api-Key: {secrets.token_urlsafe(32)}"],
        "other run": [f"Authorization: Bearer {other}"],
        "other run as key": [f"X-Api-Key: {other}"],
        "run that is over": [f"Authorization: Bearer {dead}"],
        "run that is over as key": [f"X-Api-Key: {dead}"],
        "half": [f"Authorization: Bearer {half}"],
        "longer": [f"Authorization: Bearer {token}x"],
        "twice in one": [f"Authorization: Bearer {token}{token}"],
        "case": [f"Authorization: Bearer {swapped}"],
        "upper": [f"Authorization: Bearer {token.upper()}"],
        "case as key": [f"X-Api-Key: {swapped}"],
        "quoted": [f'Authorization: Bearer "{token}"'],
        "two spaces": [f"Authorization: Bearer  {token}"],
        "tab": [f"Authorization: Bearer\t{token}"],
        "inner space": [f"Authorization: Bearer {half} {token[len(half) :]}"],
        "no scheme": [f"Authorization: {token}"],
        "basic": [f"Authorization: Basic {token}"],
        "token scheme": [f"Authorization: Token {token}"],
        "list": [f"Authorization: Bearer {token}, Bearer {token}"],
        "double, wrong first": [f"Authorization: Bearer {other}", f"Authorization: Bearer {token}"],
        "double, wrong last": [f"Authorization: Bearer {token}", f"Authorization: Bearer {other}"],
        "double, both right": [f"Authorization: Bearer {token}", f"authorization: Bearer {token}"],
        "double key": [f"X-Api-Key: {token}", f"x-api-key: {other}"],
        "key right, bearer wrong": [f"X-Api-Key: {token}", f"Authorization: Bearer {other}"],
        "bearer right, key wrong": [f"Authorization: Bearer {token}", f"X-Api-Key: {other}"],
        "cookie": [f"Cookie: token={token}; authorization={token}; x-api-key={token}"],
        "proxy header": [f"Proxy-Authorization: Bearer {token}"],
        "other header": [f"Api-Key: {token}", f"X-Goog-Api-Key: {token}", f"X-Authorization: Bearer {token}"],
        "underscore": [f"X_Api_Key: {token}"],
        "very long": [f"Authorization: Bearer {token}{'a' * 6000}"],
        "longer than a head": [f"Authorization: Bearer {'a' * 70_000}"],
        "unicode digits": [f"Authorization: Bearer {token[:-1]}\uff11"],
        "zero width": [f"Authorization: Bearer {token}\u200b"],
        "bad utf-8": [f"Authorization: Bearer {token}\udcff"],
        "null": [f"Authorization: Bearer {token}\x00"],
        "folded": ["Authorization: Bearer", f" {token}"],
        "percent": [f"Authorization: Bearer {token[:-1]}%{ord(token[-1]):02x}"],
    }


async def test_forty_two_tokens_that_are_not_the_turns_are_refused(gate: Gate) -> None:
    async with gate.opened() as gateway:
        async with gateway.admit(account(), AGENT) as old:
            assert old is not None
        async with gateway.admit(account(), AGENT) as other, gateway.admit(account(), AGENT) as door:
            assert other is not None
            assert door is not None
            tried = attacks(door.token, other.token, old.token)
            answers = {name: await raw(door, request(*headers)) for name, headers in tried.items()}
            let_in = [name for name, answer in answers.items() if answer.startswith(b"HTTP/1.1 200")]
            controls = [
                await raw(door, request(header))
                for header in (f"Authorization: bearer {door.token}", f"X-API-KEY: {door.token}")
            ]

    print(f"tokens refused: {len(answers) - len(let_in)} of {len(answers)}")  # noqa: T201 - the figure that is asked for
    assert len(answers) >= 40
    assert let_in == []
    assert [each[:12] for each in controls] == [b"HTTP/1.1 200"] * 2
    assert len(gate.llm.requests) == 2


@pytest.mark.parametrize("query", ["?token={}", "?key={}", "?access_token={}", "?x-api-key={}", "?beta=true&key={}"])
async def test_a_token_in_the_address_is_none(gate: Gate, query: str) -> None:
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        answer = await raw(door, request(path=PATH + query.format(door.token)))
        with_it = await raw(door, request(f"X-Api-Key: {door.token}", path=PATH + query.format(door.token)))

    assert answer.startswith(b"HTTP/1.1 401")
    assert with_it.startswith(b"HTTP/1.1 404")
    assert gate.llm.requests == []


async def test_the_end_of_the_turn_cuts_what_streams_and_refuses_what_comes(gate: Gate) -> None:
    await cut_at_the_end(gate)


def test_so_it_does_on_the_loop_of_the_program(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop", reason="no uvloop on this system")

    async def story() -> None:
        async with FakeLLM() as llm:
            await cut_at_the_end(Gate(llm, tmp_path))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


async def cut_at_the_end(gate: Gate) -> None:
    """The answer hangs; when the turn ends, its connection is cut, and the same token opens nothing any more."""
    gate.llm.script([Fault.HANG])
    async with gate.opened() as gateway:
        turn = gateway.admit(account(), AGENT)
        door = await turn.__aenter__()
        assert door is not None
        reader, writer = await asyncio.open_unix_connection(door.socket)
        writer.write(request(f"X-Api-Key: {door.token}").encode())
        began = await reader.readuntil(b"\r\n\r\n")
        idle, other = await asyncio.open_unix_connection(door.socket)

        await turn.__aexit__(None, None, None)

        async with asyncio.timeout(30):
            rest = await asyncio.gather(reader.read(), idle.read(), return_exceptions=True)
        for each in (writer, other):
            each.close()
        with pytest.raises(OSError):
            await asyncio.open_unix_connection(door.socket)

    assert began.startswith(b"HTTP/1.1 200")
    assert all(isinstance(each, bytes | ConnectionResetError) for each in rest)
    (spent,) = gate.books.spent
    assert spent.is_estimate


async def test_a_token_that_was_revoked_while_its_connection_stands_is_refused(gate: Gate) -> None:
    """Between the revoking and the cut: nothing is let through by a token that was good a moment ago."""
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        async with guest(door) as came:
            before, _ = await came.ask("openai")
            (turn,) = [each for each in _living(GatewayTurn) if each._token == door.token]
            turn.revoke()
            after, _ = await came.ask("openai")
            empty = [await raw(door, request(each)) for each in ("X-Api-Key:", "Authorization: Bearer ")]

    assert (before, after) == (200, 401)
    assert [each.split()[1] for each in empty] == [b"401", b"401"]


def _living(kind: type[T]) -> list[T]:
    return [each for each in gc.get_objects() if isinstance(each, kind)]


# ------------------------------------------------------------------------------- paths, methods, smuggling

PATHS = [
    "/", "//", "/my-anthropic", "/my-anthropic/", "/my-anthropic//v1/messages", "//my-anthropic/v1/messages",
    "/my-anthropic/v1/messages/", "/my-anthropic/v1/messages/..", "/my-anthropic/v1/../v1/messages",
    "/my-anthropic/v1/./messages", "/my-anthropic/v1/%6dessages", "/my-anthropic/v1%2fmessages",
    "/my-anthropic/v1/messages%00", "/my-anthropic/v1/messages/%2e%2e/files", "/my-anthropic/v1/messages;x=1",
    "/my-anthropic/v1/messages#x", "/my-anthropic/v1\\messages", "/my-anthropic/V1/messages",
    "/my-anthropic/v1/messages/batches", "/my-anthropic/v1/files", "/my-anthropic/v1/organizations/me",
    "/my-anthropic/v1/messages?x=1", "/my-anthropic/v1/messages?beta=true&x", "/my-anthropic/v1/messages??",
    "/my-openai/v1/files", "/my-openai/v1/batches",
    "/my-openai/v1/fine_tuning/jobs", "/my-openai/v1/v1/chat/completions",
    "/my-openai/v1/responses/resp_1", "/my-openai/v1/../../api/chat", "/my-openai/v1/images/generations",
    "/my-ollama/api/pull", "/my-ollama/api/delete",
    "/my-ollama/api/create", "/my-ollama/api/push", "/my-ollama/api/blobs/x",
    "/api/chat/../pull", "/unknown/v1/messages",
    "http://127.0.0.1/v1/messages", "http://gateway/my-anthropic/v1/messages",
    "https://api.anthropic.com/v1/messages", "http:///v1/messages",
    "@evil/v1/messages", "*", "/my-anthropic/v1/messages\t",
]  # fmt: skip


async def test_no_other_path_leads_out(gate: Gate) -> None:
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        answers = {path: await raw(door, request(f"X-Api-Key: {door.token}", path=path)) for path in PATHS}

    let_in = [path for path, answer in answers.items() if answer[:12] == b"HTTP/1.1 200" or b"500 " in answer[:16]]
    print(f"paths refused: {len(PATHS) - len(let_in)} of {len(PATHS)}")  # noqa: T201 - the figure that is asked for
    assert let_in == []
    assert gate.llm.requests == []


@pytest.mark.parametrize(
    "method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "post", "X"]
)
async def test_no_other_method_leads_out(gate: Gate, method: str) -> None:
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        target = "127.0.0.1:80" if method == "CONNECT" else PATH
        answer = await raw(door, request(f"X-Api-Key: {door.token}", method=method, path=target))

    assert not answer.startswith(b"HTTP/1.1 200")
    assert gate.llm.requests == []


SMUGGLED = {
    "two lengths": ["Content-Length: 1"],
    "length and chunks": ["Transfer-Encoding: chunked"],
    "chunks in another case": ["Transfer-encoding: Chunked"],
    "two codings": ["Transfer-Encoding: chunked, identity"],
    "spaced name": ["Transfer-Encoding : chunked"],
    "folded": ["X-A: b", " Transfer-Encoding: chunked"],
    "plus in the length": ["Content-Length: +5"],
}


@pytest.mark.parametrize("kind", SMUGGLED)
async def test_a_second_request_is_not_smuggled_in_the_first(gate: Gate, kind: str) -> None:
    inner = request("X-Api-Key: none", path="/my-anthropic/v1/messages")
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        answer = await raw(door, request(f"X-Api-Key: {door.token}", *SMUGGLED[kind], body=f"0\r\n\r\n{inner}"))

    assert not answer.startswith(b"HTTP/1.1 200")
    assert gate.llm.requests == []


async def test_the_guests_headers_stay_inside(gate: Gate) -> None:
    """Its own credentials, hosts, hops and cookies; and what an upstream could be led by."""
    dropped = {
        "Cookie": "a=b", "Forwarded": "for=1.1.1.1", "X-Forwarded-For": "1.1.1.1", "X-Forwarded-Host": "evil",
        "OpenAI-Organization": "org-evil", "OpenAI-Project": "proj",
        "X-Goog-Api-Key": "k", "Proxy-Authorization": "Basic x",
        "TE": "trailers", "Trailer": "X-A",
        "Referer": "http://evil", "Origin": "http://evil", "X-Original-Url": "/v1/files",
    }  # fmt: skip
    async with gate.admitted() as came:
        status, _ = await came.ask("anthropic", {**came.bearer, **dropped, "anthropic-version": "2023-06-01"})

    assert status == 200
    (sent,) = gate.llm.requests
    names = {name.lower() for name in sent.headers}
    assert names == {
        "host", "anthropic-version", "accept", "accept-encoding",
        "user-agent", "content-type", "content-length", "x-api-key",
    }  # fmt: skip
    assert sent.headers["Host"] == gate.llm.anthropic_base.removeprefix("http://")


@pytest.mark.parametrize(
    "body", ["", "[]", "1", "null", "{", '{"model": "m"', "[" * 100_000, '"text"', "\x00", '{"background": true}']
)
async def test_a_body_that_asks_no_model_is_refused(gate: Gate, body: str) -> None:
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        answer = await raw(door, request(f"X-Api-Key: {door.token}", path="/my-openai/v1/responses", body=body))

    assert answer.startswith(b"HTTP/1.1 400")
    assert gate.books.holds == []


async def test_a_body_that_is_too_large_is_refused_however_it_says_its_length(gate: Gate) -> None:
    gate.config = gate.config.model_copy(update={"max_body_mb": 1})
    large = json.dumps({"model": "m", "messages": ["a" * 1_100_000]})
    chunked = (
        f"POST {PATH} HTTP/1.1\r\nHost: g\r\nX-Api-Key: {{}}\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"{len(large):x}\r\n{large}\r\n0\r\n\r\n"
    )
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        said = await raw(door, request(f"X-Api-Key: {door.token}", body=large))
        unsaid = await raw(door, chunked.replace("{}", door.token, 1))
        packed = await raw(door, request(f"X-Api-Key: {door.token}", "Content-Encoding: gzip"))

    assert [each.split()[1] for each in (said, unsaid, packed)] == [b"413", b"413", b"415"]
    assert gate.llm.requests == []


async def test_a_connection_that_says_nothing_is_cut(gate: Gate) -> None:
    gate.more = {"head_seconds": 0.05}
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        reader, writer = await asyncio.open_unix_connection(door.socket)
        writer.write(b"POST /my-anth")
        async with asyncio.timeout(30):
            rest = await reader.read()
        writer.close()

    assert rest == b""


async def test_only_so_many_connections_are_let_in(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.gateway.gateway.MOST_CONNECTIONS", 2)
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        held = [await asyncio.open_unix_connection(door.socket) for _ in range(2)]
        async with guest(door) as came:
            with pytest.raises(OSError):
                await came.ask("openai")
        held[0][1].close()
        held[1][1].close()
        await held[0][1].wait_closed()

    assert gate.llm.requests == []


# ------------------------------------------------------------------------------------------- addresses

FORBIDDEN = [
    "127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1",
    "172.31.255.255", "192.168.0.1", "192.168.255.1", "100.64.0.1", "100.127.255.255", "100.100.100.200",
    "169.254.169.254", "169.254.0.1", "169.254.170.2", "168.63.129.16", "192.0.0.192", "192.0.0.1", "192.0.2.1",
    "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:7f00:1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe",
    "64:ff9b::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2002:c0a8:1::", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "fc00::1", "fd12:3456::1", "fd00:ec2::254",
    "fd20:ce::254", "ff02::1", "2001:db8::1",
    "2001:0:53aa:64c::1", "100::1", "fe80::5efe:7f00:1", "2001:470::5efe:a9fe:a9fe",
    "not an address", "", "999.1.1.1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "160.79.104.10",
    "2606:4700::1111",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "::ffff:8.8.8.8",
]


async def test_a_name_that_resolves_to_what_is_not_public_is_not_called(gate: Gate) -> None:
    """Each is the answer of a name server, alone and beside a good one."""
    refused = 0
    for address in FORBIDDEN:
        for answers in ([address], ["1.1.1.1", address]):
            gate.more = {**gate.more, "resolve": answering(answers)}
            far = upstream("far", Api.OPENAI, "https://models.example.com/v1", gate.key)
            async with gate.opened([far]) as gateway, gateway.admit(account(), AGENT) as door:
                assert door is not None
                async with guest(door) as came:
                    status, text = await came.post("/v1/chat/completions", body=asking("openai"))
            refused += status == 502 and "does not call" in text
    print(f"addresses refused: {refused} of {len(FORBIDDEN) * 2}")  # noqa: T201 - the figure that is asked for
    assert refused == len(FORBIDDEN) * 2
    assert gate.books.spent == [Spent()] * refused


async def test_without_the_check_the_name_leads_to_this_machine(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the same name, the same answer, and the model of this machine is asked, with the key."""
    port = gate.llm.openai_base.rpartition(":")[2].partition("/")[0]
    gate.more = {**gate.more, "resolve": answering(["127.0.0.1"])}
    monkeypatch.setattr(
        "adapters.gateway.gateway.session_to", lambda up, resolve, seconds: session_to(up, resolve, seconds, anything)
    )
    far = upstream("far", Api.OPENAI, f"http://models.example.com:{port}/v1", gate.key)
    async with gate.opened([far]) as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        async with guest(door) as came:
            status, _ = await came.post("/v1/chat/completions", body=asking("openai"))

    assert status == 200
    assert gate.key in str(gate.llm.requests[0].headers)


async def test_a_name_that_answers_otherwise_a_moment_later_gains_nothing(gate: Gate) -> None:
    """Rebinding: it is asked once for each connection, and that is made to what was looked at, then."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    gate.more = {**gate.more, "resolve": rebinding}
    base = gate.llm.openai_base.replace("127.0.0.1", "gpu.internal")
    near = upstream("near", Api.OPENAI, base, gate.key, ("gpu.internal",))
    answers = []
    for _ in range(2):
        async with gate.opened([near]) as gateway, gateway.admit(account(), AGENT) as door:
            assert door is not None
            async with guest(door) as came:
                answers.append((await came.post("/v1/chat/completions", body=asking("openai")))[0])

    assert answers == [200, 502]
    assert len(asked) == 2
    assert len(gate.llm.requests) == 1


async def test_a_private_host_is_called_where_the_operator_wrote_so(gate: Gate) -> None:
    gate.more = {**gate.more, "resolve": answering(["127.0.0.1"])}
    base = gate.llm.openai_base.replace("127.0.0.1", "gpu.internal")
    for private, expected in (((), 502), (("gpu.internal",), 200)):
        near = upstream("near", Api.OPENAI, base, gate.key, private)
        async with gate.opened([near]) as gateway, gateway.admit(account(), AGENT) as door:
            assert door is not None
            async with guest(door) as came:
                status, _ = await came.post("/v1/chat/completions", body=asking("openai"))
        assert status == expected


def test_each_address_is_judged_as_what_it_leads_to() -> None:
    assert [each for each in PUBLIC if judge(each) is not Verdict.PUBLIC] == []
    assert [each for each in FORBIDDEN if judge(each) is Verdict.PUBLIC] == []
    assert len(FORBIDDEN) >= 40


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "::ffff:169.254.1.1"]
)
def test_where_clouds_hand_out_credentials_is_never_called_whatever_is_written(host: str) -> None:
    with pytest.raises(ConfigError, match="never called"):
        reach_of("lab", host, (host,))
    assert judge(host) not in reach_of("lab", "gpu.internal", ("gpu.internal",))


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1", "017700000001", "localhost.", "127.0.0.1.nip.io"])
def test_other_ways_to_write_this_machine_are_names_and_what_they_resolve_to_counts(host: str) -> None:
    assert reach_of("lab", host, ()) == {Verdict.PUBLIC}


def answering(addresses: Sequence[str]) -> Callable[[str, int], object]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def anything(address: str) -> Verdict:
    return Verdict.PUBLIC


# ------------------------------------------------------------------------------------ hostile upstreams


@pytest.fixture
async def mean() -> AsyncIterator[str]:
    """An upstream that sends elsewhere, repeats the key, sets cookies, and breaks off."""

    async def answer(asked: web.Request) -> web.StreamResponse:
        body = await asked.json()
        key = asked.headers["Authorization"]
        match body["model"]:
            case "redirect":
                return web.Response(status=307, headers={"location": "http://169.254.169.254/"}, text=key)
            case "repeat":
                return web.json_response(
                    {"error": {"message": f"wrong key: {key}"}}, status=401, headers={"x-key": key}
                )
        assert asked.transport is not None
        asked.transport.abort()
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}/v1".format(*runner.addresses[0])
    await runner.cleanup()


@pytest.mark.parametrize(("model", "status"), [("redirect", 502), ("repeat", 401), ("break", 502)])
async def test_an_upstream_leads_nowhere_and_gives_away_nothing(
    gate: Gate, mean: str, model: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = upstream("bad", Api.OPENAI, mean, gate.key)
    with capture_logs() as logs:
        async with gate.opened([bad]) as gateway, gateway.admit(account(), AGENT) as door:
            assert door is not None
            async with (
                guest(door) as came,
                came.session.post(
                    "http://gateway/v1/chat/completions", json={"model": model, "messages": []}, headers=came.bearer
                ) as answer,
            ):
                told = f"{await answer.text()} {answer.headers}"

    assert answer.status == status
    assert "169.254" not in told
    assert gate.key not in told + str(logs) + str(capsys.readouterr()) + repr(bad) + repr(door)
    assert door.token not in repr(door) + str(logs)


# -------------------------------------------------------------------------------------------- sockets


def test_a_long_data_folder_gets_a_short_one_for_its_sockets(tmp_path: Path) -> None:
    long = tmp_path / ("a" * 100)

    folder = socket_folder(long)

    assert len(str(folder)) < LONGEST_PATH
    assert not folder.is_relative_to(tmp_path)
    assert folder == socket_folder(long)
    folder.rmdir()


def test_a_folder_that_somebody_planted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "gateway").symlink_to(tmp_path / "elsewhere")

    if len(str(tmp_path)) < 70:
        with pytest.raises(ConfigError, match="not a folder of this bot"):
            socket_folder(tmp_path)


async def test_what_a_killed_bot_left_is_swept(gate: Gate) -> None:
    left = socket_folder(gate.data) / "0123456789abcdef.sock"
    left.touch()

    async with gate.opened():
        pass

    assert not left.exists()


async def test_an_agent_without_models_has_no_door(gate: Gate) -> None:
    async with gate.opened() as gateway, gateway.admit(account(), "format") as door:
        nobody: Door | None = door

    assert nobody is None
