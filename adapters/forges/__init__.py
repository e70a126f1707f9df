"""FORGES: where repositories and pull requests live. A new one is a file here and a line in the table below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from adapters.straight import NoCircuits
from core.model.strength import weakness
from core.ports import Circuits, Forge, NewsSource, Pulls, Tracer
from core.tracing import NoTracer


class GithubConfig(BaseModel):
    """The `github` section of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr
    username: str = ""
    """Goes with the token to git; empty: GitHub takes any."""
    email: str = ""
    """Of who commits; empty: nobody's."""
    repository: str = ""
    """`owner/name`, for a project that is made without naming one; empty: that one is local."""
    api_base: str = "https://api.github.com"
    git_base: str = "https://github.com"
    webhook_secret: SecretStr = SecretStr("")
    """Empty: nobody is listened to."""

    @field_validator("webhook_secret")
    @classmethod
    def _is_strong(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and (why := weakness(value.get_secret_value())):
            raise ValueError(why)
        return value


class LocalConfig(BaseModel):
    """The `local` section of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class ForgeTools:
    """What wiring gives every forge: the data folder, the local forge's pull requests, circuits and a tracer."""

    data: Path
    pulls: Pulls
    circuits: Circuits = field(default_factory=NoCircuits)
    tracer: Tracer = field(default_factory=NoTracer)


@dataclass(frozen=True, slots=True)
class ForgeKind:
    """`config` is the model of its section of the configuration; the section's name is its key in the table."""

    config: type[BaseModel]
    build: Callable[[Any, ForgeTools], Forge]
    news: Callable[[Any], NewsSource | None] = lambda _config: None
    """What tells by itself what happens there; None: nothing is set up for that."""


def _github(config: GithubConfig, tools: ForgeTools) -> Forge:
    from adapters.forges.github import Github  # noqa: PLC0415 - imported when used

    return Github(config, tools.circuits.circuit("github", "GitHub"), tools.tracer)


def _github_news(config: GithubConfig) -> NewsSource | None:
    from adapters.forges.github_webhook import GithubWebhook  # noqa: PLC0415 - imported when used

    secret = config.webhook_secret.get_secret_value()
    return GithubWebhook(secret) if secret else None


def _local(_config: LocalConfig, tools: ForgeTools) -> Forge:
    from adapters.forges.local import Local  # noqa: PLC0415 - imported when used

    return Local(tools.data, tools.pulls)


FORGES: Mapping[str, ForgeKind] = {
    "github": ForgeKind(GithubConfig, _github, _github_news),
    "local": ForgeKind(LocalConfig, _local),
}
