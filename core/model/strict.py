"""JSON from outside, read as RFC 8259 has it: Python's own reader takes more, and says so in several ways. Pure."""

from __future__ import annotations

import json
from typing import NoReturn

from core.model.codec import Json


def strict_json(body: bytes | str) -> Json:
    """ValueError: not UTF-8, not JSON, `NaN` and the like, or nested too deep to be read."""
    text = body.decode() if isinstance(body, bytes) else body
    try:
        found: Json = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
