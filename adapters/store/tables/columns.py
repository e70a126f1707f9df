"""Two kinds of column that are the same in SQLite and PostgreSQL, and the words that fit in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from tortoise.fields.base import Field

from core.model.codec import Json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def clean(text: str) -> str:
    """What every database can keep: PostgreSQL refuses NUL, and neither takes half a surrogate pair."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, so that order and equality are those of numbers on both databases."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    return _EPOCH + value * _MICROSECOND


def pack(value: Json) -> str:
    """JSON in ASCII; None is the empty text."""
    return "" if value is None else json.dumps(value, separators=(",", ":"))


def unpack(text: str) -> Json:
    return cast("Json", json.loads(text)) if text else None


class Words(Field[str]):
    """Text of any length that may be a key. Nothing is kept as the empty text, never as NULL."""

    field_type = str
    SQL_TYPE = "TEXT"

    def to_db_value(self, value: Any, instance: Any) -> Any:  # noqa: ANN401, ARG002 - the signature of Tortoise
        return None if value is None else clean(str(value))


class Moment(Field[datetime]):
    """An aware time, kept as microseconds since 1970 in UTC."""

    field_type = datetime
    SQL_TYPE = "BIGINT"

    def to_db_value(self, value: Any, instance: Any) -> Any:  # noqa: ANN401, ARG002 - the signature of Tortoise
        return to_micros(value) if isinstance(value, datetime) else value

    def to_python_value(self, value: Any) -> Any:  # noqa: ANN401 - the signature of Tortoise
        return from_micros(value) if isinstance(value, int) else value


def maybe_moment() -> Field[datetime | None]:
    """A time that has not come yet."""
    return cast("Field[datetime | None]", Moment(null=True))
