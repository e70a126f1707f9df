"""A post as a Slack message: `markdown` blocks, buttons below, plain words for notifications. Pure.

Limits: 12,000 characters of markdown over the whole message by the documentation, refused in practice from 11,300 on
(slackapi/bolt-js 2509, 2867); 50 blocks; 25 elements a row, 75 characters a label, 255 an action_id.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from adapters.chat.slack.inbound import LINK_PREFIX
from adapters.chat.slack.words import addressed, defuse, plain
from core.model.chat import Button, Post, Style
from core.model.fences import Fence, after, at_margin
from core.model.visible import visible

MESSAGE_CHARACTERS = 10_000
FALLBACK_CHARACTERS = 3_000
PLAIN_CHARACTERS = 35_000
"""When Slack refuses the blocks; `text` is cut by Slack itself at 40,000."""

ROOM_FOR_MARKS = 60
"""`(12/34)`, and a fence closed and opened again."""

LONGEST_OPENER = 24
"""A fence's first line is repeated in the next message up to this length; a longer one without its info string."""

LONGEST_CHARACTER = 64
"""Code points that a reader may see as one, a family of emoji with their colours among them."""

EMPTY = "(no text)"
ROW = 25
ROWS = 40


def message(post: Post, name: str) -> dict[str, Any]:
    """`text` and `blocks`. `name` goes into the block_id, by which the message is found again."""
    words = fit(post.text)
    blocks: list[dict[str, Any]] = [{"type": "markdown", "block_id": name[:255], "text": words}]
    blocks += [{"type": "actions", "elements": row} for row in _rows(post)]
    return {"text": plain(post.text, FALLBACK_CHARACTERS) or EMPTY, "blocks": blocks}


def plain_message(post: Post) -> dict[str, Any]:
    """Without blocks, for when Slack refuses them."""
    return {"text": plain(post.text, PLAIN_CHARACTERS) or EMPTY, "blocks": []}


def fit(text: str) -> str:
    """One message of markdown, cut if it must be: `split` comes first, so it seldom is."""
    words = defuse(text).strip("\n")
    if _size(words) > MESSAGE_CHARACTERS:
        words = defuse(_pieces(text)[0]).strip("\n") + "\n…"
    return words if words.strip() else EMPTY


def split(post: Post) -> Sequence[Post]:
    """At paragraphs, else at lines, else anywhere but inside a character; a fence that is cut is opened again."""
    text = addressed(post.text)
    if _weight(text) <= MESSAGE_CHARACTERS:
        return [post]
    pieces = _pieces(at_margin(text))
    marked = [f"{piece.rstrip()}\n\n({number}/{len(pieces)})" for number, piece in enumerate(pieces, 1)]
    posts = [replace(post, text=text, buttons=()) for text in marked]
    return [*posts[:-1], replace(posts[-1], buttons=post.buttons)]


# ---------------------------------------------------------------------------------------------- buttons


def _rows(post: Post) -> list[list[dict[str, Any]]]:
    """action_id must be unique in the message, so a button that has no token gets its place."""
    rows = [row[at : at + ROW] for row in post.buttons for at in range(0, len(row), ROW)][:ROWS]
    return [[_button(button, f"{y}.{x}") for x, button in enumerate(row)] for y, row in enumerate(rows)]


def _button(button: Button, place: str) -> dict[str, Any]:
    label = visible(button.label).strip() or "·"
    shown: dict[str, Any] = {
        "type": "button",
        "text": {"type": "plain_text", "emoji": True, "text": label if len(label) <= 75 else label[:74] + "…"},
    }
    if button.url:
        shown |= {"action_id": f"{LINK_PREFIX}{place}", "url": button.url[:3000]}
    else:
        shown |= {"action_id": str(button.token) or f"press:{place}", "value": str(button.token)}
    return shown if button.style is Style.PLAIN else shown | {"style": button.style.value}


# ---------------------------------------------------------------------------------------------- pieces


def _size(text: str) -> int:
    """As Slack may count: a character beyond the basic plane is two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


HEAVIEST = 5
"""Of one character, that of `<`."""


def _weight(text: str) -> int:
    """At most this much once it is defused: `<` becomes `&lt;`, `@` or a token gets a joiner, a path is made code."""
    return _size(text) + 4 * text.count("<") + text.count("@") + 2 * (text.count("_") + text.count("*"))


def _pieces(text: str) -> list[str]:
    """Each within a message, marks included."""
    budget = MESSAGE_CHARACTERS - ROOM_FOR_MARKS
    pieces: list[str] = []
    held: list[str] = []
    size = 0
    for line in _short_lines(text, budget - 2 * LONGEST_OPENER):
        weight = _weight(line) + 1
        while held and size + weight > budget:
            head, held = _cut(held, budget)
            pieces.append("\n".join(head))
            size = sum(_weight(each) + 1 for each in held)
        held.append(line)
        size += weight
    return [*pieces, "\n".join(held)]


def _cut(lines: list[str], budget: int) -> tuple[list[str], list[str]]:
    """The last paragraph's end that leaves the head at least half full, else all of it."""
    fence: Fence | None = None
    size = last_good = 0
    for number, line in enumerate(lines):
        size += _weight(line) + 1
        fence = after(fence, line)
        if fence is None and not line.strip() and size >= budget // 2:
            last_good = number + 1
    if last_good:
        return lines[:last_good], lines[last_good:]
    if fence is None or len(fence.end) > LONGEST_OPENER:
        return lines, []
    opener = fence.start if len(fence.start) <= LONGEST_OPENER else fence.end
    return [*lines, fence.end], [opener]


def _short_lines(text: str, budget: int) -> Iterator[str]:
    for line in text.split("\n"):
        rest = line
        while _weight(rest) > budget:
            at = _break(rest, budget)
            yield rest[:at]
            rest = rest[at:]
        yield rest


def _break(line: str, budget: int) -> int:
    """Where to break a line that is too long: after a blank if there is one in its second half."""
    at = min(len(line), budget)
    while (over := _weight(line[:at]) - budget) > 0:
        at -= max(1, over // HEAVIEST)
    blank = line.rfind(" ", at // 2, at)
    if blank > 0:
        return blank + 1
    whole = next((each for each in range(at, max(0, at - LONGEST_CHARACTER), -1) if not _hangs_on(line, each)), 0)
    return whole or at  # what is longer than any character is torn after all


def _hangs_on(line: str, at: int) -> bool:
    """Whether the character at `at` belongs to the one before it: an accent, a joined or coloured emoji, a flag."""
    here, before = line[at], line[at - 1]
    joins = here in "\u200d\ufe0f" or before == "\u200d" or "\U0001f3fb" <= here <= "\U0001f3ff"
    flags = "\U0001f1e6" <= here <= "\U0001f1ff"
    return joins or flags or bool(unicodedata.combining(here))
