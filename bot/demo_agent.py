"""Which agent the demo begins with: a model that is at hand, else the recipe that tidies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, SecretStr

from adapters.agents.config import AnthropicConfig, OllamaConfig, OpenAIConfig
from bot.config.environment import AGENT_HINTS, OLLAMA_PORT, with_scheme

OLLAMA_SECONDS = 1.0
"""An Ollama that is there answers at once."""


@dataclass(frozen=True, slots=True)
class FirstAgent:
    """`config` None: it is one of the recipes. `about` ends the sentence "The agent is …"."""

    name: str
    about: str
    config: BaseModel | None = None

    @property
    def can_think(self) -> bool:
        return self.config is not None


TIDY = FirstAgent("tidy", "`tidy`: it runs ruff, and needs no key")


async def choose(environ: Mapping[str, str]) -> FirstAgent:
    """A key wins over an Ollama that answers, and that over the recipe."""
    if key := environ.get("ANTHROPIC_API_KEY"):
        hint = AGENT_HINTS["ANTHROPIC_API_KEY"]
        settings = {"model": hint.model, "api_key": SecretStr(key), **_address(environ, "ANTHROPIC_BASE_URL")}
        claude = AnthropicConfig.model_validate(settings)
        return FirstAgent(hint.name, f"`{hint.name}`: {claude.model}, with your ANTHROPIC_API_KEY", claude)
    if key := environ.get("OPENAI_API_KEY"):
        hint = AGENT_HINTS["OPENAI_API_KEY"]
        settings = {"model": hint.model, "api_key": SecretStr(key), **_address(environ, "OPENAI_BASE_URL")}
        openai = OpenAIConfig.model_validate(settings)
        return FirstAgent(hint.name, f"`{hint.name}`: {openai.model}, with your OPENAI_API_KEY", openai)
    address = with_scheme(environ.get("OLLAMA_HOST") or f"127.0.0.1:{OLLAMA_PORT}")
    if model := await _ollama_model(address):
        about = f"`ollama`: {model}, at {address}"
        return FirstAgent("ollama", about, OllamaConfig(model=model, base_url=address))
    return TIDY


def _address(environ: Mapping[str, str], name: str) -> dict[str, str]:
    return {"base_url": environ[name]} if environ.get(name) else {}


async def _ollama_model(address: str) -> str:
    """A model of an Ollama that answers there, one for code if it has one; else empty."""
    import aiohttp  # noqa: PLC0415 - imported when used

    try:
        async with (
            asyncio.timeout(OLLAMA_SECONDS),
            aiohttp.ClientSession() as session,
            session.get(f"{address}/api/tags") as answer,
        ):
            said = await answer.json() if answer.status == 200 else {}
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return ""
    return _best(said)


def _best(said: object) -> str:
    listed = said.get("models") if isinstance(said, dict) else None
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    names = [each["name"] for each in entries if isinstance(each.get("name"), str) and "embed" not in each["name"]]
    coders = [name for name in names if "cod" in name]
    return next(iter([*coders, *names]), "")
