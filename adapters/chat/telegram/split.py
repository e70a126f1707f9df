"""Cuts a post that is too long for one message into several, at the seams of its Markdown. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from adapters.chat.telegram.render import LIMIT, cut, render_whole, units
from core.model.chat import Post
from core.model.fences import Fence, after, at_margin
from core.model.visible import visible

ROOM = 16
"""Kept free for the mark `(2/3)` and the empty line before it."""

MOST = LIMIT - 96
"""The rest is kept free for the line above a post that is said a second time: it must not push the end out."""

LEAST = 64
"""UTF-16 units of source below which it makes no sense to try smaller pieces: render cuts what is left over."""

TABLE_RULE = re.compile(r"^[ \t>]*\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
TORN = re.compile(r"(?:&#?\w*|\\)$")
"""The beginning of a character reference or of an escape, at the end of a piece."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that belong together. `head` opens each piece again (a fence, a table's first lines), `tail` closes it."""

    lines: tuple[str, ...]
    head: str = ""
    tail: str = ""

    def piece(self, lines: Sequence[str]) -> str:
        return "\n".join(each for each in (self.head, "\n".join(lines), self.tail) if each)


def split(post: Post) -> list[Post]:
    """Buttons hang on the last piece. A post that fits comes back as it is."""
    if fits(post.text, MOST):
        return [post]
    pieces = _pieces(at_margin(visible(post.text)), MOST - ROOM)
    last = len(pieces)
    marked = [f"{piece}\n\n({number}/{last})" for number, piece in enumerate(pieces, 1)]
    posts = [replace(post, text=text, buttons=()) for text in marked]
    return [*posts[:-1], replace(posts[-1], buttons=post.buttons)]


def fits(text: str, limit: int) -> bool:
    return units(render_whole(text)[0]) <= limit


def _pieces(source: str, limit: int) -> list[str]:
    """Packed by the length of the source; what renders longer than it was written is packed again, smaller."""
    done: list[str] = []
    waiting = [(piece, limit) for piece in reversed(_packed(source, limit))]
    while waiting:
        piece, budget = waiting.pop()
        if budget <= LEAST or fits(piece, limit):
            done.append(piece)
            continue
        budget = budget * 2 // 3
        waiting += [(each, budget) for each in reversed(_packed(piece, budget))]
    return done


def _packed(source: str, budget: int) -> list[str]:
    packed: list[str] = []
    for block in _blocks(source):
        left = budget - units(packed[-1]) - 2 if packed else 0
        for text in _parts(block, budget, left):
            if packed and units(packed[-1]) + units(text) + 2 <= budget:
                packed[-1] += f"\n\n{text}"
            else:
                packed.append(text)
    return [each for each in packed if each.strip()] or [source]


def _blocks(source: str) -> Iterator[_Block]:
    """Paragraphs, lists and tables as they stand between empty lines, and fenced code with its fences."""
    lines: list[str] = []
    fence: Fence | None = None
    for line in source.split("\n"):
        before, fence = fence, after(fence, line)
        if before is not None and fence is None:
            yield _fenced(lines, before)
            lines = []
        elif fence is not None and before is None:
            yield from _paragraph(lines)
            lines = []
        elif fence is not None or line.strip():
            lines.append(line)
        else:
            yield from _paragraph(lines)
            lines = []
    if fence is not None:
        yield _fenced(lines, fence)
    else:
        yield from _paragraph(lines)


def _fenced(lines: list[str], fence: Fence) -> _Block:
    return _Block(tuple(lines), head=fence.start, tail=fence.end)


def _paragraph(lines: list[str]) -> Iterator[_Block]:
    if not lines:
        return
    if len(lines) > 2 and "|" in lines[0] and TABLE_RULE.match(lines[1]):
        yield _Block(tuple(lines[2:]), head="\n".join(lines[:2]))
    else:
        yield _Block(tuple(lines))


def _parts(block: _Block, budget: int, left: int) -> Iterator[str]:
    """The block whole if it fits, else line by line, and a line that is longer than a message by words.

    What has to be cut anyway begins in what is `left` of the message before it.
    """
    frame = units(block.head) + units(block.tail) + 2
    most = max(LEAST // 2, budget - frame)
    is_whole = sum(units(line) + 1 for line in block.lines) <= most
    room = left - frame if not is_whole and left > budget // 4 else most
    lines: list[str] = []
    size = 0
    for line in (part for whole in block.lines for part in _line_parts(whole, most)):
        length = units(line) + 1
        if lines and size + length > room:
            yield block.piece(lines)
            lines, size, room = [], 0, most
        lines.append(line)
        size += length
    yield block.piece(lines)


def _line_parts(line: str, room: int) -> Iterator[str]:
    while units(line) > room:
        end = cut(line, room)
        space = line.rfind(" ", end // 2, end)
        torn = TORN.search(line, max(0, end - 40), end)
        end = space + 1 if space > 0 else torn.start() if torn and torn.start() > 0 else end
        yield line[:end]
        line = line[end:]
    yield line
