"""Whether a text holds a secret: what the redactor would black out, but for what is plainly a placeholder."""

from __future__ import annotations

import re
from collections.abc import Callable

from core.guard.names import unseen_gone
from core.ports.world import Redact

_WORD = r"[A-Za-z_.-]{1,24}"
_SHOWN = r"(?:[$<{%\[*][^\s'\"@]*|[xX*.…]+|(?:your|my|test|dummy|example|fake)[^\s'\"@]*)"
_HEADER = re.compile(
    rf"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:basic|bearer|token)\s+)(?:{_SHOWN}|{_WORD})(?=[\s'\"`,;)]|$)"
)
_USUAL = r"(?:password|passwd|pass|pwd|pw|secret|changeme|user|root|postgres|admin|guest|mysql|redis|token|p|s3cret)"
_HERE = r"(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0|[A-Za-z0-9_-]+|(?:[A-Za-z0-9-]+\.)*example(?:\.[a-z]+)?)"
_ADDRESS = re.compile(
    rf"(?i)://[^\s/:@\"']{{1,200}}:(?:(?:{_SHOWN}|{_USUAL})@|[^\s/@\"']{{1,500}}@(?={_HERE}(?:[:/?\s\"'`,;)]|$)))"
)


def holder(redact: Redact) -> Callable[[str], bool]:
    """True: a secret is in the text, also one that is drawn out by characters which nobody sees."""

    def holds(text: str) -> bool:
        for words in {text, unseen_gone(text)}:
            words = _ADDRESS.sub("://", _HEADER.sub("", words))  # noqa: PLW2901 - the same words, without placeholders
            if redact(words) != words:
                return True
        return False

    return holds
