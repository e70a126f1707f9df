"""What the core measures as it goes: words for it, and the meter of who does not measure."""

from __future__ import annotations

from core.model.errors import ChatBusy, ChatError, SendUnknown


class NoMeter:
    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        pass

    def observe(self, name: str, value: float, **labels: str) -> None:
        pass


def outcome_of(error: ChatError) -> str:
    """What became of a post, in one word."""
    if error.is_final:
        return "rejected"
    if isinstance(error, ChatBusy):
        return "delayed"
    return "unknown" if isinstance(error, SendUnknown) else "failed"
