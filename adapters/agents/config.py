"""The entries under `agents:` in the configuration, one model for each `type`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str = ""
    """A few words for /agents; empty: made from the rest."""
    seconds: float = Field(default=3600, gt=0)
    """The most one turn may take."""


class LoopConfig(_Entry):
    """What every agent of the built-in loop has."""

    model: str
    max_steps: int = Field(default=100, gt=0)
    """Calls of the model in one turn."""
    max_tokens: int = Field(default=2_000_000, gt=0)
    """Tokens in and out in one turn."""


class AnthropicConfig(LoopConfig):
    type: Literal["anthropic"] = "anthropic"
    api_key: SecretStr = SecretStr("")
    base_url: str = "https://api.anthropic.com"


class OpenAIConfig(LoopConfig):
    type: Literal["openai"] = "openai"
    api_key: SecretStr = SecretStr("")
    base_url: str = "https://api.openai.com/v1"


class OllamaConfig(LoopConfig):
    type: Literal["ollama"] = "ollama"
    base_url: str = "http://127.0.0.1:11434"
    context_tokens: int = Field(default=16_384, gt=0)
    """How much the model reads at once; Ollama's own 4,096 is forgotten after a few files."""


class CommandConfig(_Entry):
    """A command line that is run in the workspace. The agent's name in the configuration is the recipe's."""

    type: Literal["command"] = "command"
    steps: tuple[tuple[str, ...], ...] = Field(min_length=1)
    """Each step is an argv list, run in order; `{words}` alone stands for the words of the message, one argument
    each; nothing else is replaced, and no shell is involved."""
    repeatable: bool = False
    """Running it twice does no harm: a run that was cut is simply run again."""
    stop_at_failure: bool = True
    """A step that exits with anything but 0 fails the run; else it is only shown."""
    models: tuple[str, ...] = ()
    """Upstreams of the section `gateway` that its programs reach, by the variables they customarily read."""
