"""Any endpoint that speaks OpenAI's chat completions: OpenAI itself, and the many servers that do as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.agents.config import OpenAIConfig
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
    from openai import AsyncOpenAI

PUBLIC_URL = "https://api.openai.com/v1"


def build(
    name: str,
    config: OpenAIConfig,
    sandbox: Sandbox,
    sessions: Path,
    clock: Clock | None = None,
    circuit: Circuit | None = None,
) -> Agent:
    return Loop(name, config, _OpenAI(name, config), sandbox, sessions, clock, circuit)


class _OpenAI:
    def __init__(self, name: str, config: OpenAIConfig) -> None:
        self._name, self._config = name, config
        self._key = Key(name, "OPENAI_API_KEY", PUBLIC_URL, config.base_url, config.api_key)

    async def ready(self) -> Readiness:
        where = "OpenAI API" if self._key.is_public else self._config.base_url
        about = self._config.about or f"built-in loop, {where}, {self._config.model}"
        return self._key.readiness(about)

    @asynccontextmanager
    async def talk(self, model: str, system: str, door: Door | None = None) -> AsyncIterator[Model]:
        self._key.check()
        async with client(partial(self._connect, door)) as connected:
            yield _Completions(self._name, connected, model, system, self._config.base_url)

    def _connect(self, door: Door | None) -> AsyncOpenAI:
        def rehearsal() -> Model:
            connected = self._connected(canned(REHEARSAL))
            return _Completions(self._name, connected, self._config.model, "", self._config.base_url)

        rehearse("openai", rehearsal)
        from openai import DefaultAsyncHttpxClient  # noqa: PLC0415 - imported when used, and rehearsed

        if door is None:
            return self._connected(DefaultAsyncHttpxClient(verify=verify(self._config.base_url)))
        import httpx2  # noqa: PLC0415 - imported when used

        transport = httpx2.AsyncHTTPTransport(uds=door.socket, verify=verify(GATEWAY))
        return self._connected(DefaultAsyncHttpxClient(transport=transport), door)

    def _connected(self, http: httpx2.AsyncClient, door: Door | None = None) -> AsyncOpenAI:
        import httpx2  # noqa: PLC0415 - imported when used
        from openai import AsyncOpenAI  # noqa: PLC0415 - imported when used

        return AsyncOpenAI(
            api_key=door.token if door else self._key.value,
            base_url=base_url(door, self._config.base_url, "/v1"),
            max_retries=0,
            timeout=httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
            http_client=http,
        )


class _Completions:
    def __init__(self, agent: str, connected: AsyncOpenAI, model: str, system: str, url: str) -> None:
        self._agent, self._client, self._model, self._system, self._url = agent, connected, model, system, url
        self._asks_usage = True
        """False once the server has refused the option."""

    async def reply(self, history: Sequence[Said], tools: Sequence[Tool], on_text: OnText) -> ModelReply:
        import httpx2  # noqa: PLC0415 - imported when used
        import openai  # noqa: PLC0415 - imported when used

        heard, breath = _Heard(on_text), Breath()
        try:
            async with await self._client.chat.completions.create(**self._request(history, tools)) as stream:
                async for chunk in stream:
                    heard.take(chunk)
                    await breath.take()
        except openai.APIStatusError as error:
            raise self._refused(error) from error
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            raise Outage(f"the connection failed ({type(error).__name__})") from error
        except openai.APIError as error:
            raise Refused(self._agent, self._model, 500, error.message).error() from error
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise TryAgain(f"the stream was malformed ({type(error).__name__})") from error
        return self._checked(heard)

    def _request(self, history: Sequence[Said], tools: Sequence[Tool]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "system", "content": self._system}, *messages(history)],
            "tools": [
                {
                    "type": "function",
                    "function": {"name": each.name, "description": each.about, "parameters": dict(each.schema)},
                }
                for each in tools
            ],
            "stream": True,
        }
        return {**request, "stream_options": {"include_usage": True}} if self._asks_usage else request

    def _refused(self, error: Any) -> Exception:  # noqa: ANN401 - its package is not imported yet
        body = error.body if isinstance(error.body, dict) else {}
        detail = f"{body.get('message') or error.message} {body.get('code') or ''}"
        if error.status_code == 400 and self._asks_usage and "stream_options" in detail:
            self._asks_usage = False
            return TryAgain("the server does not know stream_options")
        seconds = seconds_of(error.response.headers.get("retry-after"))
        headers = error.response.headers
        return Refused(self._agent, self._model, error.status_code, detail, seconds, headers).error()

    def _checked(self, heard: _Heard) -> ModelReply:
        if heard.finish is None:
            raise Outage("the stream ended before the reply did")
        if heard.finish == "content_filter":
            raise AgentError(f"{self._agent}: the provider's content filter stopped the answer. Say it differently.")
        calls = heard.calls
        if heard.finish == "tool_calls" and not calls:
            raise TryAgain("the model called for a tool without saying which")
        cost = price(heard.tokens, self._model, api_url=self._url)
        return ModelReply(
            heard.text,
            calls,
            Usage(heard.tokens.input, heard.tokens.output, cost),
            Stop.CUT if heard.finish == "length" else Stop.END,
        )


@dataclass
class _Asked:
    """A call as it streams in."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class _Heard:
    """A reply as it streams in."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._asked: list[_Asked] = []
        self._of_index: dict[int, _Asked] = {}
        self.text = ""
        self.finish: str | None = None
        self.tokens = PricedTokens()

    def take(self, chunk: Any) -> None:  # noqa: ANN401 - the package does not check what it parses
        if chunk.usage is not None:
            self._count(chunk.usage)
        for choice in chunk.choices[:1]:
            if words := plain(choice.delta.content or getattr(choice.delta, "refusal", None) or ""):
                self.text += words
                self._on_text(words)
            for each in choice.delta.tool_calls or ():
                self._grow(each)
            self.finish = choice.finish_reason or self.finish

    def _grow(self, delta: Any) -> None:  # noqa: ANN401 - as above
        """Pieces of a call share an index; some servers number all calls 0 and begin each with an id of its own."""
        index = delta.index if delta.index is not None else len(self._asked)
        asked = self._of_index.get(index)
        if asked is None or (delta.id and asked.id and delta.id != asked.id):
            asked = self._of_index[index] = _Asked()
            self._asked.append(asked)
        asked.id = asked.id or delta.id or ""
        asked.name = asked.name or delta.function.name or ""
        asked.arguments += delta.function.arguments or ""

    def _count(self, usage: Any) -> None:  # noqa: ANN401 - as above
        details = getattr(usage, "prompt_tokens_details", None)
        cached = getattr(details, "cached_tokens", None) or 0
        self.tokens = PricedTokens(usage.prompt_tokens or 0, usage.completion_tokens or 0, cache_read=cached)

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(
            Call(each.id or f"call_{number}", each.name, each.arguments) for number, each in enumerate(self._asked, 1)
        )


def messages(history: Sequence[Said]) -> list[dict[str, Any]]:
    return [message for said in history for message in _messages(said)]


def _messages(said: Said) -> list[dict[str, Any]]:
    if said.role is Role.USER:
        return [{"role": "user", "content": plain(said.text)}]
    if said.role is Role.TOOLS:
        return [
            {
                "role": "tool",
                "tool_call_id": each.id,
                "content": plain(f"Error: {each.text}" if each.is_error else each.text),
            }
            for each in said.results
        ]
    if not said.calls:
        return [{"role": "assistant", "content": said.text}]
    return [{"role": "assistant", "content": said.text or None, "tool_calls": [_call(each) for each in said.calls]}]


def _call(call: Call) -> dict[str, Any]:
    """Servers read the arguments of the history again, so what was no JSON goes back as an empty object."""
    arguments = "{}" if parse_arguments(call) is None else call.arguments or "{}"
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}


_FUNCTION = {"name": "bash", "arguments": "{}"}
_CALL = {"index": 0, "id": "t", "type": "function", "function": _FUNCTION}
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
REHEARSAL: Sequence[tuple[str, dict[str, Any]]] = (
    ("", _chunk({"role": "assistant", "content": "words"})),
    ("", _chunk({"tool_calls": [_CALL]})),
    ("", {**_chunk({}, "tool_calls"), "usage": _USAGE}),
)
