"""Reads a YAML file into a plain tree of dict, list, str and None, and remembers the line of every value.

Scalars stay text: what is a number is decided by the model that reads it. So `off`, `no`, `5.10`, `12e4` and
`08:30` are what was written, never what YAML 1.1 makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bot.config.mistakes import BadConfigError, KeyPath, Mistake, dotted

MAX_BYTES = 1 << 20
MAX_NODES = 20_000
"""Values, aliases counted as often as they are used: a document of a few lines cannot grow without end."""
MAX_DEPTH = 40

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_YAML = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    tree: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def read_document(path: Path) -> Document:
    """BadConfigError when it cannot be read at all; smaller mistakes are in `mistakes`."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadConfigError(str(path), [Mistake("", f"cannot be read: {error.strerror}")]) from error
    if len(raw) > MAX_BYTES:
        raise BadConfigError(str(path), [Mistake("", f"larger than {MAX_BYTES} bytes")])
    try:
        return parse_document(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise BadConfigError(str(path), [Mistake("", "is not UTF-8")]) from None


def parse_document(text: str, source: str) -> Document:
    node = _compose(text, source)
    walk = _Walk(source)
    tree = walk.read(node, ()) if node is not None else {}
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise BadConfigError(source, [Mistake("", "must be keys and values, such as `data: ./data`", "line 1")])
    return Document(tree, walk.lines, walk.mistakes)


def _compose(text: str, source: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        # Never the snippet that PyYAML offers: it may show a secret.
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}" if mark else ""
        raise BadConfigError(source, [Mistake("", f"is not YAML: {error.problem}", where)]) from None
    except yaml.YAMLError:
        raise BadConfigError(source, [Mistake("", "is not YAML: it holds characters that YAML forbids")]) from None
    except RecursionError:
        raise BadConfigError(source, [Mistake("", "is nested too deeply")]) from None


class _Walk:
    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: dict[KeyPath, int] = {}
        self.mistakes: list[Mistake] = []
        self._nodes = 0

    def read(self, node: yaml.Node, path: KeyPath) -> Any:  # noqa: ANN401 - a raw tree
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._nodes += 1
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise BadConfigError(self.source, [Mistake("", "holds too many values or aliases", f"line {line}")])
        if not node.tag.startswith(_YAML) or "/" in node.tag.removeprefix(_YAML):
            self._add(path, f'the tag "{node.tag}" is not known', line)
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(each, (*path, index)) for index, each in enumerate(node.value)]
        is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if is_plain and node.value in _NULLS else str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._add(path, "a key must be a word", line)
            elif key_node.value == "<<" and key_node.style is None:
                merged |= self._merged(value_node, path)
            elif key_node.value in found:
                self._add((*path, key_node.value), "stands here twice; keep one", line)
            else:
                self.lines[*path, key_node.value] = line
                found[key_node.value] = self.read(value_node, (*path, key_node.value))
        return merged | found

    def _merged(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        read = self.read(node, path)
        parts = read if isinstance(read, list) else [read]
        return {key: value for part in reversed(parts) if isinstance(part, dict) for key, value in part.items()}

    def _add(self, path: KeyPath, text: str, line: int) -> None:
        self.mistakes.append(Mistake(dotted(path), text, f"line {line}"))
