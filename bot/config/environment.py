"""What the environment adds to the file: `PATCHBAY_…` for every key, the customary names, and `…_FILE` for secrets.

`PATCHBAY_TELEGRAM__TOKEN` is `telegram.token`; `PATCHBAY_AGENTS__CLAUDE__MODEL` is `agents.claude.model`. A customary
token wins over the file, and makes its section where there is none. For an agent it only fills a key that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.config.document import parse_document
from bot.config.mistakes import BadConfigError, Findings, KeyPath, did_you_mean, lookup
from bot.config.tables import Tables

PREFIX = "PATCHBAY_"
CONFIG_PATH = "PATCHBAY_CONFIG"

CUSTOMARY: Mapping[str, KeyPath] = {
    "TELEGRAM_BOT_TOKEN": ("telegram", "token"),
    "SLACK_BOT_TOKEN": ("slack", "bot_token"),
    "SLACK_APP_TOKEN": ("slack", "app_token"),
    "SLACK_SIGNING_SECRET": ("slack", "signing_secret"),
    "GITHUB_TOKEN": ("github", "token"),
    "DATABASE_URL": ("database_url",),
    "API_HOST": ("http", "host"),
    "API_PORT": ("http", "port"),
}


@dataclass(frozen=True, slots=True)
class AgentHint:
    """What a customary variable says about agents of one `type`; `name` and `model` are of the one it makes."""

    type: str
    key: str
    name: str
    model: str


AGENT_HINTS: Mapping[str, AgentHint] = {
    "ANTHROPIC_API_KEY": AgentHint("anthropic", "api_key", "claude", "claude-sonnet-5-5"),
    "OPENAI_API_KEY": AgentHint("openai", "api_key", "openai", "gpt-6.1-sol"),
    "OLLAMA_BASE_URL": AgentHint("ollama", "base_url", "ollama", "qwen3-coder"),
    "OLLAMA_HOST": AgentHint("ollama", "base_url", "ollama", "qwen3-coder"),
}
"""The first that is set wins. The models are those of config.example.yaml."""

OLLAMA_PORT = 11434

# Kubernetes gives every container the address of each service: PATCHBAY_PORT_8080_TCP_ADDR for one named patchbay.
_SERVICE_LINK = re.compile(r"SERVICE_(HOST|PORT)\w*|PORT(_\d+_\w+)?")


def add_environment(tree: dict[str, Any], environ: Mapping[str, str], tables: Tables, findings: Findings) -> None:
    """Change `tree` in place; `findings.origins` tells which variable a value came from."""
    reader = _Reader(tree, environ, tables, findings)
    for name, path in CUSTOMARY.items():
        if len(path) == 1 or path[0] in tables.sections or path[0] == "http":
            reader.put(path, name, reader.value_of(name))
    for name in sorted(environ):
        if name.startswith(PREFIX) and name != CONFIG_PATH:
            reader.override(name)
    for name, hint in AGENT_HINTS.items():
        if hint.type in tables.agents:
            reader.hint(name, hint)


def read_secret_file(path: Path) -> str:
    """The one line that a secret file holds. OSError, ValueError."""
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise ValueError("is empty")
    return text


def secret_files(environ: Mapping[str, str]) -> list[Path]:
    """Those that a variable of ours names."""
    customary = {f"{name}_FILE" for name in (*CUSTOMARY, *AGENT_HINTS)}
    named = [name for name in environ if name in customary or (name.startswith("PATCHBAY_") and name.endswith("_FILE"))]
    return [Path(environ[name]) for name in named if environ[name]]


class _Reader:
    def __init__(self, tree: dict[str, Any], environ: Mapping[str, str], tables: Tables, findings: Findings) -> None:
        self._tree, self._environ, self._tables, self._findings = tree, environ, tables, findings

    def value_of(self, name: str) -> str | None:
        """Of the variable or of its `_FILE`; an empty one is none."""
        value, file = self._environ.get(name, ""), self._environ.get(f"{name}_FILE", "")
        if value and file:
            self._findings.add((name,), f"set it or {name}_FILE, not both")
        return value or (self._read(f"{name}_FILE", file) if file else None)

    def put(self, path: KeyPath, name: str, value: Any) -> None:  # noqa: ANN401 - a raw tree
        if value is None:
            return
        branch: dict[str, Any] = self._tree
        for part in path[:-1]:
            if not isinstance(branch.get(str(part)), dict):
                branch[str(part)] = {}
            branch = branch[str(part)]
        branch[str(path[-1])] = value
        self._findings.origins[path] = name

    def override(self, name: str) -> None:
        words = name.removeprefix(PREFIX).removesuffix("_FILE").split("__")
        top = words[0].lower()
        if top not in self._tables.top_keys:
            if not _SERVICE_LINK.fullmatch(name.removeprefix(PREFIX)):
                self._findings.add((name,), f"unknown key; {did_you_mean(top, self._tables.top_keys)}")
            return
        value = self._environ[name]
        if value:
            path = self._path(words)
            self.put(path, name, self._read(name, value) if name.endswith("_FILE") else self._parsed(name, value))

    def hint(self, name: str, hint: AgentHint) -> None:
        """Fill the missing key of every agent of that type; where there is none and the name is free, make one."""
        value = self.value_of(name)
        if value is None:
            return
        value = with_scheme(value) if hint.type == "ollama" else value
        agents = self._tree.get("agents") or {}
        if not isinstance(agents, dict):
            return
        same = [each for each, entry in agents.items() if isinstance(entry, dict) and entry.get("type") == hint.type]
        for each in same:
            if agents[each].get(hint.key) is None:
                self.put(("agents", each, hint.key), name, value)
        if not same and hint.name not in agents:
            self.put(("agents", hint.name), name, {"type": hint.type, "model": hint.model, hint.key: value})

    def _path(self, words: list[str]) -> KeyPath:
        """Lower case, but an agent by the name it has in the file: CLAUDE_CODE may be `claude-code`."""
        path = [word.lower() for word in words]
        if path[0] == "agents" and len(path) > 1:
            names = lookup(self._tree, ("agents",))
            plain = {str(each).lower().replace("-", "_"): str(each) for each in names or {}}
            path[1] = plain.get(path[1], path[1])
        return tuple(path)

    def _parsed(self, name: str, value: str) -> Any:  # noqa: ANN401 - a raw tree
        if not value.startswith(("[", "{")):
            return value
        try:
            return parse_document(f"it: {value}", name).tree["it"]
        except BadConfigError as error:
            self._findings.add((name,), error.mistakes[0].text)
            return None

    def _read(self, name: str, file: str) -> str | None:
        try:
            return read_secret_file(Path(file))
        except OSError as error:
            self._findings.add((name,), f"cannot read {file}: {error.strerror}")
        except ValueError:
            self._findings.add((name,), f"{file} is empty, or not UTF-8")
        return None


def with_scheme(host: str) -> str:
    """`OLLAMA_HOST` as Ollama reads it: `gpu`, `gpu:1234`, `0.0.0.0` are hosts of an http address."""
    if "://" in host:
        return host.rstrip("/")
    name, colon, port = host.rstrip("/").rpartition(":")
    if not colon or not port.isdigit():
        name, port = host.rstrip("/"), str(OLLAMA_PORT)
    # A server listens at 0.0.0.0; a client cannot call it there.
    return f"http://{'127.0.0.1' if name in {'', '0.0.0.0'} else name}:{port}"  # noqa: S104 - compared, not bound
