"""What is wrong with a configuration: every mistake with its path, where it stands, and what would be right."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from core.model.errors import ConfigError

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """`where`: `line 12`, or the environment variable it came from; empty for what is missing."""

    path: str
    text: str
    where: str = ""

    def __str__(self) -> str:
        said = f"{self.path}: {self.text}" if self.path else self.text
        return f"{said} ({self.where})" if self.where else said


class BadConfigError(ConfigError):
    """The configuration is wrong; `mistakes` holds every one, and the text lists them."""

    def __init__(self, source: str, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {each}" for each in self.mistakes)]))


@dataclass(slots=True)
class Findings:
    """Collects mistakes while a configuration is read. `origins` says where each value stands, by its path."""

    source: str
    origins: dict[KeyPath, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, path: KeyPath, text: str) -> None:
        mistake = Mistake(dotted(path), text, self._where(path))
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)

    def _where(self, path: KeyPath) -> str:
        """Of the value, or of what it is missing in."""
        known = [self.origins[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.origins]
        return known[0] if known else ""

    def add_invalid(self, error: ValidationError, model: type[BaseModel], path: KeyPath) -> None:
        """What pydantic found in the section at `path`, in our words; a value is shown only if it is no secret."""
        for detail in error.errors(include_url=False, include_context=True):
            self.add((*path, *detail["loc"]), _explain(detail, model))

    def settle(self) -> None:
        """Raise BadConfigError if anything was found."""
        if self.mistakes:
            raise BadConfigError(self.source, self.mistakes)


def dotted(path: KeyPath) -> str:
    """`agents.format.steps[0]`."""
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path).removeprefix(".")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The likely word, or all there are."""
    words = list(known)
    close = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known here: {', '.join(words)}" if words else "there is none"


def _explain(detail: ErrorDetails, model: type[BaseModel]) -> str:
    loc = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key; {did_you_mean(str(loc[-1]), _fields_at(model, loc[:-1]))}"
        case "missing":
            return "missing"
        case "literal_error":
            return f"must be {detail['ctx']['expected']}{_got(detail, model)}"
        case "value_error":
            return detail["msg"].removeprefix("Value error, ")
        case "string_pattern_mismatch":
            return f"is not of the right form{_got(detail, model)}"
    text = detail["msg"].removeprefix("Input ")
    return f"{text[:1].lower()}{text[1:]}{_got(detail, model)}"


def _got(detail: ErrorDetails, model: type[BaseModel]) -> str:
    value = detail["input"]
    if not isinstance(value, str) or _is_secret(model, detail["loc"]):
        return ""
    return f', not "{value[:60]}"'


def _fields_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    found = _model_at(model, loc)
    return list(found.model_fields) if found else []


def _is_secret(model: type[BaseModel], loc: tuple[str | int, ...]) -> bool:
    for end in range(len(loc)):
        holder = _model_at(model, loc[:end])
        info = holder.model_fields.get(str(loc[end])) if holder else None
        if info and holds(info.annotation, SecretStr):
            return True
    return False


def _model_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    for part in loc:
        info = found.model_fields.get(str(part)) if found else None
        shape = info.annotation if info else None
        found = shape if isinstance(shape, type) and issubclass(shape, BaseModel) else None
    return found


def holds(annotation: Any, wanted: type) -> bool:  # noqa: ANN401 - any annotation
    """The annotation is `wanted`, or a union or a container of it."""
    if annotation is wanted:
        return True
    if typing.get_origin(annotation) is not None or isinstance(annotation, types.UnionType):
        return any(holds(each, wanted) for each in typing.get_args(annotation))
    return False


def lookup(tree: Mapping[str, Any], path: KeyPath) -> Any:  # noqa: ANN401 - a raw tree
    """The value at `path` in a raw tree of mappings; None when there is none."""
    value: Any = tree
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
