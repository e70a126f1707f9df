"""The words of an agent as they come, fit to be shown before they are whole: a secret is never seen by half.

What may still become a secret is held back: the word that is being written, and a key block that is not closed. A
paragraph that is over is blacked out once and for all, so that what was shown does not change any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.ports import Redact

MOST_SETTLED, KEPT = 4000, 2000
"""Characters. When there are more than the most, the beginning goes, and about so many stay."""
MOST_HELD = 4000
"""Of a paragraph: a longer one is settled as far as its words are whole."""
MOST_WORD = 24_000
"""A word or key block that is longer is none."""

CUT = "…\n\n"
_WORD = "".join(map(chr, range(0x21, 0x7F)))
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
_KEY = "-----BEGIN "
_KEY_END = re.compile(r"-----END [^\n-]*-----")


@dataclass(frozen=True, slots=True)
class StreamWords:
    """`settled` is blacked out, `held` is not."""

    settled: str = ""
    held: str = ""

    def after(self, text: str, redact: Redact) -> StreamWords:
        """With more of them."""
        held = self.held + text
        at = _seam(held)
        if not at:
            return StreamWords(self.settled, held)
        return StreamWords(_cut(self.settled + redact(held[:at])), held[at:])

    def shown(self, redact: Redact) -> str:
        """What anyone may see."""
        return self.settled + redact(self.held[: _sure(self.held)])


def _seam(held: str) -> int:
    """How many characters can be settled."""
    if len(held) > MOST_WORD:
        return len(held)
    sure = _sure(held)
    paragraph = held.rfind("\n\n", 0, sure) + 2
    key = _open_key(held, paragraph)
    if key is not None:
        paragraph = held.rfind("\n\n", 0, key) + 2
    if paragraph >= 2:
        return paragraph
    return sure if sure > MOST_HELD else 0


def _sure(held: str) -> int:
    """How many characters no longer can become part of a secret."""
    sure = len(held.rstrip(_WORD))
    key = _open_key(held, sure)
    return sure if key is None else key


def _open_key(held: str, end: int) -> int | None:
    """Where a key block begins that is not closed before `end`."""
    begins = held.rfind(_KEY, 0, end)
    return begins if begins >= 0 and not _KEY_END.search(held, begins, end) else None


def _cut(text: str) -> str:
    """Not too much of it: from the beginning of a paragraph where there is one, in a fence if it was in one."""
    if len(text) <= MOST_SETTLED:
        return text
    least = len(text) - KEPT
    seam = text.find("\n\n", least, len(text) - 2)
    at = seam + 2 if seam >= 0 else least
    is_fenced = len(_FENCE.findall(text, 0, at)) % 2 == 1
    return CUT + ("```\n" if is_fenced else "") + text[at:]
