"""Commands as they are read from a line: their words, and what of these nobody knows before they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP = "\0"
"""In a word: here stands what nobody knows before it runs. No command can hold a NUL."""


@dataclass(frozen=True, slots=True)
class Word:
    """`text` has a GAP for each expansion. `is_bare`: nothing in it is quoted. `is_one`: it stays exactly one word."""

    text: str
    is_bare: bool = False
    is_one: bool = True

    @property
    def is_known(self) -> bool:
        return GAP not in self.text

    def plus(self, text: str, *, is_bare: bool = True, is_one: bool = True) -> Word:
        return Word(self.text + text, self.is_bare and is_bare, self.is_one and is_one)


@dataclass(frozen=True, slots=True)
class Simple:
    """One command with its arguments; no words: assignments or redirections alone.

    `writes`: the files that its redirections write. `feeds`: the texts of here-documents and here-strings.
    """

    words: tuple[Word, ...]
    assigns: bool = False
    writes: tuple[Word, ...] = ()
    feeds: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """`is_whole`: nothing else is run than these commands, and what they themselves run."""

    commands: tuple[Simple, ...]
    is_whole: bool = True


def of_argv(argv: Sequence[str]) -> Script:
    """A program that is started without a shell."""
    return Script((Simple(tuple(Word(each) for each in argv)),), is_whole=bool(argv))
