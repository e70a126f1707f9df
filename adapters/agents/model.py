"""The words between the built-in loop and a language model, whoever provides it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from adapters.agents.caps import believed, reset_in, reset_of
from core.model.errors import AgentError, AgentLimit, AgentUnready
from core.model.events import Readiness
from core.model.spend import Door
from core.model.work import Usage

CONNECT_SECONDS = 10.0
"""The most that opening a connection to a model may take."""
SILENCE_SECONDS = 300.0
"""The longest pause in a reply; a local model reads a long prompt for minutes before its first word."""
DETAIL_CHARS = 300
"""How much of a provider's own words a person is shown."""

OnText = Callable[[str], None]


class Role(StrEnum):
    USER = "user"
    MODEL = "model"
    TOOLS = "tools"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the model wants to use. `arguments` is JSON as the model wrote it, not yet looked at."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call gave, for the model to read."""

    id: str
    name: str
    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of the history: the person's words, the model's with its calls, or the results of all those calls.

    `native`: the provider's own form of the model's words as JSON, where it must be given back unchanged, else empty.
    """

    role: Role
    text: str = ""
    calls: tuple[Call, ...] = ()
    results: tuple[CallResult, ...] = ()
    native: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """`schema` is a flat JSON schema of an object: some models drop a tool that has `anyOf`."""

    name: str
    about: str
    schema: Mapping[str, Any]


class Stop(StrEnum):
    END = "end"
    CUT = "cut"
    """At the most one reply may have."""


@dataclass(frozen=True, slots=True)
class ModelReply:
    text: str
    calls: tuple[Call, ...] = ()
    usage: Usage = field(default_factory=Usage)
    stop: Stop = Stop.END
    native: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.text.strip() and not self.calls


class Model(Protocol):
    async def reply(self, history: Sequence[Said], tools: Sequence[Tool], on_text: OnText) -> ModelReply:
        """One whole reply; `on_text` sees its words as they come. TryAgain, TooLong, AgentError and its kin."""


class Provider(Protocol):
    """Where a model lives."""

    async def ready(self) -> Readiness:
        """As in the Agent port."""

    def talk(self, model: str, system: str, door: Door | None) -> AbstractAsyncContextManager[Model]:
        """The connection of one turn, by its door where it has one. AgentUnready."""


class TryAgain(Exception):
    """This reply failed and another may not. `seconds`: how long the provider asks to wait, or None."""

    def __init__(self, text: str, seconds: float | None = None) -> None:
        super().__init__(text)
        self.seconds = seconds


class Outage(TryAgain):
    """The provider did not answer, broke off, or said that it cannot."""


class AtCap(TryAgain):
    """A limit of the provider is reached. `is_over`: waiting helps only where it is known until when."""

    def __init__(self, text: str, refused: Refused, *, is_over: bool) -> None:
        super().__init__(text, refused.seconds)
        self.is_over, self._refused = is_over, refused

    def reset(self, now: datetime) -> datetime | None:
        """None: nobody knows."""
        if self.seconds is not None:
            return believed(now + timedelta(seconds=min(self.seconds, 1e9)), now)
        return reset_of(self._refused.headers, now) or reset_in(self._refused.detail, now)


class TooLong(AgentLimit):
    """The history is longer than the model can read."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A provider's refusal. `agent` is the name in the configuration, `seconds` what `retry-after` says.

    `headers`: those of the answer, names in lower case.
    """

    agent: str
    model: str
    status: int
    detail: str
    seconds: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def error(self) -> Exception:
        """What to raise: TryAgain where waiting helps, else what the person should read."""
        words = self.detail.lower()
        if self.status in {401, 403}:
            return AgentUnready(
                f"{self.agent}: the provider refused the key (HTTP {self.status}). "
                f"Check `agents.{self.agent}.api_key`, then try again."
            )
        if self.status == 402 or any(each in words for each in _SPENT):
            return AgentLimit(
                f"{self.agent}: the provider's usage cap is reached, and nobody knows when it resets: {self.short}. "
                "Mend that with the provider, or say it again with another agent; /agents lists them."
            )
        if any(each in words for each in _CAPS):
            return AtCap(f"{self.agent}: the provider's usage cap is reached: {self.short}", self, is_over=True)
        if any(each in words for each in _TOO_LONG):
            return TooLong(
                f"{self.agent}: the talk has grown longer than {self.model} can read. Begin a new one with /new."
            )
        if self.status >= 500:
            return Outage(f"HTTP {self.status}: {self.short}", self.seconds)
        if self.status == 429:
            return AtCap(f"HTTP 429: {self.short}", self, is_over=False)
        if self.status in {408, 409, 425}:
            return TryAgain(f"HTTP {self.status}: {self.short}", self.seconds)
        if self.status == 404:
            return AgentError(
                f"{self.agent}: there is no model `{self.model}` there (HTTP 404: {self.short}). "
                f"Check `agents.{self.agent}.model` and `agents.{self.agent}.base_url`."
            )
        return AgentError(f"{self.agent}: the provider refused the request (HTTP {self.status}): {self.short}")

    @property
    def short(self) -> str:
        return " ".join(self.detail.split())[:DETAIL_CHARS] or "no reason was given"


def parse_arguments(call: Call) -> dict[str, Any] | None:
    """The arguments as an object; None: the model wrote no JSON object, or characters that no file can hold."""
    try:
        read = json.loads(call.arguments or "{}")
        json.dumps(read, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def plain(text: str) -> str:
    """Without lone surrogates, which no request can carry."""
    return text.encode(errors="replace").decode()


def seconds_of(header: str | None) -> float | None:
    """A `retry-after` in seconds; a date or nonsense is None."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


_SPENT = ("insufficient_quota", "credit balance", "spend limit")
"""Nothing comes back by waiting."""
_CAPS = ("usage limit", "billing", "exceeded your current quota")
_TOO_LONG = ("prompt is too long", "context length", "context_length", "context window", "maximum context")
