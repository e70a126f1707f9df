"""Blacks out secrets in whatever leaves the program: every live one in each form it may take, and what looks like one.

The shapes are those that services give their tokens; exact match catches the rest.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

BLACK = "[redacted]"

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
        for may_hold, shape, shown in _SHAPES:
            if may_hold(text):
                text = shape.sub(shown, text)
        return text


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


_TOKENS = (
    r"gh[oprsu]_[A-Za-z0-9_.-]{20,}",
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"glpat-[A-Za-z0-9_.-]{18,}",
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}",
    r"xapp-[A-Za-z0-9-]{10,}",
    r"xwfp-[A-Za-z0-9-]{10,}",
    r"sk-(?=[A-Za-z_-]{0,60}\d)[A-Za-z0-9_-]{20,}",
    r"sk_(?:live|test)_[A-Za-z0-9]{16,}",
    r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])",
    r"AIza[0-9A-Za-z_-]{35}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_-]{50,}",
    r"hf_[A-Za-z0-9]{30,}",
    r"eyJ[A-Za-z0-9_-]{10,2000}+\.eyJ[A-Za-z0-9_.-]{20,}",
)


def _any_of(*signs: str) -> Callable[[str], object]:
    return lambda text: any(sign in text for sign in signs)


_BEGINNINGS = (
    *("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "glpat-", "xox", "xapp-", "xwfp-"),
    *("sk-", "sk_live_", "sk_test_", "AKIA", "ASIA", "AIza", "npm_", "pypi-", "hf_", "eyJ"),
)
"""One of these stands in whatever _TOKENS find."""

# What is quickly seen comes first: it must be true of every text in which the shape finds something. A megabyte of code
# takes 25 ms so, and 80 ms without it, during which nobody else is served.
# Each shape takes time in proportion to the text, whatever a stranger makes of it: what may fail after a long run of
# characters is bounded, or does not begin again within that run.
_SHAPES: tuple[tuple[Callable[[str], object], re.Pattern[str], str], ...] = (
    (_any_of(*_BEGINNINGS), re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_TOKENS)})"), BLACK),
    # Telegram: the bot's id, a colon, 35 characters; in an address it follows `/bot`.
    (
        re.compile(r":[A-Za-z0-9_-]{30}").search,
        re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"),
        BLACK,
    ),
    (_any_of("/bot"), re.compile(r"(/bot)\d+:[A-Za-z0-9_-]+"), rf"\1{BLACK}"),
    (
        lambda text: "authorization" in text.lower(),
        re.compile(r"(?i)(\bauthorization['\"]?\s*[:=]\s*['\"]?(?:basic|bearer|token)\s+)[^\s'\"]+"),
        rf"\1{BLACK}",
    ),
    (_any_of("://"), re.compile(r"(?<=://)([^\s/:@\"']{1,200}:)[^\s/@\"']{1,500}(?=@)"), rf"\1{BLACK}"),
    (
        _any_of("PRIVATE KEY-----"),
        re.compile(
            r"-----BEGIN ([A-Z ]{0,30})PRIVATE KEY-----(?:(?!-----BEGIN ).){0,20000}?-----END \1PRIVATE KEY-----",
            re.DOTALL,
        ),
        BLACK,
    ),
)
