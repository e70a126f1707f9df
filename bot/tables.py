"""Hands the tables of the adapters and of the core to whoever reads a configuration or registers commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.agents import AGENTS
from adapters.chat import PLATFORMS
from adapters.forges import FORGES
from bot.config import Config, load, schema
from core.ports import CommandWord


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """BadConfigError lists every mistake."""
    return load(path, environ, platforms=PLATFORMS, forges=FORGES, agents=AGENTS)


def config_schema() -> dict[str, Any]:
    return schema(platforms=PLATFORMS, forges=FORGES, agents=AGENTS)


def command_words() -> list[CommandWord]:
    """What platforms register: every command that is shown."""
    from core.commands import COMMANDS  # noqa: PLC0415 - the core is not needed to read a configuration

    return [CommandWord(each.word, each.usage, each.summary) for each in COMMANDS if not each.hidden]
