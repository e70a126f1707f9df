"""Blacks out secrets in whatever leaves the program: live ones in each form they may take, and what looks like one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from adapters.secrets.shapes import BLACK, SHAPES

MIN_LENGTH = 6
"""Shorter ones are words that stand everywhere."""


class Redactor:
    """Called with a text, returns it with every secret blacked out. Fits `core.ports.Redact`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: tuple[str, ...] = ()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """From now on these too."""
        forms = {form for secret in secrets if len(secret) >= MIN_LENGTH for form in _forms_of(secret)}
        forms |= {shown for form in forms for shown in _in_json(form)}
        self._forms = tuple(sorted({*self._forms, *forms}, key=lambda form: (-len(form), form)))

    def __call__(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, BLACK)
        for may_hold, shape, shown in SHAPES:
            if may_hold(text):
                text = shape.sub(shown, text)
        return text

    def find(self, text: str) -> list[str]:
        """Every secret in it, as it stands there. Fits `core.ports.Find`."""
        found = [form for form in self._forms if form in text]
        for may_hold, shape, _ in SHAPES:
            if may_hold(text):
                start = "keep" if "keep" in shape.groupindex else 0
                found += [
                    text[each.end("keep") if start else each.start() : each.end()] for each in shape.finditer(text)
                ]
        return found


def _forms_of(secret: str) -> Iterator[str]:
    raw = secret.encode()
    yield secret
    for quoted in (quote(secret, safe=""), quote(secret), quote(secret, safe=":")):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    yield repr(secret)[1:-1]
    yield repr(raw)[2:-1]
    yield raw.hex()
    yield raw.hex().upper()
    for offset in range(3):
        yield from _base64_inside(raw, offset)
    # Longer than the part that is the same whatever stands around it, so the padding goes too.
    yield base64.b64encode(raw).decode()
    yield base64.urlsafe_b64encode(raw).decode()


def _in_json(form: str) -> tuple[str, str]:
    return json.dumps(form)[1:-1], json.dumps(form, ensure_ascii=False)[1:-1]


def _base64_inside(raw: bytes, offset: int) -> Iterator[str]:
    """The characters that `raw` always becomes when it stands `offset` bytes into what is encoded."""
    bits = 8 * (offset + len(raw))
    first, last = -(-8 * offset // 6), bits // 6
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        inside = encode(b"\0" * offset + raw).decode()[first:last]
        if len(inside) >= MIN_LENGTH:
            yield inside
