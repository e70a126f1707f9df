"""A path as the least careful system reads it: case, look-alikes, unseen characters, dots, streams, short names."""

from __future__ import annotations

import re
import unicodedata

_LOOKS = {
    "-": "\u2010\u2011\u2013\u2212",
    ".": "\u2024\u2027\u00b7",
    "/": "\u2215\u2044\u29f8",
    "a": "\u0430\u03b1\u0251",
    "b": "\u0432\u044c",
    "c": "\u03f2\u0441",
    "d": "\u0501\u0257",
    "e": "\u0435\u03b5\u0454",
    "f": "\u0192",
    "g": "\u0261\u0581",
    "h": "\u04bb\u0570",
    "i": "\u0456\u03b9\u0131\u0269",
    "j": "\u0458\u03f3",
    "k": "\u043a\u03ba\u1d0b",
    "l": "\u04cf\u01c0\u217c",
    "m": "\u043c",
    "n": "\u0578\u043f\u03b7",
    "o": "\u043e\u03bf\u0585\u03c3",
    "p": "\u0440\u03c1",
    "q": "\u051b",
    "r": "\u1d26\u0433",
    "s": "\u0455\ua731",
    "t": "\u0442\u03c4",
    "u": "\u057d\u03c5\u028b",
    "v": "\u03bd\u0475",
    "w": "\u051d\u0461\u03c9",
    "x": "\u0445\u03c7",
    "y": "\u0443\u03b3\u04af",
    "z": "\u1d22",
}
"""Letters of other scripts by the one of ours that they look like; small, for what is compared is small."""
_OURS = {theirs: ours for ours, row in _LOOKS.items() for theirs in row}

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_STREAM = re.compile(r":[^/]*")
_ENDS = re.compile(r"[. ]+(?=/|$)")
_SHORT = re.compile(r"(?:^|/)[^/]{1,6}~[0-9](?:\.[^/]{0,3})?(?:/|$)")
_RAW = re.compile("[\ud800-\udfff]")


def plain(path: str) -> str:
    """In small ASCII letters as far as it looks like them, with `/` only, without what some system drops."""
    text = unicodedata.normalize("NFKD", _UNSEEN.sub("", path)).casefold()
    text = "".join(_OURS.get(each, each) for each in text if not unicodedata.combining(each))
    text = _UNSEEN.sub("", text).replace("\\", "/")
    return _ENDS.sub("", _STREAM.sub("", text)) if any(sign in text for sign in ":. ") else text


def unseen_gone(text: str) -> str:
    """Without what no reader sees; ends of lines stay."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in "\n\t\r" else "", text)


def is_odd(path: str) -> bool:
    """Some system reads another name in it, or a reader sees another: unseen characters, bytes that are no text,
    streams, short names, backslashes, dots or spaces at an end.
    """
    return (
        any(sign in path for sign in ":\\")
        or _UNSEEN.search(path) is not None
        or _RAW.search(path) is not None
        or _ENDS.search(path) is not None
        or _SHORT.search(path) is not None
    )
