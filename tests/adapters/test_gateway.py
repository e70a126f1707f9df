"""The gateway adds keys, counts what answers take, and is gone with its turn."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.agents import AGENTS, AgentTools
from core.model.spend import Spent
from tests.adapters.agents.turns import Notes, nobody_asked, turn_in
from tests.adapters.gates import AGENT, Gate, account
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
