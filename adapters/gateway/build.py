"""From the configuration to upstreams: one for each agent of the built-in loop, and those of the section `gateway`.

The keys go in here and nowhere else: what agents are built from afterwards says only that there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from adapters.gateway.config import GatewayConfig
from adapters.gateway.upstreams import Api, Upstream, upstream
from core.model.errors import ConfigError

INSTEAD = "behind the gateway"
"""Stands for a key in the configuration of an agent that has one."""


def upstreams_of(agents: Mapping[str, BaseModel], config: GatewayConfig) -> dict[str, tuple[Upstream, ...]]:
    """Which upstreams each agent may reach. ConfigError: the host of one is never called."""
    own = {
        name: upstream(
            name,
            Api(each.type),
            each.base_url,
            each.api_key.get_secret_value(),
            config.private_hosts,
            config.prices,
        )
        for name, each in config.upstreams.items()
    }
    found: dict[str, tuple[Upstream, ...]] = {}
    for name, section in agents.items():
        kind, base = getattr(section, "type", ""), getattr(section, "base_url", "")
        if kind in set(Api) and base:
            key = getattr(section, "api_key", SecretStr("")).get_secret_value()
            private = (*config.private_hosts, *((urlsplit(base).hostname or "",) if kind == Api.OLLAMA else ()))
            made = upstream(name, Api(kind), base, key, private, config.prices, is_guarded=True)
            found[name] = (made,)
        elif wanted := getattr(section, "models", ()):
            if missing := [each for each in wanted if each not in own]:
                there = ", ".join(own) or "none"
                raise ConfigError(f"agents.{name}.models: no upstream {missing[0]}; gateway.upstreams has {there}.")
            found[name] = tuple(own[each] for each in wanted)
    return found


def without_keys(section: BaseModel) -> BaseModel:
    key = getattr(section, "api_key", None)
    if not isinstance(key, SecretStr) or not key.get_secret_value():
        return section
    return section.model_copy(update={"api_key": SecretStr(INSTEAD)})
