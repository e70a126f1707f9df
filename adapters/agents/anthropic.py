"""Claude over the Anthropic API, by its raw stream: a stream that was cut or garbled must not pass for an answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.agents.config import AnthropicConfig
from adapters.agents.http import GATEWAY, Breath, base_url, client, verify
from adapters.agents.key import Key
from adapters.agents.loop import Loop
from adapters.agents.model import (
    CONNECT_SECONDS,
    SILENCE_SECONDS,
    Call,
    Model,
    ModelReply,
    OnText,
    Outage,
    Refused,
    Role,
    Said,
    Stop,
    Tool,
    TooLong,
    TryAgain,
    parse_arguments,
    plain,
    seconds_of,
)
from adapters.agents.warm import canned, rehearse
from adapters.prices import PricedTokens, price
from core.model.errors import AgentError
from core.model.events import Readiness
from core.model.spend import Door
from core.model.work import Usage
from core.ports import Agent, Circuit, Clock, Sandbox

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

PUBLIC_URL = "https://api.anthropic.com"
REPLY_TOKENS = 16_000
"""The most of one reply; the API wants a figure. One that is cut there is asked to go on."""
CACHE = {"type": "ephemeral"}


def build(
    name: str,
    config: AnthropicConfig,
    sandbox: Sandbox,
    sessions: Path,
    clock: Clock | None = None,
    circuit: Circuit | None = None,
) -> Agent:
    return Loop(name, config, _Anthropic(name, config), sandbox, sessions, clock, circuit)


class _Anthropic:
    def __init__(self, name: str, config: AnthropicConfig) -> None:
        self._name, self._config = name, config
        self._key = Key(name, "ANTHROPIC_API_KEY", PUBLIC_URL, config.base_url, config.api_key)

    async def ready(self) -> Readiness:
        about = self._config.about or f"built-in loop, Anthropic API, {self._config.model}"
        return self._key.readiness(about)

    @asynccontextmanager
    async def talk(self, model: str, system: str, door: Door | None = None) -> AsyncIterator[Model]:
        self._key.check()
        async with client(partial(self._connect, door)) as connected:
            yield _Claude(self._name, connected, model, system)

    def _connect(self, door: Door | None) -> AsyncAnthropic:
        def rehearsal() -> Model:
            return _Claude(self._name, self._connected(canned(REHEARSAL)), self._config.model, "")

        rehearse("anthropic", rehearsal)
        from anthropic import DefaultAsyncHttpxClient  # noqa: PLC0415 - imported when used, and rehearsed

        if door is None:
            return self._connected(DefaultAsyncHttpxClient(verify=verify(self._config.base_url)))
        import httpx2  # noqa: PLC0415 - imported when used

        transport = httpx2.AsyncHTTPTransport(uds=door.socket, verify=verify(GATEWAY))
        return self._connected(DefaultAsyncHttpxClient(transport=transport), door)

    def _connected(self, http: httpx2.AsyncClient, door: Door | None = None) -> AsyncAnthropic:
        import httpx2  # noqa: PLC0415 - imported when used
        from anthropic import AsyncAnthropic  # noqa: PLC0415 - imported when used

        return AsyncAnthropic(
            api_key=door.token if door else self._key.value,
            base_url=base_url(door, self._config.base_url),
            max_retries=0,
            timeout=httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
            http_client=http,
        )


class _Claude:
    def __init__(self, agent: str, connected: AsyncAnthropic, model: str, system: str) -> None:
        self._agent, self._client, self._model, self._system = agent, connected, model, system

    async def reply(self, history: Sequence[Said], tools: Sequence[Tool], on_text: OnText) -> ModelReply:
        import anthropic  # noqa: PLC0415 - imported when used
        import httpx2  # noqa: PLC0415 - imported when used

        heard, breath = _Heard(on_text), Breath()
        try:
            async with await self._client.messages.create(**self._request(history, tools)) as stream:
                async for event in stream:
                    heard.take(event)
                    await breath.take()
        except anthropic.APIStatusError as error:
            raise self._refused(error) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise Outage(f"the connection failed ({type(error).__name__})") from error
        except (anthropic.APIError, ValueError, AttributeError, KeyError, TypeError) as error:
            raise TryAgain(f"the stream was malformed ({type(error).__name__})") from error
        return self._checked(heard)

    def _request(self, history: Sequence[Said], tools: Sequence[Tool]) -> dict[str, Any]:
        return {
            "model": self._model,
            "max_tokens": REPLY_TOKENS,
            "system": [{"type": "text", "text": self._system, "cache_control": CACHE}],
            "messages": messages(history),
            "tools": [
                {"name": each.name, "description": each.about, "input_schema": dict(each.schema)} for each in tools
            ],
            "cache_control": CACHE,
            "stream": True,
        }

    def _refused(self, error: Any) -> Exception:  # noqa: ANN401 - its package is not imported yet
        """An error in the middle of a stream comes with the status of its beginning, 200: its type says more."""
        body = error.body if isinstance(error.body, dict) else {}
        inner = body.get("error")
        inner = inner if isinstance(inner, dict) else {}
        status = _STATUS_OF_TYPE.get(str(inner.get("type")), error.status_code)
        seconds = seconds_of(error.response.headers.get("retry-after"))
        detail = str(inner.get("message") or error.message)
        status = status if status >= 400 else 500
        return Refused(self._agent, self._model, status, detail, seconds, error.response.headers).error()

    def _checked(self, heard: _Heard) -> ModelReply:
        if not heard.is_over or heard.stop_reason is None:
            raise Outage("the stream ended before the reply did")
        if heard.stop_reason == "refusal":
            raise AgentError(f"{self._agent}: the model declined to answer. Say it in other words.")
        if heard.stop_reason == "model_context_window_exceeded":
            raise TooLong(f"{self._agent}: the talk has grown longer than the model can read. Begin anew with /new.")
        calls = heard.calls
        if heard.stop_reason == "tool_use" and not calls:
            raise TryAgain("the model called for a tool without saying which")
        cost = price(heard.tokens, self._model, provider="anthropic")
        return ModelReply(
            heard.text,
            calls,
            Usage(heard.tokens.input, heard.tokens.output, cost),
            Stop.CUT if heard.stop_reason in {"max_tokens", "pause_turn"} else Stop.END,
            json.dumps(heard.native(calls)),
        )


class _Heard:
    """A reply as it streams in."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._blocks: dict[int, dict[str, Any]] = {}
        self._counts: dict[str, int] = {}
        self.stop_reason: str | None = None
        self.is_over = False

    def take(self, event: Any) -> None:  # noqa: ANN401 - the package does not check what it parses
        match event.type:
            case "message_start":
                self._count(event.message.usage)
            case "content_block_start":
                self._blocks[event.index] = _block(event.content_block)
            case "content_block_delta":
                self._grow(self._blocks[event.index], event.delta)
            case "message_delta":
                self.stop_reason = event.delta.stop_reason
                self._count(event.usage)
            case "message_stop":
                self.is_over = True

    def _grow(self, block: dict[str, Any], delta: Any) -> None:  # noqa: ANN401 - as above
        match delta.type:
            case "text_delta":
                block["text"] += plain(delta.text)
                self._on_text(plain(delta.text))
            case "input_json_delta":
                block["input"] += delta.partial_json
            case "thinking_delta":
                block["thinking"] += plain(delta.thinking)
            case "signature_delta":
                block["signature"] += delta.signature

    def _count(self, usage: Any) -> None:  # noqa: ANN401 - as above
        """The figures are totals; the last one seen of each stands."""
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            if (figure := getattr(usage, name, None)) is not None:
                self._counts[name] = figure

    @property
    def text(self) -> str:
        return "".join(each["text"] for each in self._blocks.values() if each["type"] == "text")

    @property
    def calls(self) -> tuple[Call, ...]:
        uses = (each for each in self._blocks.values() if each["type"] == "tool_use")
        return tuple(Call(each["id"], each["name"], each["input"]) for each in uses)

    @property
    def tokens(self) -> PricedTokens:
        read = self._counts.get("cache_read_input_tokens", 0)
        write = self._counts.get("cache_creation_input_tokens", 0)
        fresh = self._counts.get("input_tokens", 0)
        return PricedTokens(fresh + read + write, self._counts.get("output_tokens", 0), read, write)

    def native(self, calls: Sequence[Call]) -> list[dict[str, Any]]:
        """The blocks as the API takes them back; thinking must come back unchanged, with its signature."""
        inputs = {each.id: parse_arguments(each) or {} for each in calls}
        return [
            {**each, "input": inputs[each["id"]]} if each["type"] == "tool_use" else each
            for each in self._blocks.values()
            if each["type"] != "unknown" and (each["type"] != "text" or each["text"].strip())
        ]


def _block(started: Any) -> dict[str, Any]:  # noqa: ANN401 - the package does not check what it parses
    match started.type:
        case "text":
            return {"type": "text", "text": plain(started.text or "")}
        case "tool_use":
            given = json.dumps(started.input) if started.input else ""
            return {"type": "tool_use", "id": started.id, "name": started.name, "input": given}
        case "thinking":
            return {"type": "thinking", "thinking": plain(started.thinking or ""), "signature": started.signature or ""}
        case "redacted_thinking":
            return {"type": "redacted_thinking", "data": started.data}
    return {"type": "unknown"}


def messages(history: Sequence[Said]) -> list[dict[str, Any]]:
    """The history in turns of user and assistant, as the API wants it: neighbours of one role become one."""
    turns: list[dict[str, Any]] = []
    for said in history:
        role = "assistant" if said.role is Role.MODEL else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(_content(said))
        else:
            turns.append({"role": role, "content": _content(said)})
    return turns


def _content(said: Said) -> list[dict[str, Any]]:
    if said.role is Role.USER:
        return [{"type": "text", "text": plain(said.text) if said.text.strip() else "(nothing)"}]
    if said.role is Role.TOOLS:
        return [
            {"type": "tool_result", "tool_use_id": each.id, "content": plain(each.text), "is_error": each.is_error}
            for each in said.results
        ]
    if said.native:
        return list(json.loads(said.native))
    text = [{"type": "text", "text": said.text}] if said.text.strip() else []
    calls = [
        {"type": "tool_use", "id": each.id, "name": each.name, "input": parse_arguments(each) or {}}
        for each in said.calls
    ]
    return [*text, *calls]


_STATUS_OF_TYPE = {
    "overloaded_error": 529,
    "api_error": 500,
    "timeout_error": 504,
    "rate_limit_error": 429,
    "billing_error": 402,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
}
"""platform.claude.com/docs/en/api/errors"""

_USAGE = {"input_tokens": 1, "output_tokens": 1}
_MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": _USAGE}
_CALL = {"type": "tool_use", "id": "t", "name": "bash", "input": {}}
_EVENTS: Sequence[dict[str, Any]] = (
    {"type": "message_start", "message": {**_MESSAGE, "stop_reason": None, "stop_sequence": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "words"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": _CALL},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": _USAGE},
    {"type": "message_stop"},
)
REHEARSAL = tuple((str(each["type"]), each) for each in _EVENTS)
