"""Models that run on a machine of one's own, over Ollama's API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from adapters.agents.config import OllamaConfig
from adapters.agents.http import Breath, base_url, verify
from adapters.agents.http import client as closing
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
)
from core.model.errors import AgentUnready
from core.model.events import Readiness
from core.model.spend import Door
from core.model.work import Usage
from core.ports import Agent, Circuit, Clock, Sandbox

if TYPE_CHECKING:
    from ollama import AsyncClient

READY_SECONDS = 2.0
"""What /agents waits for an answer."""


def build(
    name: str,
    config: OllamaConfig,
    sandbox: Sandbox,
    sessions: Path,
    clock: Clock | None = None,
    circuit: Circuit | None = None,
) -> Agent:
    return Loop(name, config, _Ollama(name, config), sandbox, sessions, clock, circuit)


class _Ollama:
    def __init__(self, name: str, config: OllamaConfig) -> None:
        self._name, self._config = name, config

    async def ready(self) -> Readiness:
        about = self._config.about or f"built-in loop, Ollama at {self._config.base_url}, {self._config.model}"
        missing, answers = await self._missing()
        return Readiness(about, is_usable=not missing, missing=missing, may_try=answers)

    async def _missing(self) -> tuple[str, bool]:
        """Empty: it has the model. True: something answers there, and a proxy need not list all it has."""
        limit = aiohttp.ClientTimeout(total=READY_SECONDS)
        url = f"{self._config.base_url.rstrip('/')}/api/tags"
        try:
            async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as answer:
                listed = (await answer.json(content_type=None))["models"]
                names = {each.get("name") or each.get("model") for each in listed}
        except (aiohttp.ClientError, TimeoutError):
            how = "start it (`ollama serve`), or set OLLAMA_HOST"
            return f"Ollama does not answer at {self._config.base_url}: {how}", False
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"what answers at {self._config.base_url} does not list its models as Ollama does", True
        wanted = self._config.model
        is_there = bool(names & {wanted, f"{wanted}:latest"})
        return "" if is_there else f"Ollama does not have the model: `ollama pull {wanted}`", True

    @asynccontextmanager
    async def talk(self, model: str, system: str, door: Door | None = None) -> AsyncIterator[Model]:
        async with closing(partial(self._connect, door)) as connected:
            yield _Chat(self._name, connected, model, system, self._config)

    def _connect(self, door: Door | None) -> AsyncClient:
        import httpx  # noqa: PLC0415 - imported when used
        from ollama import AsyncClient  # noqa: PLC0415 - imported when used

        from adapters.agents.ollama_lines import WholeLines  # noqa: PLC0415 - imported when used

        return AsyncClient(
            base_url(door, self._config.base_url),
            timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
            headers={"Authorization": f"Bearer {door.token}"} if door else {},
            transport=WholeLines(
                uds=door.socket if door else None, verify=verify(base_url(door, self._config.base_url))
            ),
        )


class _Chat:
    def __init__(self, agent: str, connected: AsyncClient, model: str, system: str, config: OllamaConfig) -> None:
        self._agent, self._client, self._model, self._system, self._config = agent, connected, model, system, config

    async def reply(self, history: Sequence[Said], tools: Sequence[Tool], on_text: OnText) -> ModelReply:
        import httpx  # noqa: PLC0415 - imported when used
        import ollama  # noqa: PLC0415 - imported when used

        heard, breath = _Heard(on_text, sum(len(each.calls) for each in history)), Breath()
        try:
            async for part in await self._client.chat(**self._request(history, tools)):
                heard.take(part)
                await breath.take()
        except ollama.ResponseError as error:
            raise self._refused(error) from error
        except (httpx.HTTPError, ConnectionError) as error:
            raise Outage(
                f"Ollama at {self._config.base_url} could not be reached or broke off ({type(error).__name__})"
            ) from error
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise TryAgain(f"the stream was malformed ({type(error).__name__})") from error
        return self._checked(heard)

    def _request(self, history: Sequence[Said], tools: Sequence[Tool]) -> dict[str, Any]:
        return {
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
            "options": {"num_ctx": self._config.context_tokens},
        }

    def _refused(self, error: Any) -> Exception:  # noqa: ANN401 - its package is not imported yet
        """In the middle of a stream there is no status: -1."""
        if error.status_code == 404:
            return AgentUnready(f"{self._agent}: Ollama does not have the model: `ollama pull {self._model}`.")
        status = error.status_code if error.status_code >= 400 else 500
        return Refused(self._agent, self._model, status, str(error.error)).error()

    @staticmethod
    def _checked(heard: _Heard) -> ModelReply:
        if not heard.is_over:
            raise Outage("the stream ended before the reply did")
        stop = Stop.CUT if heard.reason == "length" else Stop.END
        return ModelReply(heard.text, tuple(heard.calls), heard.usage, stop)


class _Heard:
    """A reply as it streams in. Calls have no ids there, so they are numbered through the history."""

    def __init__(self, on_text: OnText, calls_before: int) -> None:
        self._on_text, self._calls_before = on_text, calls_before
        self.text = ""
        self.calls: list[Call] = []
        self.usage = Usage()
        self.is_over = False
        self.reason = ""

    def take(self, part: Any) -> None:  # noqa: ANN401 - its package is not imported yet
        if words := plain(part.message.content or ""):
            self.text += words
            self._on_text(words)
        for each in part.message.tool_calls or ():
            number = self._calls_before + len(self.calls) + 1
            self.calls.append(Call(f"call_{number}", each.function.name, json.dumps(dict(each.function.arguments))))
        if part.done:
            self.is_over, self.reason = True, part.done_reason or ""
            self.usage = Usage(part.prompt_eval_count or 0, part.eval_count or 0)


def messages(history: Sequence[Said]) -> list[dict[str, Any]]:
    return [message for said in history for message in _messages(said)]


def _messages(said: Said) -> list[dict[str, Any]]:
    if said.role is Role.USER:
        return [{"role": "user", "content": plain(said.text)}]
    if said.role is Role.TOOLS:
        return [
            {
                "role": "tool",
                "tool_name": each.name,
                "content": plain(f"Error: {each.text}" if each.is_error else each.text),
            }
            for each in said.results
        ]
    calls = [{"function": {"name": each.name, "arguments": parse_arguments(each) or {}}} for each in said.calls]
    return [{"role": "assistant", "content": said.text, **({"tool_calls": calls} if calls else {})}]
