"""Ten long answers, letter by letter and in pieces, and what breaks parsers: within Slack's limits, and silent."""

from __future__ import annotations

import html
import re

import pytest

from adapters.chat.slack import render
from core.model.chat import Button, ButtonToken, Post
from core.model.fences import Fence, after
from tests.adapters.slack.test_render import LIVE
from tests.adapters.spec import spec_examples
from tests.answers import ANSWERS, FIRST, HARD, RINGING, STEP, WORDS
from tests.fakes.slack import faults_of_blocks

BUTTONS = ((Button("Stop", token=ButtonToken("t")),),)
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2061-\u2069\ufeff\U000e0001]")


def trouble(text: str) -> list[str]:
    """What Slack refuses, what would ring, what is not seen."""
    shown = render.message(Post(text, BUTTONS), "name")
    found = faults_of_blocks(shown["blocks"])
    plain = render.plain_message(Post(text))["text"]
    for words in (shown["blocks"][0]["text"], shown["text"], plain):
        # What is read as a sign though it is written as a reference; ours, `&lt;`, Slack shows and reads no further.
        read = html.unescape(prose(words).replace("&lt;", "{").replace("&amp;", "+"))
        found += [f"rings: {rung[0]}" for each in (words, read) if (rung := LIVE.search(each))]
        found += ["nothing is said"] if not words.strip() else []
        found += [f"not seen: {hidden[0]!r}" for hidden in [UNSEEN.search(words)] if hidden]
    return found


def prose(text: str) -> str:
    """Without code, where no reference is read."""
    fence: Fence | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        was, fence = fence, after(fence, line)
        lines += [] if was or fence else [re.sub(r"(`+).*?\1", "", line)]
    return "\n".join(lines)


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_every_prefix_of_a_long_answer_is_accepted(number: int, first: int) -> None:
    answer = ANSWERS[number]
    for end in range(first, len(answer) + 1, STEP):
        shown = render.message(Post(answer[:end]), "name")
        assert faults_of_blocks(shown["blocks"]) == []
        assert not LIVE.search(shown["blocks"][0]["text"])
        assert not LIVE.search(shown["text"])


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_no_prefix_of_a_long_answer_rings_or_hides(number: int) -> None:
    answer = ANSWERS[number]

    assert [(end, found) for end in range(0, len(answer) + 1, 2 * STEP + 1) if (found := trouble(answer[:end]))] == []


def test_every_commonmark_example_is_accepted() -> None:
    examples = spec_examples()

    assert len(examples) == 652
    assert [(source, found) for source, _ in examples if (found := trouble(source))] == []


def test_the_words_of_every_commonmark_example_stay() -> None:
    """The markup is Slack's to read: but for the signs that are defused, it comes as it was written."""
    for source, _ in spec_examples():
        shown = render.message(Post(source), "name")["blocks"][0]["text"]
        before, after = (re.findall(r"[^\W_]+", html.unescape(each)) for each in (source, shown))
        assert after == before or shown == render.EMPTY


@pytest.mark.parametrize("name", HARD)
def test_what_breaks_parsers_is_accepted_whole_and_in_pieces(name: str) -> None:
    assert trouble(HARD[name]) == []
    pieces = render.split(Post(HARD[name]))
    for piece in pieces:
        assert trouble(piece.text) == []
        assert render._size(render.message(piece, "name")["blocks"][0]["text"]) <= render.MESSAGE_CHARACTERS


@pytest.mark.parametrize("text", RINGING)
def test_nothing_rings(text: str) -> None:
    for source in (text, f"a {text} b", f"**{text}**", f"- {text}", f"[{text}](https://example.org)", f"{text}{text}"):
        assert trouble(source) == []


def test_nothing_rings_where_a_message_ends() -> None:
    """Wherever a piece is cut: `@hereafter` is nobody, `@here` is all."""
    for shift in range(12):
        for word in WORDS:
            for piece in render.split(Post("." * shift + word * 2000)):
                assert trouble(piece.text) == []


def test_long_answers_together_come_in_pieces_with_their_fences_closed() -> None:
    whole = "\n\n".join(ANSWERS)
    pieces = render.split(Post(whole))

    assert len(pieces) > 3
    for piece in pieces:
        assert trouble(piece.text) == []
        fence: Fence | None = None
        for line in piece.text.split("\n"):
            fence = after(fence, line)
        assert fence is None or piece is pieces[-1]
    said = "".join(re.sub(r"\s*\(\d+/\d+\)$", "", piece.text) for piece in pieces)
    for word in WORDS:
        assert said.count(word) == whole.count(word), word


def test_addresses_and_paths_survive() -> None:
    """Where Markdown would read a mark in them, they are code."""
    text = "https://example.org/a_b_c/d__e?x_y=1_2&z=3 /var/log/a_b/error_log.1 a_b_c, https://e.org/_a_/b **x/y**"
    assert shown_of(text) == text

    text = "src/__init__.py, **a/_b_/c** (tests/**/*_test.go): __init__.py. [x](src/__init__.py) `src/__x__.py`"
    assert shown_of(text) == (
        "`src/__init__.py`, **`a/_b_/c`** (`tests/**/*_test.go`): `__init__.py`. [x](src/__init__.py) `src/__x__.py`"
    )
    assert shown_of(shown_of(text)) == shown_of(text)


def shown_of(text: str) -> str:
    return str(render.message(Post(text), "name")["blocks"][0]["text"])


def test_a_button_hides_nothing() -> None:
    button = Button("ok\u202e \x1b[31mno\u200b", token=ButtonToken("t"))
    shown = render.message(Post("x", ((button,),)), "name")["blocks"][1]["elements"][0]

    assert shown["text"]["text"] == "ok no"
