"""The gateway adds keys, counts what answers take, and is gone with its turn."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from adapters.agents import AGENTS, AgentTools
from adapters.gateway import Api, upstream
from core.circuits import OUTAGES, AllCircuits, CircuitState
from core.model.errors import StoreError
from core.model.spend import Hold, Spent
from tests.adapters.agents.turns import Notes, NoWaiting, nobody_asked, turn_in
from tests.adapters.gates import AGENT, Gate, account, asking
from tests.adapters.gates import guest as visit
from tests.fakes.llm import FakeLLM, Fault, Status, Use, Words
from tests.fakes.sandbox import PassThrough

APIS = ("anthropic", "openai", "ollama")


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    async with FakeLLM() as llm:
        yield llm


@pytest.fixture
def gate(llm: FakeLLM, tmp_path: Path) -> Gate:
    return Gate(llm, tmp_path)


@pytest.mark.parametrize("api", APIS)
async def test_the_key_takes_the_place_of_the_token(gate: Gate, api: str) -> None:
    gate.llm.script([Words("It is done.")])
    async with gate.admitted() as guest:
        status, text = await guest.ask(api)

    assert status == 200
    assert "It is d" in text
    (came,) = gate.llm.requests
    sent = {name.lower(): value for name, value in came.headers.items()}
    assert gate.key in (sent.get("x-api-key", ""), sent.get("authorization", "").removeprefix("Bearer "))
    assert guest.door.token not in str(sent)
    assert gate.books.spent == [Spent(100, 10, gate.books.spent[0].micros)]


@pytest.mark.parametrize("api", APIS)
async def test_a_stream_that_is_cut_is_counted_as_a_guess(gate: Gate, api: str) -> None:
    gate.llm.script([Fault.TRUNCATED])
    async with gate.admitted() as guest:
        await guest.ask(api)

    (spent,) = gate.books.spent
    assert spent.is_estimate
    assert spent.input_tokens > 0


async def test_the_socket_is_for_its_owner_alone_and_gone_with_the_turn(gate: Gate) -> None:
    async with gate.opened() as gateway:
        async with gateway.admit(account(), AGENT) as door:
            assert door is not None
            modes = [stat.S_IMODE(os.stat(each).st_mode) for each in (door.socket, os.path.dirname(door.socket))]  # noqa: PTH116, PTH120
        is_there = os.path.exists(door.socket)  # noqa: PTH110, ASYNC240

    assert modes == [0o600, 0o700]
    assert not is_there


async def test_what_the_provider_refuses_is_passed_on_as_it_said_it(gate: Gate) -> None:
    gate.llm.script(
        [Status(429, "slow down", retry_after="7", headers={"x-ratelimit-reset": "6m", "set-cookie": "a=b"})]
    )
    async with (
        gate.admitted() as guest,
        guest.session.post(
            "http://gateway/my-openai/v1/chat/completions", json={"model": "m", "messages": []}, headers=guest.bearer
        ) as answer,
    ):
        text = await answer.text()

    assert (answer.status, answer.headers["retry-after"], answer.headers["x-ratelimit-reset"]) == (429, "7", "6m")
    assert "slow down" in text
    assert "set-cookie" not in answer.headers
    assert gate.books.spent == [Spent()]


@pytest.mark.parametrize("api", APIS)
async def test_without_money_the_refusal_has_the_shape_of_the_provider(gate: Gate, api: str) -> None:
    gate.books.is_empty = True
    async with gate.admitted() as guest:
        status, text = await guest.ask(api)

    assert status == 402
    assert "used up" in text
    assert ('"type": "error"' in text) is (api == "anthropic")
    assert gate.llm.requests == []


@pytest.mark.parametrize("api", APIS)
async def test_the_built_in_loop_goes_by_its_door_and_needs_no_key(gate: Gate, api: str, tmp_path: Path) -> None:
    """What its own configuration holds is no key any more, and its own address leads nowhere."""
    entry = {} if api == "ollama" else {"api_key": "placeholder"}
    config = AGENTS[api].config.model_validate(
        {"type": api, "model": "claude-sonnet-5-5", "base_url": "http://127.0.0.1:9", **entry}
    )
    agent = AGENTS[api].build(AGENT, config, AgentTools(PassThrough(), tmp_path / "sessions"))
    mine = [each for each in gate.upstreams() if each.api == api]
    gate.llm.script([Use("bash", command="echo made > made.txt"), Words("It is made.")])

    async with gate.opened(mine) as gateway, gateway.admit(account(), AGENT) as door:
        result = await agent.take_turn(turn_in(tmp_path, door=door), Notes(), nobody_asked)

    assert result.answer == "It is made."
    assert gate.key in str(gate.llm.requests[-1].headers)
    assert [(each.input_tokens, each.output_tokens) for each in gate.books.spent] == [(100, 10)] * 2
    assert (result.usage.input_tokens, result.usage.output_tokens) == (200, 20)


@pytest.mark.parametrize("is_guarded", [False, True])
async def test_an_upstream_that_does_not_answer_is_left_alone_for_a_while(gate: Gate, *, is_guarded: bool) -> None:
    """Unless who calls has asked its circuit already: the built-in loop does."""
    circuits = AllCircuits(NoWaiting())
    gate.circuits = circuits
    dead = upstream("dead", Api.OPENAI, "http://127.0.0.1:9/v1", gate.key, is_guarded=is_guarded)
    async with gate.opened([dead]) as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        async with visit(door) as came:
            answers = [await came.post("/v1/chat/completions", body=asking("openai")) for _ in range(OUTAGES + 1)]

    assert [status for status, _ in answers] == [502] * OUTAGES + [502 if is_guarded else 503]
    assert ("does not answer since" in answers[-1][1]) is not is_guarded
    assert gate.books.spent == [Spent()] * (OUTAGES + 1)


@pytest.mark.parametrize("trouble", [Status(500, "down"), Fault.TRUNCATED, Fault.DISCONNECT])
async def test_what_breaks_off_counts_as_an_outage_and_an_answer_closes_the_circuit(
    gate: Gate, trouble: Status | Fault
) -> None:
    clock = NoWaiting()
    circuits = AllCircuits(clock)
    gate.circuits = circuits
    gate.llm.script([trouble] * (OUTAGES - 1) + [Words("ok")] + [trouble] * OUTAGES)
    states = []
    async with gate.admitted() as came:
        for _ in range(2 * OUTAGES):
            with suppress(aiohttp.ClientError):
                await came.ask("openai")
            (circuit,) = circuits.all()
            states.append(circuit.state)

    assert states == [CircuitState.CLOSED] * (2 * OUTAGES - 1) + [CircuitState.OPEN]


async def test_a_guest_that_goes_is_charged_by_a_guess_and_the_upstream_is_not_blamed(gate: Gate) -> None:
    circuits = AllCircuits(NoWaiting())
    gate.circuits = circuits
    gate.llm.script([Fault.HANG])
    async with gate.admitted() as came:
        async with came.session.post(
            "http://gateway/my-openai/v1/chat/completions", json=asking("openai"), headers=came.bearer
        ) as answer:
            await answer.content.readany()
            answer.close()
        await gate.books.settled.wait()

    assert gate.books.spent[0].is_estimate
    assert [each.reason for each in circuits.all()] == [""]


async def test_a_server_that_does_not_know_the_option_is_not_asked_what_it_took_again(gate: Gate) -> None:
    gate.llm.script([Status(400, "unknown field: stream_options"), Words("fine")])
    async with gate.admitted() as came:
        statuses = [(await came.ask("openai"))[0] for _ in range(2)]

    assert statuses == [400, 200]
    assert ["stream_options" in each.body for each in gate.llm.requests] == [True, False]


async def test_where_nothing_can_be_counted_nothing_is_asked(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: object) -> Hold:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(gate.books, "begin", down)
    async with gate.admitted() as came:
        status, text = await came.ask("anthropic")

    assert (status, "cannot be counted" in text) == (503, True)
    assert gate.llm.requests == []


async def test_a_fault_of_the_gateway_tells_the_guest_nothing(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> Hold:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(gate.books, "begin", broken)
    async with gate.admitted() as came:
        status, text = await came.ask("anthropic")

    assert (status, "secret" in text) == (500, False)


async def test_what_is_free_is_not_counted(gate: Gate) -> None:
    gate.books.is_empty = True
    async with gate.admitted() as came:
        told = []
        for path in ("/api/tags", "/my-ollama/api/tags"):
            async with came.session.get(f"http://gateway{path}", headers=came.bearer) as answer:
                told.append((answer.status, "scripted" in await answer.text()))

    assert told == [(404, False), (200, True)]
    assert gate.books.holds == []


async def test_a_path_without_a_name_goes_to_the_first_upstream(gate: Gate) -> None:
    gate.llm.script([Words("It is done.")])
    async with gate.admitted() as came:
        status, _ = await came.post("/v1/messages", body=asking("anthropic"))

    assert status == 200


async def test_programs_are_told_where_their_model_is(gate: Gate) -> None:
    async with gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        told = dict(door.variables)

    assert told == {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:8484/my-anthropic",
        "ANTHROPIC_API_KEY": door.token,
        "OPENAI_BASE_URL": "http://127.0.0.1:8484/my-openai/v1",
        "OPENAI_API_BASE": "http://127.0.0.1:8484/my-openai/v1",
        "OPENAI_API_KEY": door.token,
        "OLLAMA_HOST": "http://127.0.0.1:8484/my-ollama",
        "OLLAMA_API_KEY": door.token,
    }
