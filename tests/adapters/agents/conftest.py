"""The built-in loop over a scripted model, once for each API it speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.agents import AGENTS
from adapters.agents.anthropic import build as build_anthropic
from adapters.agents.config import LoopConfig
from adapters.agents.loop import Loop
from adapters.agents.ollama import build as build_ollama
from adapters.agents.openai import build as build_openai
from core.model.events import TurnAsk, TurnResult
from tests.adapters.agents.turns import Notes, NoWaiting, nobody_asked, turn_in
from tests.fakes.llm import FakeLLM
from tests.fakes.sandbox import PassThrough

BUILDS: dict[str, Any] = {"anthropic": build_anthropic, "openai": build_openai, "ollama": build_ollama}


@dataclass
class Looping:
    """An agent of one API, its scripted model, its checkout, and all that it noted."""

    api: str
    llm: FakeLLM
    folder: Path
    sessions: Path
    key: str = field(default_factory=lambda: f"key-{uuid4()}")
    clock: NoWaiting = field(default_factory=NoWaiting)
    notes: Notes = field(default_factory=Notes)
    sandbox: PassThrough = field(default_factory=PassThrough)
    limits: dict[str, Any] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return str(getattr(self.llm, f"{self.api}_base"))

    def agent(self, **entry: Any) -> Loop:
        key = {} if self.api == "ollama" else {"api_key": self.key}
        config = AGENTS[self.api].config.model_validate(
            {"type": self.api, "model": "scripted", "base_url": self.base_url, **key, **self.limits, **entry}
        )
        assert isinstance(config, LoopConfig)
        built = BUILDS[self.api]("sam", config, self.sandbox, self.sessions, self.clock)
        assert isinstance(built, Loop)
        return built

    def turn(self, prompt: str = "Do it.", **rest: Any) -> TurnAsk:
        return turn_in(self.folder, prompt, **rest)

    async def take(self, turn: TurnAsk | None = None) -> TurnResult:
        return await self.agent().take_turn(turn or self.turn(), self.notes, nobody_asked)

    def results(self, number: int = -1) -> list[str]:
        """What the calls before request `number` gave, as the model reads it, in order."""
        messages = self.llm.requests[number].body["messages"]
        if self.api == "anthropic":
            return [each["content"] for each in messages[-1]["content"] if each["type"] == "tool_result"]
        last = max(place for place, each in enumerate(messages) if each["role"] == "assistant")
        return [each["content"] for each in messages[last + 1 :] if each["role"] == "tool"]

    def prompt(self, number: int = -1) -> str:
        """The person's words that end request `number`."""
        content = self.llm.requests[number].body["messages"][-1]["content"]
        return content if isinstance(content, str) else str(content[-1]["text"])


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    async with FakeLLM() as llm:
        yield llm


@pytest.fixture(params=sorted(BUILDS))
def looping(request: pytest.FixtureRequest, llm: FakeLLM, tmp_path: Path) -> Looping:
    folder = tmp_path / "checkout"
    folder.mkdir()
    return Looping(request.param, llm, folder, tmp_path / "sessions")
