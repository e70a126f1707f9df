"""Keeps what people and agents write as CommonMark from being read as something more. Pure.

The converter reads `$…$` as a formula and `||…||` as a spoiler, and leaves HTML out; in talk about code these are
prices, variables, operators and types, and must be shown as written. So must paths: to CommonMark, `src/__init__.py` is
bold in its middle, and so is what stands between two `src/**/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pyromark

OPTIONS = pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH | pyromark.Options.ENABLE_TASKLISTS
PASSES = 12
"""Escaping one tag can uncover the next; nobody writes more than a few deep."""

SUSPECT = re.compile(r"[<$]|\|\||/[*_]|_[/.]")
TOKEN = re.compile(
    rb"\\.|\$|\|\||<[A-Za-z][A-Za-z0-9+.-]*:[^<>\s]*>"
    rb"|(?P<path>(?<=/)[*_]{1,3}(?=[\w\x80-\xff/.])|(?<=[\w\x80-\xff])_{1,3}(?=/|\.\w)"
    rb"|(?<![\w\x80-\xff/])_{1,3}(?=[\w\x80-\xff]{1,200}(?<=_)(?:/|\.\w)))",
    re.DOTALL,
)
TAG = re.compile(rb"^([ \t>]*)<", re.MULTILINE)
FENCE = re.compile(rb"^[ \t>]*(?:```|~~~)", re.MULTILINE)


def as_written(source: str) -> str | None:
    """The same Markdown, with those signs escaped outside code. None: too tangled to be read as Markdown."""
    if SUSPECT.search(source) is None:
        return source
    for _ in range(PASSES):
        data = source.encode()
        html = sorted(set(_tags(data, source)))
        if not html:
            return _without_extras(data, source).decode()
        source = _escaped(data, html).decode()
    return None


def _tags(data: bytes, source: str) -> Iterator[int]:
    """Where a `<` begins HTML."""
    for name, start, end in _regions(source):
        if name == "InlineHtml":
            yield data.index(b"<", start, end)
        elif name == "HtmlBlock":
            fence = FENCE.search(data, start, end)
            for match in TAG.finditer(data, start, fence.start() if fence else end):
                yield match.end() - 1
            first = data.find(b"<", start, end)
            if first >= 0:
                yield first


def _without_extras(data: bytes, source: str) -> bytes:
    code = [(start, end) for name, start, end in _regions(source) if name in {"Code", "CodeBlock"}]
    tables = [(start, end) for name, start, end in _regions(source) if name == "Table"]
    parts, done = [], 0
    for start, end in [*code, (len(data), len(data))]:
        parts.append(_plain(data, done, max(done, start), tables))
        parts.append(data[max(done, start) : end])
        done = max(done, end)
    return b"".join(parts)


def _plain(data: bytes, start: int, end: int, tables: list[tuple[int, int]]) -> bytes:
    def sign(match: re.Match[bytes]) -> bytes:
        if match[0] == b"$":
            return b"\\$"
        if match[0] == b"||":
            is_cell = any(first <= start + match.start() < last for first, last in tables)
            return b"| |" if is_cell else b"\\|\\|"
        return match[0] if match["path"] is None else re.sub(rb"(.)", rb"\\\1", match[0])

    return TOKEN.sub(sign, data[start:end])


def _regions(source: str) -> Iterator[tuple[str, int, int]]:
    """(name, start, end) in bytes of what may matter, in document order."""
    for payload, span in pyromark.events_with_range(source, options=OPTIONS):
        name = _name(payload)
        if name:
            yield name, span["start"], span["end"]


def _name(payload: object) -> str:
    if not isinstance(payload, Mapping):
        return ""
    for name in ("Code", "InlineHtml"):
        if name in payload:
            return name
    start = payload.get("Start")
    if start == "HtmlBlock":
        return "HtmlBlock"
    if isinstance(start, Mapping):
        return next((name for name in ("CodeBlock", "Table") if name in start), "")
    return ""


def _escaped(data: bytes, places: list[int]) -> bytes:
    parts, done = [], 0
    for place in places:
        parts += [data[done:place], b"\\"]
        done = place
    return b"".join([*parts, data[done:]])
