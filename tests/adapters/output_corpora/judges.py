"""What is harmful in what a platform would show, found without the code that is to prevent it."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from adapters.chat.telegram.render import JOINER, Rendered
from tests.adapters.telegram import tdlib
from tests.fakes.slack import faults_of_blocks

TELEGRAM_UNITS, TELEGRAM_MARKS, SLACK_CHARACTERS, TOWER = 4_096, 100, 12_000, 9

LIVE = re.compile(
    r"<[@#][A-Z0-9]|<!(?:channel|here|everyone|group|subteam|date)\b"
    r"|<[a-z][a-z0-9+.-]*:[^<>\s]*\||@(?:channel|here|everyone|group)\b",
    re.IGNORECASE,
)
HOST = re.compile(r"\b(?:[\w-]+\.)+example\b|\bg.thub\.com\b", re.IGNORECASE)
LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(<?(https?://[^\s<>)]+)")


def unseen(text: str) -> Iterator[str]:
    """Characters that are not seen, or turn or tear what is; emoji and letters may be joined."""
    for at, each in enumerate(text):
        kind = unicodedata.category(each)
        is_joined = each in "\u200c\u200d\ufe0e\ufe0f" and at > 0 and ord(text[at - 1]) > 0x2000
        is_ours = each in {JOINER, "\n", "\t"}
        if kind in {"Cc", "Cs", "Cf", "Zl", "Zp"} and not (is_ours or is_joined):
            yield f"U+{ord(each):04X}"
        if each in "\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5" or 0xE0100 <= ord(each) <= 0xE01EF:
            yield f"U+{ord(each):04X}"
    tower = 0
    for each in text:
        tower = tower + 1 if unicodedata.combining(each) or unicodedata.category(each) == "Me" else 0
        if tower == TOWER:
            yield "a tower of accents"


def in_telegram(shown: Rendered) -> Iterator[str]:
    try:
        wide = shown.text.encode("utf-16-le")
    except UnicodeEncodeError:
        yield "half of a character"
        return
    if len(wide) // 2 > TELEGRAM_UNITS or len(shown.marks) > TELEGRAM_MARKS:
        yield "too long"
    if refusal := tdlib.refusal(shown):
        yield f"refused: {refusal[:200]}"
    plain = wide
    for mark in shown.marks:
        words = wide[mark.start * 2 : mark.end * 2].decode("utf-16-le", "replace")
        if mark.kind in {"code", "pre"}:
            plain = (
                plain[: mark.start * 2]
                + ". ".encode("utf-16-le") * 0
                + _blank(mark.end - mark.start)
                + plain[mark.end * 2 :]
            )
        if mark.url:
            yield from _spoof(words, mark.url, wide[mark.end * 2 :].decode("utf-16-le", "replace"))
    yield from (f"mentions {each}" for each in tdlib.mentions(plain.decode("utf-16-le", "replace")))
    yield from unseen(shown.text)


def _blank(units: int) -> bytes:
    return " ".encode("utf-16-le") * units


def _spoof(words: str, url: str, after: str) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        yield f"links to {url}"
    host = parts.hostname or ""
    named = {each.lower() for each in HOST.findall(html.unescape(words).replace("\uff0e", ".").replace("*", ""))}
    is_other = any(each.removeprefix("www.") != host.removeprefix("www.") for each in named)
    is_odd = "@" in parts.netloc or not host.isascii()
    told = host if host.isascii() else host.encode("idna").decode()
    if (is_other or is_odd) and not after.startswith(f" ({told})"):
        yield f"{words} leads to {host}"


def in_slack(message: dict[str, Any]) -> Iterator[str]:
    blocks = [each["text"] for each in message["blocks"] if each["type"] == "markdown"]
    yield from faults_of_blocks(message["blocks"])
    for text in (*blocks, message["text"]):
        yield from (f"rings: {each}" for each in LIVE.findall(html.unescape(text) if "&lt;" not in text else text))
        yield from unseen(text)
    if sum(map(len, blocks)) > SLACK_CHARACTERS:
        yield "too long"
    for text in blocks:
        for link in LINK.finditer(text):
            rest = text[link.end() :]
            yield from _spoof(link[1], link[2], rest[rest.index(")") + 1 :] if ")" in rest else "")


def at_terminal(shown: str) -> Iterator[str]:
    """Colours are ours."""
    bare = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    yield from unseen(bare)


def html_refused(text: str) -> bool:
    """By Telegram's own reader of HTML, or of its Markdown; or what comes out is not what went in."""
    found = []
    for mode in ({"@type": "textParseModeHTML"}, {"@type": "textParseModeMarkdown", "version": 2}):
        answer = tdlib.execute({"@type": "parseTextEntities", "text": text, "parse_mode": mode})
        found.append(answer["@type"] == "error" or answer["text"] != text)
    return any(found)
