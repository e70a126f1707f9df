"""What is peculiar to one API: caching, thinking and prices, servers that do as OpenAI does, and Ollama's own ways."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from adapters.agents.anthropic import build as build_anthropic
from adapters.agents.anthropic import messages as anthropic_messages
from adapters.agents.config import AnthropicConfig, OllamaConfig, OpenAIConfig
from adapters.agents.model import Call, CallResult, Role, Said, seconds_of
from adapters.agents.ollama import build as build_ollama
from adapters.agents.openai import build as build_openai
from adapters.prices import PricedTokens, price
from core.model.errors import AgentError, AgentLimit, AgentUnready
from core.model.events import TurnResult
from tests.adapters.agents.conftest import Looping
from tests.adapters.agents.turns import Notes, NoWaiting, nobody_asked, turn_in
from tests.fakes.llm import FakeLLM, Use, Words
from tests.fakes.sandbox import PassThrough

ONLY_ANTHROPIC = pytest.mark.parametrize("looping", ["anthropic"], indirect=True)


class Canned:
    """A server that answers each POST with the next of its bodies, and keeps what it was asked."""

    def __init__(self, bodies: list[str]) -> None:
        self.bodies, self.asked, self.url = bodies, list[dict[str, Any]](), ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        body = self.bodies.pop(0)
        if body.startswith("400"):
            return web.json_response({"error": {"message": body[4:], "type": "invalid_request_error"}}, status=400)
        return web.Response(text=body, content_type="text/event-stream")


@asynccontextmanager
async def canned(*bodies: str) -> AsyncIterator[Canned]:
    server = Canned(list(bodies))
    app = web.Application()
    app.router.add_post("/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = "http://{}:{}".format(*runner.addresses[0])
    yield server
    await runner.cleanup()


def sse(*events: dict[str, Any]) -> str:
    return "".join(f"event: {each.get('type', 'message')}\ndata: {json.dumps(each)}\n\n" for each in events)


def chunk(delta: dict[str, Any], finish: str | None = None, **rest: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"} | {
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **rest,
    }


async def ask_openai(server: Canned, folder: Path, **entry: Any) -> TurnResult:
    config = OpenAIConfig.model_validate({"model": "m", "base_url": f"{server.url}/v1", **entry})
    agent = build_openai("sam", config, PassThrough(), folder / "sessions", NoWaiting())
    return await agent.take_turn(turn_in(folder), Notes(), nobody_asked)


async def ask_anthropic(server: Canned, folder: Path) -> TurnResult:
    config = AnthropicConfig.model_validate({"model": "m", "base_url": server.url})
    agent = build_anthropic("sam", config, PassThrough(), folder / "sessions", NoWaiting())
    return await agent.take_turn(turn_in(folder), Notes(), nobody_asked)


# ----------------------------------------------------------------------------------------- Anthropic


@ONLY_ANTHROPIC
async def test_the_system_prompt_and_the_talk_are_cached(looping: Looping) -> None:
    looping.llm.script([Words("Done.")])

    await looping.take()

    body = looping.llm.requests[0].body
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert body["cache_control"] == {"type": "ephemeral"}
    assert looping.key in json.dumps(dict(looping.llm.requests[0].headers))


USED = {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20}
MESSAGE: dict[str, Any] = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
}
STARTED: dict[str, Any] = {"type": "message_start", "message": {**MESSAGE, "usage": USED}}
OVER = {"type": "message_stop"}


def block(index: int, started: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    grown = [{"type": "content_block_delta", "index": index, "delta": each} for each in deltas]
    return [
        {"type": "content_block_start", "index": index, "content_block": started},
        *grown,
        {"type": "content_block_stop", "index": index},
    ]


def stopped(reason: str | None, **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5, **usage}}


TEXT = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Done."})


async def test_thinking_comes_back_unchanged_with_its_signature(tmp_path: Path) -> None:
    thought = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm "},
        {"type": "thinking_delta", "thinking": "so"},
        {"type": "signature_delta", "signature": "c2ln"},
    )
    hidden = block(1, {"type": "redacted_thinking", "data": "eHg="})
    strange = block(2, {"type": "from_the_future", "what": 1})
    use = block(
        3,
        {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"command": "tr'},
        {"type": "input_json_delta", "partial_json": 'ue"}'},
    )
    first = sse(STARTED, *thought, *hidden, *strange, *use, stopped("tool_use"), OVER)
    async with canned(first, sse(STARTED, *TEXT, stopped("end_turn"), OVER)) as server:
        result = await ask_anthropic(server, tmp_path)

    assert result.answer == "Done."
    assert server.asked[1]["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "hm so", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eHg="},
        {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"command": "true"}},
    ]
    assert (result.usage.input_tokens, result.usage.output_tokens) == (200, 10)


@pytest.mark.parametrize(
    "broken",
    [
        sse(STARTED, *TEXT, stopped("end_turn")),
        sse(STARTED, *TEXT, stopped(None), OVER),
        sse(STARTED, *TEXT, OVER),
        sse(STARTED, *TEXT, stopped("tool_use"), OVER),
        sse(STARTED, {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "x"}}),
        sse(STARTED, {"type": "content_block_start", "index": 0}),
        sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        "event: message_start\ndata: [1, 2]\n\n",
        "",
        '{"not": "a stream"}',
    ],
)
async def test_a_stream_that_is_not_whole_is_asked_for_again(tmp_path: Path, broken: str) -> None:
    async with canned(broken, sse(STARTED, *TEXT, stopped("end_turn"), OVER)) as server:
        result = await ask_anthropic(server, tmp_path)

    assert result.answer == "Done."
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("reason", "error", "words"),
    [("refusal", AgentError, "declined"), ("model_context_window_exceeded", AgentLimit, "/new")],
)
async def test_a_stop_that_is_no_answer_is_an_error(
    tmp_path: Path, reason: str, error: type[AgentError], words: str
) -> None:
    async with canned(sse(STARTED, *TEXT, stopped(reason), OVER)) as server:
        with pytest.raises(error, match=words):
            await ask_anthropic(server, tmp_path)


async def test_an_error_in_the_stream_is_known_by_its_type(tmp_path: Path) -> None:
    refused = sse(STARTED, {"type": "error", "error": {"type": "billing_error", "message": "no money"}})
    async with canned(refused) as server:
        with pytest.raises(AgentLimit, match="no money"):
            await ask_anthropic(server, tmp_path)


def test_a_history_of_another_api_is_told_in_the_words_of_this_one() -> None:
    history = [
        Said(Role.USER, " "),
        Said(Role.MODEL, "I look.", (Call("c1", "bash", "{broken"),)),
        Said(Role.TOOLS, results=(CallResult("c1", "bash", "no", is_error=True),)),
        Said(Role.USER, "and?"),
    ]

    assert anthropic_messages(history) == [
        {"role": "user", "content": [{"type": "text", "text": "(nothing)"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c1", "name": "bash", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "no", "is_error": True},
                {"type": "text", "text": "and?"},
            ],
        },
    ]


# -------------------------------------------------------------------------------------------- OpenAI

DONE = "data: [DONE]\n\n"
ANSWER = sse(chunk({"content": "Done."}), chunk({}, "stop")) + DONE


def asked(delta: dict[str, Any]) -> dict[str, Any]:
    return chunk({"tool_calls": [delta]})


def function(name: str | None, arguments: str, **rest: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **rest}


@pytest.mark.parametrize(
    "calls",
    [
        [
            asked(function("bash", '{"command": ', index=0, id="a")),
            asked(function("bash", '{"command": "echo two"}', index=1, id="b")),
            asked(function(None, '"echo one"}', index=0)),
        ],
        [
            asked(function("bash", '{"command": "echo one"}', index=0, id="a")),
            asked(function("bash", '{"command": "echo two"}', index=0, id="b")),
        ],
        [
            asked(function("bash", '{"command": "echo one"}', id="a")),
            asked(function("bash", '{"command": "echo two"}', id="b")),
        ],
        [
            asked(function("bash", '{"command": "echo one"}', index=0)),
            asked(function("bash", '{"command": "echo two"}', index=1)),
        ],
    ],
    ids=["interleaved", "all numbered 0", "not numbered", "without ids"],
)
@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
async def test_calls_are_put_together_as_servers_send_them(
    tmp_path: Path, calls: list[dict[str, Any]], finish: str
) -> None:
    async with canned(sse(*calls, chunk({}, finish)) + DONE, ANSWER) as server:
        result = await ask_openai(server, tmp_path)

    assert result.answer == "Done."
    results = [each["content"] for each in server.asked[1]["messages"] if each["role"] == "tool"]
    assert results == ["one\n", "two\n"]
    ids = [each["tool_call_id"] for each in server.asked[1]["messages"] if each["role"] == "tool"]
    assert ids == [each["id"] for each in server.asked[1]["messages"][2]["tool_calls"]]
    assert len(set(ids)) == 2


async def test_a_server_without_usage_is_fine(tmp_path: Path) -> None:
    async with canned(ANSWER) as server:
        result = await ask_openai(server, tmp_path)

    assert (result.usage.input_tokens, result.usage.output_tokens, result.usage.cost) == (0, 0, None)


async def test_a_server_that_refuses_the_usage_option_is_asked_without(tmp_path: Path) -> None:
    async with canned("400 unknown field stream_options", ANSWER) as server:
        result = await ask_openai(server, tmp_path)

    assert result.answer == "Done."
    assert server.asked[0]["stream_options"] == {"include_usage": True}
    assert "stream_options" not in server.asked[1]


@pytest.mark.parametrize(
    "broken",
    [
        sse(chunk({"content": "half"})) + DONE,
        sse(chunk({"content": "half"})),
        sse(chunk({}, "tool_calls")) + DONE,
        sse({"error": {"message": "the server is overloaded"}}),
        "data: [1]\n\n",
        "data: {\n\n",
        "",
    ],
)
async def test_a_completion_that_is_not_whole_is_asked_for_again(tmp_path: Path, broken: str) -> None:
    async with canned(broken, ANSWER) as server:
        result = await ask_openai(server, tmp_path)

    assert result.answer == "Done."


async def test_a_filtered_answer_is_an_error(tmp_path: Path) -> None:
    async with canned(sse(chunk({"content": "half"}), chunk({}, "content_filter")) + DONE) as server:
        with pytest.raises(AgentError, match="content filter"):
            await ask_openai(server, tmp_path)


# -------------------------------------------------------------------------------------------- Ollama


async def test_ollama_that_does_not_answer_says_how_to_start_it(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        config = OllamaConfig(model="m", base_url=f"http://127.0.0.1:{held.getsockname()[1]}")

        ready = await build_ollama("sam", config, PassThrough(), tmp_path).ready()

    assert not ready.is_usable
    assert not ready.may_try
    assert "ollama serve" in ready.missing


@pytest.mark.parametrize(
    ("models", "usable"), [(["m"], True), (["m:latest"], True), (["m:7b", "other"], False), ([], False)]
)
async def test_ollama_has_the_model_or_says_how_to_get_it(tmp_path: Path, models: list[str], usable: bool) -> None:  # noqa: FBT001 - a column of the table
    async with FakeLLM(models=models) as llm:
        ready = await build_ollama(
            "sam", OllamaConfig(model="m", base_url=llm.ollama_base), PassThrough(), tmp_path
        ).ready()

    assert ready.is_usable is usable
    assert ready.may_try
    assert usable or "`ollama pull m`" in ready.missing


@pytest.mark.parametrize("looping", ["ollama"], indirect=True)
async def test_ollama_is_told_how_much_to_read_at_once(looping: Looping) -> None:
    looping.limits = {"context_tokens": 5000}
    looping.llm.script([Use("bash", command="true"), Words("Done.")])

    await looping.take()

    body = looping.llm.requests[-1].body
    assert body["options"] == {"num_ctx": 5000}
    assert body["messages"][-1]["tool_name"] == "bash"


# ------------------------------------------------------------------------------- keys and prices


@pytest.mark.parametrize(("build", "config"), [(build_anthropic, AnthropicConfig), (build_openai, OpenAIConfig)])
async def test_the_public_service_wants_a_key_and_a_private_one_may_not(
    tmp_path: Path, build: Any, config: Any
) -> None:
    keyless = build("sam", config(model="m"), PassThrough(), tmp_path)
    private = build("sam", config(model="m", base_url="http://127.0.0.1:9/v1"), PassThrough(), tmp_path)
    keyed = build("sam", config(model="m", api_key=f"key-{uuid4()}"), PassThrough(), tmp_path)

    missing = await keyless.ready()

    assert "agents.sam.api_key" in missing.missing
    assert not missing.is_usable
    assert (await private.ready()).is_usable
    assert (await keyed.ready()).is_usable
    with pytest.raises(AgentUnready, match=r"agents\.sam\.api_key"):
        await keyless.take_turn(turn_in(tmp_path), Notes(), nobody_asked)


def test_a_price_is_known_or_none() -> None:
    tokens = PricedTokens(input=100_000, output=100_000)
    cached = PricedTokens(input=100_000, output=100_000, cache_read=90_000)

    known = price(tokens, "claude-sonnet-4-5", provider="anthropic")
    cheaper = price(cached, "claude-sonnet-4-5", provider="anthropic")

    assert known == pytest.approx(1.8)
    assert cheaper is not None
    assert known is not None
    assert cheaper < known
    assert price(tokens, "no-such-model", provider="anthropic") is None
    assert price(tokens, "gpt-4o", api_url="https://api.openai.com/v1") == pytest.approx(1.25)
    assert price(tokens, "gpt-4o", api_url="http://127.0.0.1:9/v1") is None


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("", None), (None, None), ("Fri, 31 Dec", None)]
)
def test_retry_after_is_read(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header) == seconds
