"""“Did you mean …?”"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near(word: str, known: Iterable[str], *, before: str = "") -> str:
    """A question naming the closest word, or nothing. `before` stands before each word shown, like `/`."""
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"Did you mean `{before}{by_lower[close[0]]}`?" if close else ""
