"""PLATFORMS: the chat services there are. A new one is a folder here and a line in the table below.

An entry is imported when it is used: what is not configured costs nothing at start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from adapters.chat.console.config import ConsoleConfig
from adapters.chat.slack.config import SlackConfig
from adapters.chat.telegram.config import TelegramConfig
from adapters.straight import NoCircuits
from core.ports import ChatPlatform, Circuits, CommandWord


@dataclass(frozen=True, slots=True)
class PlatformTools:
    """What wiring gives every platform: the commands to register, the data folder, and circuits for what it calls."""

    commands: Sequence[CommandWord]
    data: Path
    circuits: Circuits = field(default_factory=NoCircuits)


@dataclass(frozen=True, slots=True)
class PlatformKind:
    """`config` is the model of its section of the configuration; the section's name is its key in the table."""

    config: type[BaseModel]
    build: Callable[[Any, PlatformTools], ChatPlatform]


def _telegram(config: TelegramConfig, tools: PlatformTools) -> ChatPlatform:
    from adapters.chat.telegram.platform import Telegram  # noqa: PLC0415 - imported when used

    return Telegram(config, tools.commands, circuit=tools.circuits.circuit("telegram", "Telegram"))


def _slack(config: SlackConfig, tools: PlatformTools) -> ChatPlatform:
    from adapters.chat.slack.platform import Slack  # noqa: PLC0415 - imported when used

    return Slack(config, tools.commands, tools.circuits, tools.data)


def _console(config: ConsoleConfig, tools: PlatformTools) -> ChatPlatform:
    from adapters.chat.console.platform import Console  # noqa: PLC0415 - imported when used

    return Console(config, tools.commands, tools.data)


PLATFORMS: Mapping[str, PlatformKind] = {
    "telegram": PlatformKind(TelegramConfig, _telegram),
    "slack": PlatformKind(SlackConfig, _slack),
    "console": PlatformKind(ConsoleConfig, _console),
}
