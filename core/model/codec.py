"""Frozen values to JSON and back, for what must outlive a restart: one codec for flows, rows and posts."""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
T = TypeVar("T")


def to_json(value: object) -> Json:
    """Dataclasses become objects, tuples lists, enums their values, times ISO 8601 in UTC."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_json(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return typing.cast("Json", value.value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (list, tuple)):
        return [to_json(each) for each in value]
    if isinstance(value, dict):
        return {str(key): to_json(each) for key, each in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"no JSON for {type(value).__name__}")


def from_json(shape: type[T], value: Json) -> T:
    """The opposite of `to_json`, guided by the annotations of `shape`. An unknown field is left out."""
    return typing.cast("T", _read(shape, value))


def _read(shape: Any, value: Any) -> Any:  # noqa: ANN401 - annotations are values of any kind
    if isinstance(shape, typing.NewType):
        return _read(shape.__supertype__, value)
    origin = typing.get_origin(shape)
    if origin is types.UnionType or origin is typing.Union:
        if value is None:
            return None
        return _read(next(each for each in typing.get_args(shape) if each is not type(None)), value)
    if origin is tuple:
        return _read_tuple(typing.get_args(shape), value)
    if dataclasses.is_dataclass(shape) and isinstance(shape, type):
        hints = _hints(shape)
        return shape(**{name: _read(hints[name], value[name]) for name in hints if name in value})
    if isinstance(shape, type) and issubclass(shape, Enum):
        return shape(value)
    if shape is datetime:
        return datetime.fromisoformat(value)
    return value


def _read_tuple(shapes: tuple[Any, ...], value: list[Any]) -> tuple[Any, ...]:
    if len(shapes) == 2 and shapes[1] is Ellipsis:
        return tuple(_read(shapes[0], each) for each in value)
    return tuple(_read(shape, each) for shape, each in zip(shapes, value, strict=True))


_HINTS: dict[type, dict[str, Any]] = {}
"""Annotations resolved once for each class; a cache of what never changes."""


def _hints(shape: type) -> dict[str, Any]:
    if shape not in _HINTS:
        hints = typing.get_type_hints(shape)
        _HINTS[shape] = {each.name: hints[each.name] for each in dataclasses.fields(shape)}
    return _HINTS[shape]
