"""The head and the tail of what a process writes, however much it is."""

from __future__ import annotations

OUTPUT_CHARS = 12_000
"""What a model or a person is shown of one command."""
_BYTES_OF_CHAR = 4
"""UTF-8: the most that one character takes."""


class Excerpt:
    """Takes an output piece by piece and keeps its two ends, within a few times `chars` of memory."""

    def __init__(self, chars: int = OUTPUT_CHARS) -> None:
        self._chars = chars
        self._room = chars * _BYTES_OF_CHAR // 2
        self._head = b""
        self._tail = b""
        self._size = 0

    def take(self, piece: bytes) -> None:
        self._size += len(piece)
        room = self._room - len(self._head)
        self._head += piece[:room]
        self._tail = (self._tail + piece[room:])[-self._room :]

    @property
    def text(self) -> str:
        if self._size <= len(self._head) + len(self._tail):
            return cut((self._head + self._tail).decode(errors="replace"), self._chars)
        half = self._chars // 2
        left_out = self._size - len(self._head) - len(self._tail)
        head, tail = self._head.decode(errors="replace")[:half], self._tail.decode(errors="replace")[-half:]
        return f"{head}\n[… more than {left_out:,} bytes left out …]\n{tail}"


def cut(text: str, chars: int = OUTPUT_CHARS) -> str:
    """At most `chars` of it, head and tail, and a word about the rest."""
    if len(text) <= chars:
        return text
    half = chars // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"
