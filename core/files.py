"""A long part of a post: said whole where a few messages hold it, else its beginning, and the whole as a file. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from core.model.chat import File, Post
from core.model.fences import Fence, after
from core.model.visible import revealed, visible

LONGEST = 2_000_000
"""Characters kept of one answer or one diff: a file that a phone still opens."""

BEGINNING = 1_500
"""Characters of it that stand in the chat: with what is said around them they fit one message of 4,096."""

ANSWER = "answer.md"
MESSAGE = "message.md"
"""The name of a file that nobody named: a post that is too long as it stands."""

_LEFT_OUT = re.compile(r"… [\d,]+ more characters are left out$")
_CLINGS = re.compile("[\u0300-\u036f\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")


def bounded(text: str) -> str:
    """What an agent says, without end perhaps: beyond LONGEST it is cut, and the last line says so."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n\n… {len(text) - LONGEST:,} more characters are left out"


def answer(text: str) -> File | None:
    """None: nothing was said."""
    return File(ANSWER, text.strip()) if text.strip() else None


def joined(post: Post) -> Post:
    """With the long part in its place, as words."""
    return _around(post, shown(post.file)) if post.file is not None else _around(post, "")


def in_brief(post: Post) -> Post:
    """With the beginning of the long part in its place, and where the rest is."""
    file = file_of(post)
    if post.file is None:
        post = replace(post, text="")
    return _around(post, f"{beginning(shown(file))}\n\n*{_whereabouts(file)}*")


def file_of(post: Post) -> File:
    """The long part as it is sent: nothing in it turns or hides words."""
    file = post.file or File(MESSAGE, joined(post).text)
    return replace(file, text=visible(file.text) if _is_markdown(file) else revealed(file.text))


def shown(file: File) -> str:
    """As words: Markdown as it is, anything else as code."""
    if _is_markdown(file):
        return file.text.strip("\n")
    ticks = "`" * max([3, *(len(each) + 1 for each in re.findall("`{3,}", file.text))])
    return f"{ticks}{file.name.rpartition('.')[2]}\n{file.text.rstrip()}\n{ticks}"


def beginning(text: str) -> str:
    """Up to the end of a paragraph, else of a line or a word; code that is cut is closed."""
    if len(text) <= BEGINNING:
        return text
    head = text[: _seam(text)].rstrip()
    fence: Fence | None = None
    for line in head.split("\n"):
        fence = after(fence, line)
    return f"{head}\n\n…" if fence is None else f"{head}\n{fence.end}\n\n…"


def _seam(text: str) -> int:
    """Where to cut: at the best seam of the second half of what there is room for."""
    for seam in ("\n\n", "\n", " "):
        at = text.rfind(seam, BEGINNING // 2, BEGINNING)
        if at > 0:
            return at
    at = BEGINNING
    while at > BEGINNING // 2 and (_CLINGS.match(text, at) or text[at - 1] == "\u200d"):
        at -= 1
    return at


def _whereabouts(file: File) -> str:
    what = "diff" if file.name.endswith(".diff") else "message" if file.name == MESSAGE else "answer"
    if _LEFT_OUT.search(file.text[-100:]):
        return f"The {what} is longer than I keep: its first {LONGEST:,} characters are in the file below."
    return f"The whole {what} ({len(file.text):,} characters) is in the file below."


def _around(post: Post, part: str) -> Post:
    text = "\n\n".join(each for each in (post.text, part, post.below) if each)
    return replace(post, text=text, file=None, below="")


def _is_markdown(file: File) -> bool:
    return file.name.endswith(".md")
