"""What an answer took is read as it goes by, in whatever pieces; what is cut or silent is guessed, and said to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.agents import AGENTS
from adapters.gateway import Api, GatewayConfig, upstream, upstreams_of, without_keys
from adapters.gateway.addresses import Verdict
from adapters.gateway.asked import GUESSED_OUTPUT, Refused, read
from adapters.gateway.config import PriceConfig
from adapters.gateway.counting import MOST_HELD, Counter
from adapters.prices import PricedTokens
from core.model.errors import ConfigError

EVENTS, LINES, WHOLE = "text/event-stream; charset=utf-8", "application/x-ndjson", "application/json"
GUESS = (40, 1000)


def events(*each: Mapping[str, Any], done: bool = False) -> bytes:
    text = "".join(f"event: x\ndata: {json.dumps(one)}\n\n" for one in each)
    return (text + ("data: [DONE]\n\n" if done else "")).encode()


def counted(content_type: str, body: bytes, size: int = 7, *, ends: bool = True) -> Counter:
    counter = Counter(content_type)
    for start in range(0, len(body), size):
        counter.take(body[start : start + size])
    if ends:
        counter.finish()
    return counter


CACHED = {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
MESSAGE = {"model": "claude-a", "usage": {"input_tokens": 10, "output_tokens": 1, **CACHED}}
START = {"type": "message_start", "message": MESSAGE}
DELTA = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a" * 400}}
END = ({"type": "message_delta", "usage": {"output_tokens": 50}}, {"type": "message_stop"})
CHUNK = {
    "model": "gpt-a",
    "choices": [{"delta": {"content": "b" * 400, "tool_calls": [{"function": {"arguments": "{}"}}]}}],
}
LAST = {"model": "gpt-a", "choices": [], "usage": {
    "prompt_tokens": 30, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}}  # fmt: skip
COMPLETED = {"type": "response.completed", "response": {"model": "gpt-r", "usage": {
    "input_tokens": 12, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}}}  # fmt: skip
OLLAMA = {"model": "qwen", "message": {"content": ""}, "done": True, "prompt_eval_count": 9, "eval_count": 4}


@pytest.mark.parametrize(
    ("content_type", "body", "model", "expected"),
    [
        (EVENTS, events(START, DELTA, *END), "claude-a", PricedTokens(130, 50, 100, 20)),
        (EVENTS, events(CHUNK, LAST, done=True), "gpt-a", PricedTokens(30, 5, 8, 0)),
        (EVENTS, events({"type": "x.delta", "delta": "abc"}, COMPLETED), "gpt-r", PricedTokens(12, 3, 2)),
        (LINES, (json.dumps(OLLAMA) + "\n").encode(), "qwen", PricedTokens(9, 4)),
        (WHOLE, json.dumps(MESSAGE).encode(), "claude-a", PricedTokens(130, 1, 100, 20)),
        (WHOLE, json.dumps(LAST).encode(), "gpt-a", PricedTokens(30, 5, 8, 0)),
        (WHOLE, json.dumps({"model": "e", "usage": {"prompt_tokens": 6}}).encode(), "e", PricedTokens(6, 0)),
        (WHOLE, json.dumps(OLLAMA).encode(), "qwen", PricedTokens(9, 4)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_each_api_tells_what_it_took(
    content_type: str, body: bytes, model: str, expected: PricedTokens, size: int
) -> None:
    counter = counted(content_type, body, size)

    assert (counter.tokens(GUESS), counter.model) == (expected, model)
    assert counter.has_usage
    assert counter.is_over


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (EVENTS, events(START, DELTA), PricedTokens(130, 100, 100, 20)),
        (EVENTS, events(CHUNK), PricedTokens(40, 110)),
        (EVENTS, events({"type": "response.output_text.delta", "delta": "abcd"}), PricedTokens(40, 1)),
        (LINES, b'{"message": {"content": "12345678", "tool_calls": [1]}, "done": false}\n', PricedTokens(40, 2)),
        (LINES, b'{"response": "12345678", "done": false}\n', PricedTokens(40, 2)),
        (EVENTS, b"data: no json\n\n: a comment\n\ndata: [1]\n\n", PricedTokens(40, 9)),
        (WHOLE, b"\x1f\x8b packed, whatever was asked for", PricedTokens(40, 8)),
    ],
)
def test_what_is_cut_is_guessed_from_what_was_said(content_type: str, body: bytes, expected: PricedTokens) -> None:
    counter = counted(content_type, body, ends=False)

    tokens = counter.tokens(GUESS)
    assert abs(tokens.output - expected.output) <= 12
    assert (tokens.input, tokens.cache_read) == (expected.input, expected.cache_read)
    assert not (counter.has_usage and counter.is_over)


@pytest.mark.parametrize("content_type", [EVENTS, WHOLE])
def test_what_is_too_long_to_hold_is_passed_by(content_type: str) -> None:
    long = b"data: " + b"a" * (MOST_HELD + 10)
    counter = counted(content_type, long + b"\n\n" + events(LAST, done=True), 1_000_000)

    assert counter.has_usage is (content_type == EVENTS)
    assert counter.tokens(GUESS).input == (30 if content_type == EVENTS else 40)


def test_figures_that_are_none_are_not_counted() -> None:
    odd = {"usage": {"prompt_tokens": "many", "completion_tokens": -1, "input_tokens": True}, "choices": "none"}

    assert not counted(WHOLE, json.dumps(odd).encode()).has_usage


def test_own_prices_come_before_the_list_and_an_unknown_model_has_none() -> None:
    own = upstream("a", Api.OPENAI, "https://api.openai.com/v1", "k", (), {"mine": PriceConfig(input=2, output=10)})
    tokens = PricedTokens(1000, 100)

    assert own.micros(tokens, "mine") == 3_000
    assert own.micros(tokens, "nobody-knows", "gpt-4o") == 3_500
    assert own.micros(tokens, "nobody-knows") is None
    assert upstream("o", Api.OLLAMA, "http://127.0.0.1:1", "").micros(tokens, "qwen") == 0
    assert own.host == "api.openai.com"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"model": "m", "max_tokens": 7}, 7),
        ({"model": "m", "max_completion_tokens": 9}, 9),
        ({"model": "m", "max_output_tokens": 1_000_000}, GUESSED_OUTPUT),
        ({"model": 5, "max_tokens": "x"}, GUESSED_OUTPUT),
    ],
)
def test_what_a_request_may_take_is_guessed(asked: dict[str, object], expected: int) -> None:
    own = upstream("a", Api.OPENAI, "https://api.openai.com/v1", "k")

    found = read(own, "POST", f"{own.base}/responses", [], json.dumps(asked).encode())

    assert found.guess[1] == expected
    assert found.model == ("m" if asked["model"] == "m" else "")


def test_a_stream_is_asked_what_it_takes_unless_the_server_refuses_that() -> None:
    own = upstream("a", Api.OPENAI, "https://api.openai.com/v1", "k")
    url = f"{own.base}/chat/completions"
    body = json.dumps({"model": "m", "stream": True, "stream_options": {"x": 1}}).encode()
    good = json.dumps({"model": "m", "stream": True, "stream_options": {"include_usage": True}}).encode()

    added = json.loads(read(own, "POST", url, [], body).body)

    assert added["stream_options"] == {"x": 1, "include_usage": True}
    assert read(own, "POST", url, [], good).body == good
    assert read(own, "POST", url, [], body, asks_usage=False).body == body
    assert read(own, "GET", f"{own.base}/models", [], b"").is_free
    with pytest.raises(Refused):
        read(own, "POST", url, [], b"[]")


def test_keys_go_into_the_gateway_and_out_of_what_agents_are_built_from() -> None:
    sections = {
        "claude": AGENTS["anthropic"].config.model_validate({"model": "m", "api_key": "key-1"}),
        "open": AGENTS["openai"].config.model_validate({"model": "m"}),
        "own": AGENTS["ollama"].config.model_validate({"model": "m", "base_url": "http://gpu:11434"}),
        "tidy": AGENTS["command"].config.model_validate({"steps": [["true"]]}),
    }
    config = GatewayConfig.model_validate({"upstreams": {"lab": {"type": "openai", "base_url": "https://x.y/v1"}}})

    reach = upstreams_of(sections, config)
    keyless = {name: without_keys(each) for name, each in sections.items()}

    assert {name: [each.name for each in found] for name, found in reach.items()} == {
        "claude": ["claude"], "open": ["open"], "own": ["own"],
    }  # fmt: skip
    assert reach["claude"][0].key == "key-1"
    assert reach["own"][0].reach == {Verdict.PUBLIC, Verdict.PRIVATE}
    assert "key-1" not in repr(reach)
    keys = [getattr(each, "api_key", SecretStr("")).get_secret_value() for each in keyless.values()]
    assert "key-1" not in keys
    assert [bool(key) for key in keys] == [True, False, False, False]
    assert keyless["tidy"] is sections["tidy"]
    with pytest.raises(ConfigError, match="never called"):
        upstream("bad", Api.OPENAI, "http://169.254.169.254/v1", "")
