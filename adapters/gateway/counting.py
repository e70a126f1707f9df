"""What an answer took, read from it as it goes by: the usage it tells, or, where it is cut, a guess by its length."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.gateway.asked import BYTES_PER_TOKEN
from adapters.prices import PricedTokens

MOST_HELD = 8_000_000
"""Bytes of one line, or of an answer that is no stream; a longer one is passed on, and its length guessed from."""


class Counter:
    """`take` each piece of the body, in order; then ask `tokens`."""

    def __init__(self, content_type: str) -> None:
        kind = content_type.partition(";")[0].strip().lower()
        self._is_events = kind == "text/event-stream"
        self._is_lines = self._is_events or "ndjson" in kind
        self._left = bytearray()
        self._is_skipping = False
        self._usage: dict[str, int] = {}
        self._chars = self._bytes = 0
        self.model = ""
        self.is_over = False
        """The answer has come to its own end."""
        self.has_usage = False
        """It has told all that it took."""

    def take(self, piece: bytes) -> None:
        self._bytes += len(piece)
        self._left += piece
        if self._is_lines:
            self._lines()
        elif len(self._left) > MOST_HELD:
            self._left.clear()
            self._is_skipping = True

    def finish(self) -> None:
        """The body has ended as HTTP wants it."""
        if not self._is_skipping and self._left:
            self._line(bytes(self._left))
            self._left.clear()
        if not self._is_lines:
            self.is_over = True

    def tokens(self, guess: tuple[int, int]) -> PricedTokens:
        """As told; what is not told is guessed: the input from the request, the output from what was said."""
        told = self._usage
        read = told.get("cache_read", 0)
        write = told.get("cache_write", 0)
        output = told.get("output", 0)
        if not self.has_usage:
            said = (self._chars or self._bytes) // BYTES_PER_TOKEN
            output = max(output, said)
        return PricedTokens(told.get("input", guess[0]), output, read, write)

    def _lines(self) -> None:
        *whole, rest = self._left.split(b"\n")
        for line in whole:
            if self._is_skipping:
                self._is_skipping = False
            else:
                self._line(bytes(line))
        self._left = rest
        if len(rest) > MOST_HELD:
            self._left.clear()
            self._is_skipping = True

    def _line(self, line: bytes) -> None:
        if self._is_events:
            if not line.startswith(b"data:"):
                return
            line = line[5:].strip()
            if line == b"[DONE]":
                self.is_over = True
                return
        try:
            read = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(read, dict):
            self._read(read)

    def _read(self, event: Mapping[str, Any]) -> None:
        for holder in (event, event.get("message"), event.get("response")):
            if isinstance(holder, dict):
                model, usage = holder.get("model"), holder.get("usage")
                self.model = model if isinstance(model, str) and model else self.model
                if isinstance(usage, dict):
                    self._count(usage)
        if "prompt_eval_count" in event or "eval_count" in event:
            self._count({"input_tokens": event.get("prompt_eval_count"), "output_tokens": event.get("eval_count")})
        kind = event.get("type")
        if kind in {"message_stop", "response.completed", "response.incomplete", "response.failed"} or event.get(
            "done"
        ):
            self.is_over = True
        if kind == "message_start":
            self.has_usage = False
        self._chars += sum(len(each) for each in _said(event))

    def _count(self, usage: Mapping[str, Any]) -> None:
        """Each provider's words for it; the last figure seen of each stands, for they are totals."""
        input_, output = (
            _first(usage, "input_tokens", "prompt_tokens"),
            _first(usage, "output_tokens", "completion_tokens"),
        )
        read, write = _first(usage, "cache_read_input_tokens"), _first(usage, "cache_creation_input_tokens")
        details = usage.get("input_tokens_details") or usage.get("prompt_tokens_details")
        cached = _first(details, "cached_tokens") if isinstance(details, dict) else None
        found = {"output": output, "cache_read": cached if read is None else read, "cache_write": write}
        self._usage |= {name: figure for name, figure in found.items() if figure is not None}
        if input_ is not None:
            apart = (read or 0) + (write or 0)  # Anthropic counts what was cached apart; the others count it in
            self._usage["input"] = input_ + apart
        self.has_usage = output is not None or "input" in self._usage


def _first(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        figure = usage.get(name)
        if isinstance(figure, int) and not isinstance(figure, bool) and figure >= 0:
            return figure
    return None


def _said(event: Mapping[str, Any]) -> Iterator[str]:
    """The pieces of an answer in one event, whichever API it is of."""
    delta = event.get("delta")
    if isinstance(delta, str):
        yield delta
    elif isinstance(delta, dict):
        yield from (each for each in delta.values() if isinstance(each, str))
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        piece = choice.get("delta") if isinstance(choice, dict) else None
        if isinstance(piece, dict):
            yield from (each for each in piece.values() if isinstance(each, str))
            if piece.get("tool_calls"):
                yield json.dumps(piece["tool_calls"])
    message = event.get("message")
    if isinstance(message, dict) and "done" in event:
        yield str(message.get("content") or "")
        if message.get("tool_calls"):
            yield json.dumps(message["tool_calls"])
    if isinstance(event.get("response"), str):
        yield event["response"]
