"""Which files a command writes, and whether it deletes much, as far as its words tell. Pure.

A program may write what its words do not name; that is for the sandbox, and for who looks at the whole change.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from core.approvals.hidden import hidden, name
from core.approvals.script import GAP, Simple, Word

MOST_FILES = 10
"""So many may be deleted by name without a question."""
MOST_PLACES = 32
FOUND = "{}"
"""What `find` found: that is judged where it is looked for."""

_ALL_ARGUMENTS = frozenset({"tee", "mv", "rm", "rmdir", "unlink", "shred", "touch", "truncate", "chmod", "chown"})
_LAST_ARGUMENT = frozenset({"cp", "install", "ln", "rsync", "scp"})
_IN_PLACE = frozenset({"sed", "gsed", "perl", "ruby"})
_DELETING = frozenset({"rm", "rmdir", "unlink", "shred", "srm", "trash"})

_MADE_AGAIN = re.compile(
    r"(?:\./)?(?:[\w.-]+/)*(?:build|dist|out|target|tmp|temp|node_modules|coverage|htmlcov|\.?venv|\.cache|\.next|\.turbo"
    r"|\.(?:pytest|mypy|ruff)_cache|__pycache__|\.tox|\.nox|\.coverage|[\w.-]+\.egg-info)/?"
    r"|/tmp/[\w./-]*[\w-][\w./-]*"
)
_JUNK = re.compile(rf"[^/]*(?:/[^/]*)*{GAP}?[^/{GAP}]*\.(?:pyc|pyo|o|log|tmp|orig|rej|bak|swp)|__pycache__")


def written(simple: Simple) -> Iterator[Word]:
    """Files, and folders in which it may be any file."""
    yield from simple.writes
    if not simple.words:
        return
    first, rest = name(simple.words[0]), simple.words[1:]
    plain = [word for word in rest if not word.text.startswith("-")]
    if first in _ALL_ARGUMENTS:
        yield from plain
    elif first in _LAST_ARGUMENT and plain:
        yield from _destination(plain, rest)
    elif first == "dd":
        yield from (Word(word.text[3:], is_one=word.is_one) for word in rest if word.text.startswith("of="))
    elif first in _IN_PLACE and any(re.match(r"-[a-zA-Z]*i|--in-place", word.text) for word in rest):
        yield from plain


def _destination(plain: Sequence[Word], rest: Sequence[Word]) -> Iterator[Word]:
    """The last argument, and in it what the others are called; `-t folder` too."""
    yield plain[-1]
    for each in plain[:-1]:
        yield Word(f"{plain[-1].text.rstrip('/')}/{each.text.rstrip('/').rpartition('/')[2]}")
    yield from (word for at, word in enumerate(rest) if at and rest[at - 1].text in {"-t", "--target-directory"})


def places(commands: Sequence[Simple]) -> list[str]:
    """The folders in which they may be at work, beginning with `""`."""
    found = [""]
    for each in commands:
        if each.words and name(each.words[0]) in {"cd", "pushd", "popd"}:
            to = each.words[1].text if len(each.words) > 1 else GAP
            to = GAP if to.startswith("-") else to
            found += [posixpath.join(place, to) for place in found]
            if len(found) > MOST_PLACES:
                return ["", GAP]
    return found


def deletes_much(simple: Simple) -> bool:
    """The whole tree, or more than what a build makes again, or what nobody can name."""
    if not simple.words:
        return False
    first, rest = name(simple.words[0]), simple.words[1:]
    options = [word.text for word in rest if word.text.startswith("-")]
    plain = [word for word in rest if not word.text.startswith("-") and word.text != FOUND]
    if first == "find":
        return _find_deletes(simple, rest)
    if first == "git":
        return any(word.text == "clean" for word in rest) and not {"-n", "--dry-run"} & set(options)
    if first == "rsync":
        return any(each.startswith("--del") for each in options)
    if first not in _DELETING:
        return False
    is_deep = any(re.match(r"-[a-zA-Z]*[rR]|--recursive", each) for each in options)
    rough = [word for word in plain if not (_MADE_AGAIN.fullmatch(word.text) or _JUNK.fullmatch(word.text))]
    if any(".." in word.text.split("/") for word in plain):
        return True
    return bool(rough) and (is_deep or len(rough) > MOST_FILES or any(not word.is_one for word in rough))


def _find_deletes(simple: Simple, rest: Sequence[Word]) -> bool:
    """Not what it finds by a name of what is made again."""
    inner = hidden(simple).commands
    if not any(word.text == "-delete" for word in rest) and not any(
        each.words and name(each.words[0]) in _DELETING for each in inner
    ):
        return False
    wanted = [rest[at].text for at in range(1, len(rest)) if rest[at - 1].text in {"-name", "-iname"}]
    alike = [each.replace("*", "x") for each in wanted]
    return not alike or not all(_JUNK.fullmatch(each) or _MADE_AGAIN.fullmatch(each) for each in alike)
