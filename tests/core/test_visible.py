"""What shapes words is kept, what turns or hides them is not."""

from __future__ import annotations

import pytest

from core.model.visible import revealed, visible

KEPT = [
    "👨\u200d💻",
    "👩🏽\u200d❤\ufe0f\u200d👨",
    "🏳\ufe0f\u200d🌈",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "#\ufe0f\u20e3 ©\ufe0f",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "क्\u200dष",
    "葛\U000e0100城",
    "שלום, العربية\n\ttabs and a_path/with_underscores.py",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_shapes_words_is_kept(text: str) -> None:
    assert visible(text) == text
    assert revealed(text) == text


GONE = {
    "a\u200db": "ab",
    "\u0434\u200d\u0430": "\u0434\u0430",
    "👨\u200d\u200d💻": "👨💻",
    "👨\u200d": "👨",
    "\u0645\u200c": "\u0645",
    "a\u200bb\u2060c\ufeffd\u00ade": "abcde",
    "\u202eabc\u202c \u2066x\u2069 \u200ey\u200f": "abc x y",
    "a\U000e0041\U000e0042b": "ab",
    "x\ufe01\ufe0f": "x",
    "😀\U000e0101\U000e0120": "😀",
    "\u3164\u115f\uffa0": "",
    "\x1b[31mred\x1b[0m \x9b1mx": "red x",
    "\x1b]8;;http://evil.example\x07x\x1b]0;t\x1b\\y": "xy",
    "\x1b]0;no end\nmore": "0;no end\nmore",
    "a\r\nb\rc\u2028d": "a\nb\nc\nd",
    "a\x00\x07\x85b\ud800": "ab\ufffd",
}


@pytest.mark.parametrize("text", GONE)
def test_what_turns_or_hides_words_is_gone(text: str) -> None:
    assert visible(text) == GONE[text]
    assert visible(visible(text)) == visible(text)


def test_in_code_it_is_shown() -> None:
    assert revealed("if \u202eadmin\u2066: \x1b[1m\r\n") == "if <U+202E>admin<U+2066>: <U+001B>[1m\r\n"
    assert revealed("👨\u200d💻 \u200b") == "👨\u200d💻 <U+200B>"
