"""What the configuration is told about the adapters: the name and the model of each of their sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from bot.config.model import Own


class Kind(Protocol):
    """An entry of PLATFORMS, FORGES or AGENTS; all that is asked of it here is the model of its section."""

    @property
    def config(self) -> type[BaseModel]: ...


@dataclass(frozen=True, slots=True)
class Tables:
    """Platforms and forges are sections of their own; agents are entries under `agents`, told apart by `type`."""

    platforms: Mapping[str, Kind]
    forges: Mapping[str, Kind]
    agents: Mapping[str, Kind]

    @property
    def sections(self) -> dict[str, type[BaseModel]]:
        return {name: kind.config for name, kind in (*self.platforms.items(), *self.forges.items())}

    @property
    def top_keys(self) -> list[str]:
        return [*Own.model_fields, *self.sections, "agents"]
