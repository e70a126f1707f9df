"""Code fences, as those need them who cut Markdown."""

from __future__ import annotations

import pytest

from core.model.fences import Fence, after, at_margin


@pytest.mark.parametrize(
    ("line", "fence"),
    [
        ("```", Fence("", "```", "")),
        ("~~~~ yaml `x`", Fence("", "~~~~", " yaml `x`")),
        ("> > ```py", Fence("> > ", "```", "py")),
        ("  1. - ```sh", Fence("  1. - ", "```", "sh")),
        ("```not`code", None),
        ("``", None),
        ("text ```", None),
    ],
)
def test_what_opens_a_fence(line: str, fence: Fence | None) -> None:
    assert Fence.opened_by(line) == fence
    assert after(None, line) == fence
    assert fence is None or fence.start == line


def test_what_closes_it() -> None:
    fence = Fence("> - ", "````", "py")

    assert fence.end == ">   ````"
    for line, is_end in {
        "````": True,
        "> `````  ": True,
        "```": False,
        "~~~~": False,
        "```` x": False,
        "": False,
    }.items():
        assert (after(fence, line) is None) == is_end


def test_code_in_lists_comes_to_the_margin() -> None:
    text = "1. one\n   ```sh\n   a\n     b\n\n c\n   ```\n- ~~~\n  x\n  ~~~\n\n  - deep\n\n    ```\n    y\n    ```\nend"

    assert at_margin(text) == ("1. one\n```sh\na\n  b\n\nc\n```\n-\n~~~\nx\n~~~\n\n  - deep\n\n```\ny\n```\nend")
    assert at_margin(at_margin(text)) == at_margin(text)


@pytest.mark.parametrize(
    "text",
    [
        "```\n  kept\n    as it is\n```",
        "no list\n\n    ```\n    indented code\n    ```",
        "- > ```\n  > quoted\n  > ```",
        "- item\nnot of it\n\n    ```\n    x",
        "- item `code`\n\n  text",
        "",
    ],
)
def test_other_code_stays_where_it_is(text: str) -> None:
    assert at_margin(text) == text
