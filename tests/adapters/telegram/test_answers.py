"""Ten long answers, letter by letter and in pieces, and what breaks parsers: Telegram's own parser takes it all."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("tdjson", reason="tdjson has no wheel for this machine")

from adapters.chat.telegram.render import LIMIT, Rendered, render, render_whole, units
from adapters.chat.telegram.split import split
from core.model.chat import Post
from core.model.visible import visible
from tests.adapters.telegram import tdlib  # after the check
from tests.answers import ANSWERS, BLOCKS, FIRST, HARD, RINGING, STEP, WORDS

CODE = {"code", "pre"}
MARK = re.compile(r"\s*\(\d+/\d+\)$")


def trouble(shown: Rendered) -> str:
    """What the parser refuses, or whom Telegram would ring at; empty: nothing."""
    wide = shown.text.encode("utf-16-le")
    for each in shown.marks:
        if each.kind in CODE:
            dots = ("." * (each.end - each.start)).encode("utf-16-le")
            wide = wide[: each.start * 2] + dots + wide[each.end * 2 :]
    rung = [*tdlib.mentions(wide.decode("utf-16-le")), *[each for each in shown.marks if each.url.startswith("tg:")]]
    return tdlib.refusal(shown) or (f"rings at {rung}: {shown!r}" if rung else "")


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_every_prefix_of_a_long_answer_is_accepted(number: int, first: int) -> None:
    answer = ANSWERS[number]
    found = [text for end in range(first, len(answer) + 1, STEP) if (text := tdlib.refusal(render(answer[:end])))]

    assert found == []


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_no_prefix_of_a_long_answer_rings(number: int) -> None:
    answer = ANSWERS[number]

    assert [text for end in range(0, len(answer) + 1, 2 * STEP + 1) if (text := trouble(render(answer[:end])))] == []


@pytest.mark.parametrize("name", HARD)
def test_what_breaks_parsers_is_accepted_whole_and_in_pieces(name: str) -> None:
    assert trouble(render(HARD[name])) == ""
    for piece in split(Post(HARD[name])):
        text, marks = render_whole(piece.text)
        assert 0 < units(text) <= LIMIT
        assert trouble(Rendered(text, marks)) == ""


@pytest.mark.parametrize("text", RINGING)
def test_nothing_rings(text: str) -> None:
    for source in (text, f"a {text} b", f"**{text}**", f"- {text}", f"[{text}](https://example.org)", f"{text}{text}"):
        assert trouble(render(source)) == ""


def test_nothing_rings_where_a_message_ends() -> None:
    """Wherever a piece is cut, what is left of a name is no name."""
    for shift in range(12):
        for piece in split(Post("." * shift + "@durov" * 3000)):
            assert trouble(render(piece.text)) == ""


def test_long_answers_together_come_in_pieces_and_nothing_is_lost() -> None:
    whole = "\n\n".join(ANSWERS)
    pieces = split(Post(whole))
    shown = [render_whole(piece.text) for piece in pieces]

    assert len(pieces) > 8
    assert all(units(text) <= LIMIT for text, _ in shown)
    assert [found for text, marks in shown if (found := trouble(Rendered(text, marks)))] == []
    said = "".join(MARK.sub("", text) for text, _ in shown)
    for word in WORDS:
        assert said.count(word) >= whole.count(word), word


@pytest.mark.parametrize("name", sorted(set(BLOCKS) - {"links", "html", "mentions", "tricks"}))
def test_the_words_of_an_answer_are_all_there(name: str) -> None:
    """In order; addresses of links and languages of fences are not words."""
    source = re.sub(r"\]\([^)]*\)|^[ >-]*(```|~~~).*$|^\[ref\].*$", " ", visible(BLOCKS[name]), flags=re.MULTILINE)
    words = re.findall(r"[^\W_]{2,}", source)
    text = render(BLOCKS[name]).text
    at = 0
    for word in words:
        assert word in text[at:], word
        at = text.index(word, at) + len(word)


ADDRESSES = (
    "https://example.org/a_b_c/d__e__f?x_y=1_2&z=3#f_g_h",
    "https://example.org/wiki/Foo_(bar)_baz",
    "http://127.0.0.1:8000/api/v1/user_list/",
    "/var/log/app_server/error_log.1",
    "src/__init__.py",
    "__init__.py and __main__.py in a/_b_/c",
    "src/**/a.py and src/**/b.py",
    "https://example.org/_a_/b and https://example.org/_c_/d",
    "dir_/file_.py",
    "tests/**/*_test.go",
    "snake_case_name and other_name_",
    "_private_name",
    "C:\\Users\\me_and_you\\a_b.txt",
)


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses_and_paths_survive(text: str) -> None:
    assert render(f"see {text} there").text == f"see {text} there"
    assert render(f"`{text}`").text == text
