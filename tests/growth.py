"""How the work for a text grows with its length, from two lengths measured side by side."""

from __future__ import annotations

import time
from collections.abc import Callable

FACTOR = 4
"""How much longer the long text is."""
MOST = FACTOR * 2.5
"""Growth that is still taken for straight; with the square of the length it would be 16."""
TRIES = 2


def growth(work: Callable[[str], object], seed: str, length: int) -> float:
    """The processor's time for `length` characters of `seed` repeated, over that for a quarter of them.

    The least of a few tries of each, so that a busy machine changes nothing.
    """
    short, long = (seed * (each // len(seed)) for each in (length // FACTOR, length))
    return _least(work, long) / max(_least(work, short), 1e-3)


def _least(work: Callable[[str], object], text: str) -> float:
    least = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        work(text)
        least = min(least, time.process_time() - began)
    return least
