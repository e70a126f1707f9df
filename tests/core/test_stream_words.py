"""Words that are shown before they are whole: no secret by half, nothing that changes afterwards, not too many."""

from __future__ import annotations

from itertools import pairwise
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from core.ports import Redact
from core.runs.stream_words import CUT, MOST_HELD, MOST_SETTLED, MOST_WORD, StreamWords

SECRET = f"key-{uuid4().hex}"
KEY = f"-----BEGIN PRIVATE KEY-----\n{uuid4().hex}\n\n{uuid4().hex}\n-----END PRIVATE KEY-----"


def black(text: str) -> str:
    return text.replace(SECRET, "[redacted]").replace(KEY, "[redacted]")


def views(whole: str, size: int, redact: Redact = black) -> list[str]:
    """What is shown after each piece."""
    words, shown = StreamWords(), []
    for at in range(0, len(whole), size):
        words = words.after(whole[at : at + size], redact)
        shown.append(words.shown(redact))
    return shown


@given(st.integers(1, 30))
def test_no_piece_of_a_secret_is_ever_seen(size: int) -> None:
    for whole in (f"The key is {SECRET} and\n\nno more. ", f"It is\n{KEY}\n\nthere. "):
        shown = views(whole, size)

        assert not any(part in each for each in shown for part in (SECRET[:8], *KEY.split("\n")[:2]))
        assert "[redacted]" in shown[-1]


@given(st.text("ab `<界\n", max_size=300), st.integers(1, 40))
def test_what_was_shown_stays_as_it_was(whole: str, size: int) -> None:
    shown = views(whole, size)

    assert all(later.startswith(sooner) for sooner, later in pairwise(shown))
    assert all(whole.startswith(each) for each in shown)


def test_a_word_is_shown_when_it_is_over_and_what_is_no_ascii_at_once() -> None:
    assert views("Hello wor", 9) == ["Hello "]
    assert views("Hello world ", 12) == ["Hello world "]
    assert views("你好世", 3) == ["你好世"]


@given(st.integers(50, 700))
def test_the_beginning_of_much_goes(size: int) -> None:
    whole = "\n\n".join(f"Paragraph {number} says this and that." for number in range(1000))
    shown = views(whole, size)

    assert all(len(each) <= MOST_SETTLED + MOST_HELD for each in shown)
    assert shown[-1].startswith(f"{CUT}Paragraph")
    assert "Paragraph 998" in shown[-1]


def test_a_cut_inside_a_fence_leaves_a_fence() -> None:
    code = "```\n" + "\n\n".join(f"line_{number} = {number}" for number in range(400)) + "\n\n"

    assert views(code, 50)[-1].startswith(f"{CUT}```\nline_")


def test_a_paragraph_without_end_is_shown_and_cut_anywhere() -> None:
    shown = views("word " * 5000, 100)

    assert len(shown[-1]) <= MOST_SETTLED + MOST_HELD
    assert shown[-1].startswith(CUT)
    assert shown[-1].endswith("word ")


def test_what_is_longer_than_any_word_or_key_is_shown_after_all() -> None:
    for whole in ("x" * (MOST_WORD + 1), "-----BEGIN PRIVATE KEY-----\n" + "x y " * MOST_WORD):
        assert views(whole, 1000, str)[-1].startswith(CUT)
