"""What went wrong in git, read from its English messages, and what to do about it."""

from __future__ import annotations

import re
from enum import StrEnum

SHOWN_CHARACTERS = 400
"""Of git's own words, in the text that a person reads."""


class Fault(StrEnum):
    ABSENT = "absent"
    """There is no git on this machine."""
    SLOW = "slow"
    DISK_FULL = "disk full"
    AUTHENTICATION = "authentication"
    NOT_FOUND = "not found"
    NO_BRANCH = "no branch"
    MOVED = "moved"
    """The branch is not where we believed it to be."""
    PERMISSION = "permission"
    REJECTED = "rejected"
    NETWORK = "network"
    OTHER = "other"


class GitError(Exception):
    """`str(error)` says what happened and the next step; it never holds a header or a token."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


def read_fault(output: str) -> Fault:
    """Which fault `output` (stdout and stderr of git under LC_ALL=C) tells of; the first row that matches."""
    return next((fault for fault, pattern in _SIGNS if pattern.search(output)), Fault.OTHER)


def told(output: str, where: str, secret: str = "", *, is_full: bool = False) -> GitError:
    """`where`: the URL, or what git was doing. `secret` is blacked out wherever it stands.

    `is_full`: our disk is, which git does not always say when it cannot write.
    """
    fault = read_fault(output)
    if fault is Fault.OTHER and is_full:
        fault = Fault.DISK_FULL
    words = _excerpt(_blacken(output, secret))
    return GitError(fault, _TEXTS[fault].format(where=_blacken(where, secret), words=words))


def _blacken(text: str, secret: str) -> str:
    for word in {secret, *secret.split()} - {"", "Basic", "Bearer", "Authorization:", "basic", "bearer"}:
        text = text.replace(word, "***")
    return text


def _excerpt(output: str) -> str:
    """The lines that say why, without hints, control characters and progress."""
    lines = [re.sub(r"[\x00-\x1f\x7f]+", " ", line).strip() for line in output.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("hint:", "To ", "Done"))]
    return " · ".join(kept)[-SHOWN_CHARACTERS:] or "git gave no reason"


def _sign(fault: Fault, *patterns: str) -> tuple[Fault, re.Pattern[str]]:
    return fault, re.compile("|".join(patterns), re.IGNORECASE)


_SIGNS = (
    _sign(Fault.DISK_FULL, "no space left on device", "disk quota exceeded"),
    _sign(Fault.MOVED, r"\[rejected\]", "cannot lock ref .* but expected", "stale info", "reference already exists"),
    _sign(
        Fault.PERMISSION,
        "protected branch",
        "GH006",
        "GH013",
        "refusing to allow",
        "hook declined",
        "branch is currently checked out",
        "returned error: 403",
        "permission to .* denied",
        "write access to repository not granted",
        "not allowed to push",
    ),
    _sign(Fault.REJECTED, r"\[remote rejected\]"),
    _sign(
        Fault.AUTHENTICATION,
        "authentication failed",
        "could not read (username|password)",
        "invalid (username|credentials)",
        "returned error: 401",
    ),
    _sign(Fault.NO_BRANCH, "couldn't find remote ref", "remote branch .* not found"),
    _sign(
        Fault.NOT_FOUND,
        "repository .*not found",
        "returned error: (404|410)",
        "returned error: 30[1278]",
        "unable to update url base from redirection",
        "does not appear to be a git repository",
        "repository .* does not exist",
    ),
    _sign(
        Fault.NETWORK,
        "could not resolve (host|proxy)",
        "failed to connect",
        "couldn't connect",
        "connection (refused|timed out|reset)",
        "unable to access",
        "early EOF",
        "RPC failed",
        "hung up unexpectedly",
        "returned error: (429|5\\d\\d)",
    ),
)

_TEXTS = {
    Fault.ABSENT: "git is not installed on the bot's machine. Install git (2.30 or newer), then ask again.",
    Fault.SLOW: "git took too long: {where}. Ask again; if it stays slow, look at the network and the repository.",
    Fault.DISK_FULL: "The disk of the bot's machine is full. Free some space in its data folder, then ask again.",
    Fault.AUTHENTICATION: "{where} did not accept the bot's credentials. Give the bot a valid token, then ask again.",
    Fault.NOT_FOUND: (
        "There is no repository at {where}, or the bot's token may not see it. "
        "Check the project's repository and the token's access, then ask again."
    ),
    Fault.NO_BRANCH: (
        "The branch is not in {where} ({words}). "
        "An empty repository needs a first commit; push one, or correct the project's base branch, then ask again."
    ),
    Fault.MOVED: "The branch in {where} has changed meanwhile. Ask again.",
    Fault.PERMISSION: (
        "{where} does not let the bot push this ({words}). Give its token write access, "
        "or allow such branches in the repository's rules, then ask again."
    ),
    Fault.REJECTED: "{where} refused the push ({words}). Look at the repository's rules, then ask again.",
    Fault.NETWORK: "{where} cannot be reached just now ({words}). Check the network, then ask again.",
    Fault.OTHER: "git could not do it: {where} ({words}). If asking again does not help, look at the bot's log.",
}


def absent() -> GitError:
    return GitError(Fault.ABSENT, _TEXTS[Fault.ABSENT])


def slow(where: str) -> GitError:
    return GitError(Fault.SLOW, _TEXTS[Fault.SLOW].format(where=where))
