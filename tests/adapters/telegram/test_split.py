"""A long answer becomes several messages, at its seams, and nothing of it is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.chat.telegram.render import render, render_whole, units
from adapters.chat.telegram.split import split
from core.model.chat import Button, ButtonToken, Post
from core.sending import MAYBE_TWICE

MARK = re.compile(r"\n\n\((\d+)/(\d+)\)$")
STOP = ((Button("Stop", token=ButtonToken("t")),),)


def pieces(text: str) -> list[str]:
    """What is shown in each message, without the marks."""
    posts = split(Post(text))
    shown = [render_whole(each.text)[0] for each in posts]
    assert all(units(each) <= 4096 for each in shown)
    if len(posts) > 1:
        assert [MARK.search(each.text).groups() for each in posts] == [  # type: ignore[union-attr]
            (str(number), str(len(posts))) for number in range(1, len(posts) + 1)
        ]
        shown = [re.sub(r"\s*\(\d+/\d+\)$", "", each) for each in shown]
    return shown


def test_what_fits_stays_as_it_is() -> None:
    post = Post("x" * 4000, STOP, silent=True)

    assert split(post) == [post]
    assert split(Post("")) == [Post("")]


def test_no_piece_is_so_long_that_a_line_above_it_pushes_its_end_out() -> None:
    for post in split(Post("y" * 4096)) + split(Post("word " * 3000)):
        shown, _ = render_whole(MAYBE_TWICE + post.text)

        assert units(shown) <= 4096


def test_buttons_hang_on_the_last_piece() -> None:
    posts = split(Post("word " * 2000, STOP, silent=True))

    assert [each.buttons for each in posts] == [(), (), STOP]
    assert all(each.silent for each in posts)


def test_paragraphs_stay_whole() -> None:
    paragraphs = [f"{number} " + "lorem ipsum " * 40 for number in range(30)]
    shown = pieces("\n\n".join(paragraphs))

    assert len(shown) == 4
    assert [line.strip() for each in shown for line in each.split("\n") if line] == [
        each.strip() for each in paragraphs
    ]


def test_code_is_opened_again_in_each_piece() -> None:
    lines = [f"print({number}, 'some code here')" for number in range(400)]
    posts = split(Post("Look:\n```python\n" + "\n".join(lines) + "\n```\nThat is all."))
    shown = [render(each.text) for each in posts]

    assert len(posts) > 2
    assert all(any(mark.language == "python" for mark in each.marks) for each in shown)
    assert [line for each in shown for line in each.text.split("\n") if line.startswith("print")] == lines
    assert shown[0].text.startswith("Look:\nprint(0") or shown[0].text.startswith("Look:\n\nprint(0")
    assert "That is all." in shown[-1].text


def test_code_that_was_never_closed_is_closed_in_each_piece() -> None:
    posts = split(Post("```\n" + "some code\n" * 900))

    assert all(each.text.count("```") == 2 for each in posts)
    assert sum(render(each.text).text.count("some code") for each in posts) == 900


def test_a_table_repeats_its_head() -> None:
    rows = [f"| row {number} | {'value ' * 5} |" for number in range(200)]
    shown = pieces("| name | value |\n|---|---|\n" + "\n".join(rows))

    assert len(shown) > 2
    assert all(each.startswith("name") for each in shown)
    assert sum(each.count("row ") for each in shown) == 200


@pytest.mark.parametrize("unit", ["x", "😀", "👨\u200d👩\u200d👧", "e\u0301", "@a ", "&amp;", "字"])
def test_a_line_without_seams_is_cut_between_characters(unit: str) -> None:
    shown = pieces(unit * 6000)
    whole = render_whole(unit)[0] if unit.strip() == unit else unit
    text = "".join(each.replace("\u2060", "") for each in shown)

    assert text.replace(" ", "") == (whole.strip().replace("\u2060", "") * 6000)
    if len(unit) > 1 and unit.strip() == unit and unit != "&amp;":
        assert all(each.startswith(unit) and each.endswith(unit) for each in shown)


def test_a_line_is_cut_between_words() -> None:
    assert all(word == "word" for each in pieces("word " * 3000) for word in each.split())


def test_a_table_that_grows_when_rendered_is_cut_smaller() -> None:
    wide = "| a | b |\n|---|---|\n" + f"| {'x' * 900} | y |\n" + "| 1 | 2 |\n" * 300

    shown = pieces(wide)

    assert len(shown) > 3
    assert sum(each.count("| 2") for each in shown) == 300


BLOCKS = st.sampled_from(
    [
        "para " * 60,
        "**bold** and `code` and @name " * 20,
        "```py\n" + "x = 1\n" * 120 + "```",
        "~~~\nno end\n" * 30,
        "> quote\n" * 50,
        "- item\n" * 90,
        "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 90,
        "😀" * 700,
        "<div>\n" * 30,
        "# Title",
        "\n\n\n",
    ]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(BLOCKS, min_size=1, max_size=14))
def test_every_piece_fits_and_nothing_is_lost(blocks: list[str]) -> None:
    source = "\n\n".join(blocks)
    shown = "".join(pieces(source))

    for sign in ("para", "bold", "name", "quote", "item", "😀", "Title", "x = 1"):
        assert shown.count(sign) == source.count(sign)


@pytest.mark.parametrize(
    ("before", "lead", "after"),
    [
        ("- step\n\n", "  ", "- next"),
        ("1. step\n   - deeper\n\n", "      ", "2. next"),
        ("", "", "next"),
        ("> said\n", "> ", "\nnext"),
    ],
)
@pytest.mark.parametrize("mark", ["```", "~~~~"])
def test_code_in_a_list_or_a_quote_is_code_in_each_piece(before: str, lead: str, after: str, mark: str) -> None:
    lines = [f"echo {number} # and some more" for number in range(600)]
    code = "\n".join(f"{lead}{line}" for line in [f"{mark}sh", *lines, mark])

    shown = [render(each.text) for each in split(Post(f"{before}{code}\n{after} comes *this*."))]

    assert len(shown) > 3
    for each in shown:
        [block] = [mark for mark in each.marks if mark.kind == "pre"]
        assert each.text[block.start : block.end].count("echo") == each.text.count("echo")
    assert [line for each in shown for line in each.text.split("\n") if line.startswith("echo")] == lines
    assert [mark.kind for mark in shown[-1].marks if mark.kind != "blockquote"] == ["pre", "italic"]


def test_code_that_begins_an_item_is_code_in_each_piece() -> None:
    lines = [f"echo {number} # and some more" for number in range(300)]
    shown = pieces("- ```sh\n" + "\n".join(f"  {each}" for each in lines) + "\n  ```\n- next *word*")

    assert [line for each in shown for line in each.split("\n") if line.startswith("echo")] == lines
    assert shown[-1].endswith("• next word")
