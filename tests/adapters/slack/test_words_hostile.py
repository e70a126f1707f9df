"""Words made to keep the renderer busy, which runs on the event loop with every edit."""

from __future__ import annotations

import time

import pytest

from adapters.chat.slack.render import message, split
from adapters.chat.slack.words import defuse
from core.model.chat import Post

LENGTH = 40_000
MOST_SECONDS = 2.0
"""Far above what is measured (0.2 s); backslashes took 3 s before, and with their square."""

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
    post = Post(seed * (LENGTH // len(seed)))

    began = time.process_time()
    pieces = split(post)
    for piece in pieces:
        message(piece, "name")

    assert time.process_time() - began < MOST_SECONDS
    assert len(pieces) <= 40


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
