"""Whether a pattern of a rule fits a command, a path or a domain: surely, or perhaps. Pure."""

from __future__ import annotations

import itertools
import posixpath
import re
from fnmatch import fnmatchcase
from functools import lru_cache

from core.approvals.hidden import name
from core.approvals.script import GAP, Simple, Word

_WILD = re.compile(r"[*?\[]")
ANY = "*"


def placed(path: str, root: str, folder: str) -> str:
    """A path relative to the checkout `root` where it lies in it, else absolute. `folder`: where it is relative to."""
    written = f"{folder}/{path}"
    if GAP in written and ".." in written.split("/"):
        return GAP
    whole = posixpath.normpath(posixpath.join(root or "/", folder, path))
    whole = f"/{whole.lstrip('/')}"
    clean = root.rstrip("/")
    return posixpath.relpath(whole, clean or "/") if whole == clean or whole.startswith(f"{clean}/") else whole


def surely_path(pattern: str, path: str) -> bool:
    return GAP not in path and _glob(pattern).fullmatch(path) is not None


def perhaps_path(pattern: str, path: str) -> bool:
    """In whatever case; what stands in a gap may be anything."""
    pattern, path = _anywhere(pattern).lower(), path.lower()
    if GAP not in path:
        return _glob(pattern).fullmatch(path) is not None
    return _may_meet(pattern, path, _WILD)


def surely_command(pattern: str, simple: Simple) -> bool:
    """The command as it is written, with nothing set before it and nothing unknown in it."""
    words = pattern.split()
    is_open = words[-1:] == [ANY]
    wanted = words[:-1] if is_open else words
    if simple.assigns or not all(word.is_known and word.is_one for word in simple.words):
        return False
    said = [word.text for word in simple.words]
    fits = len(said) >= len(wanted) if is_open else len(said) == len(wanted)
    return bool(wanted) and fits and all(fnmatchcase(each, want) for each, want in zip(said, wanted, strict=False))


def perhaps_command(pattern: str, simple: Simple) -> bool:
    """The program by whatever path, its words in this order, whatever else stands between them."""
    wanted = pattern.split()
    if not simple.words or not fnmatchcase(name(simple.words[0]), name(Word(wanted[0]))):
        return False
    rest = iter(_without_message(simple.words))
    return all(_follows(want, rest) for want in (wanted[1:-1] if wanted[-1] == ANY else wanted[1:]))


def fits_domain(pattern: str, domain: str) -> bool:
    clean = domain.lower().rstrip(".")
    return fnmatchcase(clean, pattern.lower())


def _without_message(words: tuple[Word, ...]) -> list[Word]:
    """The arguments; for git without the text of a commit, which is often made by a command."""
    is_git = name(words[0]) == "git"
    return [
        word
        for before, word in itertools.pairwise(words)
        if not (is_git and re.fullmatch(r"-[a-z]*m|--message", before.text) and word.is_one)
    ]


def _follows(want: str, rest: object) -> bool:
    for word in rest:  # type: ignore[attr-defined]
        if not word.is_one or (
            _may_meet(want, word.text, _WILD) if not word.is_known else fnmatchcase(word.text, want)
        ):
            return True
    return False


def _may_meet(pattern: str, text: str, wild: re.Pattern[str]) -> bool:
    """The ends that both have written out do not speak against it."""
    begin, end = wild.split(pattern)[0], re.split(r"[*?\]]", pattern)[-1]
    first, last = text.split(GAP, maxsplit=1)[0], text.rsplit(GAP, maxsplit=1)[-1]
    starts = first.startswith(begin) or begin.startswith(first)
    return starts and (last.endswith(end) or end.endswith(last))


def _anywhere(pattern: str) -> str:
    return pattern if "/" in pattern.rstrip("/") else f"**/{pattern}"


@lru_cache(maxsize=1000)
def _glob(pattern: str) -> re.Pattern[str]:
    """`**` is any folders, `*` any part of a name, `?` one character. A folder with `/**` is that folder too."""
    pattern = _anywhere(pattern).removeprefix("./")
    parts, at = [], 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            parts.append("(?:.*/)?")
            at += 3
        elif pattern[at:] == "/**":
            parts.append("(?:/.*)?")
            at += 3
        elif pattern.startswith("**", at):
            parts.append(".*")
            at += 2
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(pattern[at], re.escape(pattern[at])))
            at += 1
    return re.compile("".join(parts), re.DOTALL)
