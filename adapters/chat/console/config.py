"""The `console` section of the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ConsoleConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
