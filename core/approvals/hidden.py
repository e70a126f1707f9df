"""What a command would run besides itself: behind `env`, `sudo`, `xargs`, in the text of `sh -c`, … Pure.

Too many are named rather than too few: every end of the arguments of a wrapper may be a command. They are looked at for
what must be asked or refused, and never for what may be allowed.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.approvals.script import GAP, Script, Simple, Word
from core.approvals.shell import MOST_DEPTH, read

MOST_ARGUMENTS = 200
"""Of a wrapper. More are not looked through."""

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "fish", "rbash", "csh", "tcsh"})
WRAPPERS = frozenset(
    [
        "env",
        "sudo",
        "doas",
        "su",
        "runuser",
        "pkexec",
        "nice",
        "ionice",
        "chrt",
        "taskset",
        "numactl",
        "setsid",
        "nohup",
        "timeout",
        "time",
        "stdbuf",
        "unbuffer",
        "command",
        "builtin",
        "exec",
        "xargs",
        "parallel",
        "watch",
        "flock",
        "script",
        "strace",
        "ltrace",
        "gdb",
        "valgrind",
        "chroot",
        "unshare",
        "nsenter",
        "setpriv",
        "capsh",
        "prlimit",
        "setarch",
        "linux32",
        "linux64",
        "busybox",
        "toybox",
        "start-stop-daemon",
        "systemd-run",
        "firejail",
        "bwrap",
        "proot",
        "fakeroot",
        "proxychains",
        "torsocks",
        "ssh",
        "entr",
        "uv",
        "poetry",
        "pipenv",
        "hatch",
        "pdm",
        "rye",
        "tox",
        "nox",
        "npx",
        "pnpx",
        "bunx",
        "npm",
        "pnpm",
        "yarn",
        "bundle",
        "rlwrap",
        "expect",
        "dbus-run-session",
        "xvfb-run",
        "cgexec",
        "perf",
        "hyperfine",
        "ts",
        "chronic",
        "ifne",
        "logsave",
    ]
)
EVALUATING = frozenset({"eval", "trap"})
SOURCING = frozenset({"source", "."})
STDIN_FILES = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})


def hidden(simple: Simple, depth: int = 0) -> Script:
    """Never raises. Not whole: it may run what nobody can name here."""
    if not simple.words:
        return Script(())
    if depth > MOST_DEPTH or not _is_name(simple.words[0]):
        return Script((), is_whole=False)
    found: list[Simple] = []
    is_whole = True
    for each in _runs(simple):
        if isinstance(each, str):
            inner = read(each, depth + 1)
            commands, is_whole = inner.commands, is_whole and inner.is_whole
        else:
            commands = (each,)
        found += commands
        for command in commands:
            if isinstance(each, str) or name(command.words[0]) not in WRAPPERS:  # a wrapper's ends are all named here
                deeper = hidden(command, depth + 1)
                found += deeper.commands
                is_whole = is_whole and deeper.is_whole
    return Script(tuple(found), is_whole=is_whole)


def name(word: Word) -> str:
    """Without the folder, as most systems would find it."""
    return word.text.rpartition("/")[2]


def _is_name(word: Word) -> bool:
    return bool(word.text) and word.is_known


def _runs(simple: Simple) -> Iterator[Simple | str]:
    """Commands, and texts that a shell reads; a text of GAP alone is one that nobody knows."""
    first, rest = name(simple.words[0]), simple.words[1:]
    if first in SHELLS:
        yield from _shell(simple)
    elif first in EVALUATING:
        yield " ".join(word.text for word in rest) if first == "eval" else (rest[0].text if rest else "")
    elif first in SOURCING:
        if not rest or not rest[0].is_known or rest[0].text in STDIN_FILES:
            yield GAP
    elif first == "find":
        yield from _find(rest)
    elif first in WRAPPERS:
        yield from _wrapper(first, simple)


def _shell(simple: Simple) -> Iterator[str]:
    """What comes after `-c`, however that is written; without it, what is fed; else a file is run, or what is piped."""
    rest = simple.words[1:]
    options = [word for word in rest if word.text.startswith(("-", "+"))]
    operands = [word for word in rest if not word.text.startswith(("-", "+"))]
    takes_text = any("c" in word.text and not word.text.startswith("--") for word in options)
    if takes_text or not all(word.is_known for word in rest):
        yield from (word.text for word in rest if not word.text.startswith(("-", "+")))
    elif any("s" in word.text and not word.text.startswith("--") for word in options) or not operands:
        is_asking = {word.text for word in options} & {"--version", "--help"}
        yield from ([word.text for word in simple.feeds] or ([] if is_asking else [GAP]))
    elif operands[0].text in STDIN_FILES:
        yield from [word.text for word in simple.feeds] or [GAP]


def _find(rest: tuple[Word, ...]) -> Iterator[Simple | str]:
    for at, word in enumerate(rest):
        if word.text in {"-exec", "-execdir", "-ok", "-okdir"}:
            ends = (n for n in range(at + 1, len(rest)) if rest[n].text in {";", "+"})
            inner = rest[at + 1 : next(ends, len(rest))]
            yield Simple(inner) if inner and _is_name(inner[0]) else GAP


def _wrapper(first: str, simple: Simple) -> Iterator[Simple | str]:
    """Every end of its arguments, and every argument that is a line of its own."""
    rest = simple.words[1:]
    more = (Word(GAP, is_one=False),) if first in {"xargs", "parallel"} else ()
    plain = (word for word in rest if not word.text.startswith("-") and "=" not in word.text)
    if len(rest) > MOST_ARGUMENTS or not next(plain, Word("")).is_known:
        yield GAP
        return
    for at, word in enumerate(rest):
        if _is_name(word):
            yield Simple((*rest[at:], *more), feeds=simple.feeds)
        text = word.text.removeprefix("--split-string=").removeprefix("-S")
        if text != word.text or any(blank in text for blank in " \t\n"):
            yield text
