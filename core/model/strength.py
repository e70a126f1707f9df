"""Whether a shared secret can be guessed: whoever knows it speaks in another's name. Pure."""

from __future__ import annotations

LEAST_CHARACTERS = 20
MAKE_ONE = "make one by chance, e.g. `openssl rand -hex 32`"
LEAST_DIFFERENT = 8
"""Different characters; `changeme` over and over has six."""


def weakness(secret: str) -> str:
    """What is wrong with it and what would be right; empty: nothing."""
    if len(secret) < LEAST_CHARACTERS:
        return f"is shorter than {LEAST_CHARACTERS} characters: {MAKE_ONE}"
    if len(set(secret)) < LEAST_DIFFERENT:
        return f"is too easy to guess: {MAKE_ONE}"
    return ""
