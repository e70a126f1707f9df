"""What a line for bash would run, as far as that can be read: every simple command in it, wherever it stands. Pure.

What cannot be read surely is never guessed: the script then says that it is not whole, and whoever decides about it
must take it for the worst. What an expansion would bring is unknown; a word that holds one says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from core.approvals.script import GAP, Script, Simple, Word

MOST_CHARS = 200_000
MOST_DEPTH = 12


class _UnreadError(Exception):
    """What follows cannot be read surely."""


@dataclass(eq=False, slots=True)
class _Draft:
    """A command whose here-documents may still come."""

    words: list[Word] = field(default_factory=list)
    writes: list[Word] = field(default_factory=list)
    feeds: list[Word] = field(default_factory=list)
    assigns: bool = False

    def done(self) -> Simple:
        return Simple(tuple(self.words), self.assigns, tuple(self.writes), tuple(self.feeds))


def read(line: str, depth: int = 0) -> Script:
    """Never raises."""
    if len(line) > MOST_CHARS or depth > MOST_DEPTH or GAP in line:
        return Script((), is_whole=False)
    reader = _Reader(line, depth)
    try:
        reader.script("")
    except (_UnreadError, RecursionError):
        reader.is_whole = False
    return Script(tuple(each.done() for each in reader.found), reader.is_whole)


_ENDS = " \t\n;&|()<>"
_KEYWORDS = frozenset({"if", "then", "elif", "else", "fi", "do", "done", "while", "until", "!", "{", "}"})
_STRANGE = frozenset({"case", "esac", "function", "select", "coproc", "alias", "unalias", "enable"})
_ASSIGN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_BRACES = re.compile(r"\{[^{}\s;&|()<>]*(?:,|\.\.)[^{}\s;&|()<>]*\}")
_REDIRECT = re.compile(r"&>>?|[<>]&-?|<<<|<<-?|<>|>>|>\||[<>]")
_BRACKET = re.compile(r"\[\[?(?=[ \t\n]|\\\n|$)")
_PROCESS = ("<(", ">(")
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "E": "\x1b"}
_PLAIN |= {each: each for each in "\\'\"?"}
_UNSURE = ("$(", "`", "'", '"', "\\", "[", "<(", ">(", "@")
"""In arithmetic or in a parameter: what may run a command there, or hide its end."""


class _Reader:
    """Reads from `at` on. `found`: the commands, in the order in which they end."""

    def __init__(self, line: str, depth: int) -> None:
        self._line, self._depth, self._at = line, depth, 0
        self.found: list[_Draft] = []
        self.is_whole = True
        self._heres: list[tuple[str, bool, bool, _Draft]] = []
        """Whose text begins on the next line: the end word, whether that is quoted and tabs are cut, for whom."""

    @property
    def _is_over(self) -> bool:
        return self._at >= len(self._line)

    def script(self, end: str) -> None:
        """Up to `end`, which is taken: `)`, or empty for the end of all."""
        while True:
            self._skip_blanks()
            if self._is_over:
                if end:
                    raise _UnreadError
                return
            char = self._line[self._at]
            if char == ")":
                if not end:
                    raise _UnreadError
                self._at += 1
                return
            if char == "\n":
                self._at += 1
                self._read_heres()
            elif char == "(":
                self._at += 1
                if self._next_in("("):
                    raise _UnreadError  # arithmetic, or not
                self.script(")")
            elif char in ";&|" and not self._line.startswith("&>", self._at):
                self._at += 1
            else:
                self._command()

    # ------------------------------------------------------------------------------------- one command

    def _command(self) -> None:
        draft = _Draft()
        while True:
            self._skip_blanks()
            if self._next_in("#"):
                end = self._line.find("\n", self._at)
                self._at = len(self._line) if end < 0 else end
            if self._ends_command():
                break
            if self._next_in("("):
                raise _UnreadError  # a function, an array or a pattern
            if not self._redirect(draft):
                self._argument(draft)
        if draft.words or draft.assigns or draft.writes:
            self.found.append(draft)

    def _ends_command(self) -> bool:
        is_redirect = self._line.startswith("&>", self._at)
        return self._is_over or (self._line[self._at] in "\n;&|)" and not is_redirect)

    def _argument(self, draft: _Draft) -> None:
        start = self._at
        word = self._word()
        if self._next_in("<>") and word.is_bare and word.text.isdigit():
            return  # the number of a stream
        if draft.words or not word.is_bare:
            is_assign = not draft.words and _ASSIGN.match(self._line, start)
        elif word.text in _STRANGE:
            raise _UnreadError
        elif word.text in _KEYWORDS:
            return
        elif word.text == "for":
            self._loop()
            return
        elif word.text == "[[":
            self._test()
            return
        else:
            is_assign = _ASSIGN.match(self._line, start)
        if is_assign:
            draft.assigns = True
        else:
            draft.words.append(word)

    def _loop(self) -> None:
        """`for x in a b c`: the words are only read for what they run themselves."""
        self._skip_blanks()
        while not self._is_over and self._line[self._at] not in "\n;":
            if self._line[self._at] in "&|()<>":
                raise _UnreadError
            self._word()
            self._skip_blanks()

    def _test(self) -> None:
        """`[[ … ]]`: operators in it are not those of commands."""
        while True:
            self._skip_blanks()
            if self._is_over or self._line[self._at] in "\n;":
                raise _UnreadError
            if self._line[self._at] in "&|()<>":
                self._at += 1
            elif self._word().text == "]]":
                return

    # ------------------------------------------------------------------------------------ redirections

    def _redirect(self, draft: _Draft) -> bool:
        found = _REDIRECT.match(self._line, self._at)
        if found is None or self._line.startswith(_PROCESS, self._at):
            return False
        self._at = found.end()
        self._skip_blanks()
        if found[0] in {"<&-", ">&-"}:
            return True
        if self._is_over or (self._line[self._at] in _ENDS and not self._line.startswith(_PROCESS, self._at)):
            raise _UnreadError
        start = self._at
        word = self._word()
        match found[0]:
            case "<<" | "<<-":
                if not word.is_known:
                    raise _UnreadError
                is_quoted = any(each in self._line[start : self._at] for each in "'\"\\")
                self._heres.append((word.text, is_quoted, found[0] == "<<-", draft))
            case "<<<":
                draft.feeds.append(word)
            case "<" | "<&":
                pass
            case _ if not (found[0] == ">&" and re.fullmatch(r"\d+-?", word.text)):
                draft.writes.append(word)
        return True

    def _read_heres(self) -> None:
        heres, self._heres = self._heres, []
        for end, is_quoted, cuts_tabs, draft in heres:
            lines = []
            while not self._is_over:
                stop = self._line.find("\n", self._at)
                stop = len(self._line) if stop < 0 else stop
                line = self._line[self._at : stop]
                self._at = stop + 1
                line = line.lstrip("\t") if cuts_tabs else line
                if line == end:
                    break
                lines.append(line)
            text = "\n".join(lines)
            draft.feeds.append(Word(text) if is_quoted else self._expanded(text))

    def _expanded(self, text: str) -> Word:
        """The text of a here-document, in which expansions count."""
        inner = _Reader(text, self._depth + 1)
        word = inner.quoted("")
        self._take(inner)
        return word

    # -------------------------------------------------------------------------------------------- words

    def _word(self) -> Word:
        word = Word("", is_bare=True)
        while not self._is_over:
            char = self._line[self._at]
            if self._line.startswith(_PROCESS, self._at):
                self._at += 2
                self.script(")")
                word = word.plus(GAP, is_bare=False)
            elif char in _ENDS:
                break
            else:
                self._at += 1
                word = self._piece(char, word)
        return word

    def _piece(self, char: str, word: Word) -> Word:  # noqa: C901 - a table of what may begin here
        """The word with what begins with this character, which is taken already."""
        match char:
            case "\\":
                if self._is_over:
                    raise _UnreadError
                following = self._line[self._at]
                self._at += 1
                return word if following == "\n" else word.plus(following, is_bare=False)
            case "'":
                return word.plus(self._until_quote(), is_bare=False)
            case '"':
                inside = self.quoted('"')
                return word.plus(inside.text, is_bare=False, is_one=inside.is_one)
            case "$" if self._next_in("'\""):
                return word.plus("", is_bare=False) if self._next_in('"') else self._ansi(word)
            case "$" | "`":
                piece, _ = self._expansion(char)
                return word.plus(piece, is_one=piece != GAP)
            case "[" if not word.text and word.is_bare and (found := _BRACKET.match(self._line, self._at - 1)):
                self._at = found.end()
                return word.plus(found[0])
            case "*" | "?" | "[":
                return word.plus(GAP, is_one=False)
            case "~" if not word.text:
                return word.plus(GAP, is_one=False)
            case "{" if found := _BRACES.match(self._line, self._at - 1):
                if any(each in found[0] for each in "$`'\"\\"):
                    raise _UnreadError
                self._at = found.end()
                return word.plus(GAP, is_one=False)
        return word.plus(char)

    def quoted(self, end: str) -> Word:
        """The inside of double quotes up to `end`, which is taken; empty: to the end of all, as in a here-document."""
        pieces: list[str] = []
        is_one = True
        while not self._is_over:
            char = self._line[self._at]
            self._at += 1
            if char == end:
                return Word("".join(pieces), is_one=is_one)
            if char == "\\" and not self._is_over and self._line[self._at] in '$`"\\\n':
                pieces.append(self._line[self._at].replace("\n", ""))
                self._at += 1
            elif char in "$`":
                piece, is_list = self._expansion(char)
                pieces.append(piece)
                is_one = is_one and not is_list
            else:
                pieces.append(char)
        if end:
            raise _UnreadError
        return Word("".join(pieces), is_one=is_one)

    def _expansion(self, char: str) -> tuple[str, bool]:
        """After `$` or a backtick: GAP, or the `$` itself where it expands nothing; and whether it is a list."""
        if char == "`":
            inner = _Reader(re.sub(r"\\([`$\\])", r"\1", self._backticked()), self._depth + 1)
            inner.script("")
            self._take(inner)
        elif self._line.startswith("((", self._at):
            self._balanced("(", ")")
        elif self._next_in("("):
            self._at += 1
            self.script(")")
        elif self._next_in("{"):
            self._balanced("{", "}")
        elif self._line.startswith("\\\n", self._at):
            raise _UnreadError
        elif found := _NAME.match(self._line, self._at):
            self._at = found.end()
            return GAP, found[0] in "@*"
        else:
            return "$", False
        return GAP, False

    def _balanced(self, opens: str, closes: str) -> None:
        """Arithmetic, or a parameter in braces."""
        start, level = self._at, 0
        while not self._is_over:
            char = self._line[self._at]
            self._at += 1
            level += (char == opens) - (char == closes)
            if not level:
                break
        if level or any(each in self._line[start : self._at] for each in _UNSURE):
            raise _UnreadError

    def _backticked(self) -> str:
        start = self._at
        while not self._is_over:
            char = self._line[self._at]
            self._at += 2 if char == "\\" else 1
            if char == "`":
                return self._line[start : self._at - 1]
        raise _UnreadError

    def _until_quote(self) -> str:
        start, end = self._at, self._line.find("'", self._at)
        if end < 0:
            raise _UnreadError
        self._at = end + 1
        return self._line[start:end]

    def _ansi(self, word: Word) -> Word:
        """`$'…'`"""
        self._at += 1
        pieces: list[str] = []
        while not self._is_over:
            char = self._line[self._at]
            self._at += 1
            if char == "'":
                return word.plus("".join(pieces), is_bare=False)
            if char == "\\":
                char = _PLAIN.get(self._line[self._at : self._at + 1], "")
                if not char:
                    raise _UnreadError
                self._at += 1
            pieces.append(char)
        raise _UnreadError

    # ------------------------------------------------------------------------------------------ helpers

    def _skip_blanks(self) -> None:
        while not self._is_over:
            if self._line[self._at] in " \t":
                self._at += 1
            elif self._line.startswith("\\\n", self._at):
                self._at += 2
            else:
                return

    def _next_in(self, chars: str) -> bool:
        return not self._is_over and self._line[self._at] in chars

    def _take(self, inner: _Reader) -> None:
        """What a part that was read apart would run."""
        if self._depth > MOST_DEPTH:
            raise _UnreadError
        self.found += inner.found
        self.is_whole = self.is_whole and inner.is_whole
