"""AGENTS: the kinds of agent there are. A new one is a file here and a line in the table below.

An entry is imported when it is first used: the packages of the models cost 60 MB and 1.5 s together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from adapters.agents.config import AnthropicConfig, CommandConfig, OllamaConfig, OpenAIConfig
from adapters.straight import NoCircuits
from core.ports import Agent, Circuit, Circuits, Sandbox


@dataclass(frozen=True, slots=True)
class AgentTools:
    """What wiring gives every agent: the sandbox, a folder for sessions (made when needed), and circuits."""

    sandbox: Sandbox
    sessions: Path
    circuits: Circuits = field(default_factory=NoCircuits)

    def circuit_to(self, url: str) -> Circuit:
        """Agents whose models live at one address share it."""
        address = urlsplit(url).netloc.rpartition("@")[2]
        return self.circuits.circuit(address, address)


@dataclass(frozen=True, slots=True)
class AgentKind:
    """`config` is the model of one entry under `agents:` whose `type` is this key."""

    config: type[BaseModel]
    build: Callable[[str, Any, AgentTools], Agent]


def _anthropic(name: str, config: AnthropicConfig, tools: AgentTools) -> Agent:
    from adapters.agents.anthropic import build  # noqa: PLC0415 - imported when used

    return build(name, config, tools.sandbox, tools.sessions, circuit=tools.circuit_to(config.base_url))


def _openai(name: str, config: OpenAIConfig, tools: AgentTools) -> Agent:
    from adapters.agents.openai import build  # noqa: PLC0415 - imported when used

    return build(name, config, tools.sandbox, tools.sessions, circuit=tools.circuit_to(config.base_url))


def _ollama(name: str, config: OllamaConfig, tools: AgentTools) -> Agent:
    from adapters.agents.ollama import build  # noqa: PLC0415 - imported when used

    return build(name, config, tools.sandbox, tools.sessions, circuit=tools.circuit_to(config.base_url))


def _command(name: str, config: CommandConfig, tools: AgentTools) -> Agent:
    from adapters.agents.command import Command  # noqa: PLC0415 - imported when used

    return Command(name, config, tools.sandbox)


AGENTS: Mapping[str, AgentKind] = {
    "anthropic": AgentKind(AnthropicConfig, _anthropic),
    "openai": AgentKind(OpenAIConfig, _openai),
    "ollama": AgentKind(OllamaConfig, _ollama),
    "command": AgentKind(CommandConfig, _command),
}
