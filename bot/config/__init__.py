"""The configuration: one YAML file, the environment and secret files, read once into a frozen `Config`.

Every mistake is found at once, each with its path and what would be right. Which platforms, forges and agents there
are is told by the caller's tables: a new one needs no line here.
"""

from __future__ import annotations

from bot.config.load import load
from bot.config.mistakes import BadConfigError, Mistake
from bot.config.model import Access, Allowed, Config, HttpConfig, Limits, LogConfig, SecretsConfig, TracingConfig
from bot.config.show import schema, show
from bot.config.tables import Kind, Tables

__all__ = [
    "Access",
    "Allowed",
    "BadConfigError",
    "Config",
    "HttpConfig",
    "Kind",
    "Limits",
    "LogConfig",
    "Mistake",
    "SecretsConfig",
    "Tables",
    "TracingConfig",
    "load",
    "schema",
    "show",
]
