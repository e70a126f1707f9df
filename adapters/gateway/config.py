"""What the configuration says about the gateway: upstreams beside those of the agents, prices, and private hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr


def _split(value: object) -> object:
    """`a, b` from an environment variable is the list that the file would hold."""
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UpstreamConfig(_Section):
    """An API of models that an agent may be let to."""

    type: Literal["anthropic", "openai", "ollama"]
    base_url: str = Field(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")
    api_key: SecretStr = SecretStr("")


class PriceConfig(_Section):
    """US dollars for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class GatewayConfig(_Section):
    upstreams: Mapping[str, UpstreamConfig] = Field(default_factory=dict)
    """By name. Each agent of the built-in loop has one of its own name, made from its entry."""
    private_hosts: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    """Names that may resolve to addresses of this machine or its network. What is written as an address needs none."""
    prices: Mapping[str, PriceConfig] = Field(default_factory=dict)
    """By model, before the price list that is installed."""
    max_body_mb: int = Field(default=32, ge=1, le=256)
    """The largest request."""
    at_once: int = Field(default=8, ge=1)
    """Requests of one turn at the same time; others wait."""
    silence_seconds: float = Field(default=300, gt=0)
    """The longest pause in an answer."""
