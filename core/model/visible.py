"""What a reader sees of a text: no terminal sequence, no control, nothing that turns or hides words. Pure.

Kept are the few unseen characters that shape what is seen: joiners inside emoji and inside scripts that join letters,
the style of an emoji, the variant of an ideograph, the region of a flag. Text from right to left needs none of them.
"""

from __future__ import annotations

import re

_EMOJI = "\u2190-\u2bff\U0001f000-\U0001faff"
_STYLED = f"#*0-9\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299{_EMOJI}"
_JOINING = (
    "\u0620-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17b3\u17b6-\u17ff\u1820-\u18af"
    "\ua8e0-\ua8ff\ufb50-\ufdff\ufe70-\ufefc\U00011000-\U00011fff"
)
_IDEOGRAPH = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls, but for tab and line ends
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0\ufff9-\ufffb"  # fillers and the like
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # zero width, bidi
    "\ufe00-\ufe0f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # selectors, tags
)
_SUSPECT = re.compile(f"[{_HIDDEN}]")
_UNSEEN = re.compile(
    "(?P<kept>"
    f"(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])"
    f"|(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
    f"|(?<=[{_STYLED}])[\ufe0e\ufe0f]"
    f"|(?<=[{_IDEOGRAPH}])[\U000e0100-\U000e01ef]"
    "|(?<=\U0001f3f4)[\U000e0030-\U000e007a]{2,6}\U000e007f"
    ")"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # ANSI: colours and cursor
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]{0,4000}(?:\x07|\x1b\\|\x9c)"  # ANSI: titles and links
    r"|\x1b[ -/]*[0-~]?"
    f"|[{_HIDDEN}]"
)
_MARK = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u06d6-\u06dc\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_FLOOD = re.compile(f"([{_MARK}]{{8}})[{_MARK}]+")
"""More than any language puts on one letter; a tower of them covers the lines around it."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("\r\n?|\u2028|\u2029")


def visible(text: str) -> str:
    """Without what cannot be seen. Every line ends in one newline, and half a surrogate pair is U+FFFD."""
    text = _LINE_END.sub("\n", text)
    if not text.isascii():
        text = _FLOOD.sub(r"\1", text)
    if _SUSPECT.search(text):
        text = _UNSEEN.sub(r"\g<kept>", text)
    return _SURROGATE.sub("\ufffd", text)


def revealed(text: str) -> str:
    """With what cannot be seen made so, `<U+202E>`: for code, where to leave it out would be to change it."""
    if _SUSPECT.search(text):
        text = _UNSEEN.sub(_named, text)
    return _SURROGATE.sub("\ufffd", text)


def _named(found: re.Match[str]) -> str:
    if found["kept"] is not None:
        return found["kept"]
    return _SUSPECT.sub(lambda each: f"<U+{ord(each[0]):04X}>", found[0])
