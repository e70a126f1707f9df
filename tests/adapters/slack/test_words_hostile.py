"""Words made to keep the renderer busy, which runs on the event loop with every edit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adapters.chat.slack.render import message, split
from adapters.chat.slack.words import defuse
from core.model.chat import Post
from tests.growth import MOST, growth

LENGTH = 60_000

SEEDS = (
    "\\",
    "\\<",
    "<",
    "`",
    "`a",
    "[a](",
    "@channel",
    "<!channel>",
    "\x1b]",
    "<http://a",
    "-\u200d",
    "\u0301",
    "a\u0301",
    "\U0001f1e6",
    "\U0001f468\u200d",
    "```\n",
    "> - ",
)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_words_take_more_than_their_length(seed: str) -> None:
    def render(text: str) -> Sequence[Post]:
        pieces = split(Post(text))
        for piece in pieces:
            message(piece, "name")
        return pieces

    assert growth(render, seed, LENGTH) < MOST
    assert len(render(seed * (LENGTH // len(seed)))) <= 60


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("<", "&lt;"),
        ("\\<", "&lt;"),
        ("\\\\<", "\\\\&lt;"),
        ("\\\\\\<", "\\\\&lt;"),
        ("a\\b\\<c<", "a\\b&lt;c&lt;"),
        ("<<", "&lt;&lt;"),
    ],
)
def test_a_backslash_before_a_token_is_taken_with_it(typed: str, shown: str) -> None:
    assert defuse(typed) == shown
