"""Shows a configuration without its secrets, and the JSON schema by which editors complete and check the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, SecretStr, create_model

from bot.config.model import AccessSection, Config, Own
from bot.config.tables import Kind, Tables

HIDDEN = "(set)"
NOT_PLAIN = {"access", "database_url", "secrets"}


def show(config: Config) -> str:
    """YAML of everything in force, defaults too. Secrets are `(set)` or empty."""
    own = {name: _plain(getattr(config, name)) for name in Own.model_fields if name not in NOT_PLAIN}
    shown = {
        **own,
        "secrets": _plain(config.vault),
        "database_url": _without_password(config.database_url),
        "access": {key: [str(each) for each in getattr(config.access, key)] for key in AccessSection.model_fields},
        **{name: _plain(section) for name, section in (*config.platforms.items(), *config.forges.items())},
        "agents": {name: _plain(agent) for name, agent in config.agents.items()},
    }
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)


def schema(*, platforms: Mapping[str, Kind], forges: Mapping[str, Kind], agents: Mapping[str, Kind]) -> dict[str, Any]:
    """The JSON schema of the whole file."""
    tables = Tables(platforms, forges, agents)
    fields: dict[str, Any] = {name: (model | None, None) for name, model in tables.sections.items()}
    entry = Union[tuple(kind.config for kind in agents.values())] if agents else dict[str, Any]  # noqa: UP007
    fields["agents"] = (dict[str, entry], {})  # type: ignore[valid-type]
    whole = create_model("Configuration", __base__=Own, **fields)
    made = whole.model_json_schema()
    _allow_references(made)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "Patchbay configuration"}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a model of an adapter holds
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _without_password(url: str) -> str:
    password = urlsplit(url).password
    return url.replace(f":{password}@", f":{HIDDEN}@", 1) if password else url


def _allow_references(node: Any) -> None:  # noqa: ANN401 - any JSON
    """A secret may also be written `{file: path}`."""
    if isinstance(node, dict):
        if node.pop("writeOnly", False) and node.pop("format", "") == "password":
            title, default = node.pop("title", ""), node.pop("default", None)
            node.pop("type", None)
            reference = {
                "type": "object",
                "properties": {"file": {"type": "string"}},
                "required": ["file"],
                "additionalProperties": False,
            }
            node |= {"title": title, "anyOf": [{"type": "string"}, reference]}
            if default is not None:
                node["default"] = ""
        for each in list(node.values()):
            _allow_references(each)
    elif isinstance(node, list):
        for each in node:
            _allow_references(each)
