"""What a guest asks, read from its request: pure, and refused unless everything about it is as it must be."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.gateway.upstreams import Api, Upstream

CREDENTIALS = frozenset({"authorization", "x-api-key"})
MOST_CREDENTIAL_CHARS = 300
FORWARDED = frozenset(
    {"accept", "anthropic-beta", "anthropic-version", "content-type", "idempotency-key", "openai-beta", "user-agent"}
)
"""Of the guest's headers; all others are dropped, whatever credentials, hops or hosts they name."""
RETURNED = frozenset(
    {"content-type", "content-encoding", "retry-after", "retry-after-ms", "request-id", "x-request-id"}
    | {"x-should-retry", "openai-processing-ms", "openai-version"}
)
RETURNED_BEGINNINGS = ("anthropic-ratelimit-", "x-ratelimit-")
"""Of the upstream's headers: what agents need to know of caps. All others stay outside: cookies, names of accounts."""

GUESSED_OUTPUT = 4_096
"""Tokens that an answer may take, where the request allows more or does not say."""
BYTES_PER_TOKEN = 4

_PATH = re.compile(r"(/[A-Za-z0-9._:-]+)+")
_QUERY = re.compile(r"(?:beta=true|limit=\d{1,4})?")


class Refused(Exception):
    """The request goes nowhere. `status` and `words` are what the guest is told."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that may go out. `is_free`: nothing is charged for it. `guess`: tokens in and out."""

    upstream: Upstream
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    model: str
    guess: tuple[int, int]
    is_free: bool


def check_token(headers: Iterable[tuple[str, str]], token: str | None) -> None:
    """Exactly the token of this turn, in each header that carries credentials, and in one at least. None: over."""
    found = [(name.lower(), value) for name, value in headers if name.lower() in CREDENTIALS]
    names = [name for name, _ in found]
    is_known = token is not None and all(_is(name, value, token) for name, value in found)
    if not found or len(set(names)) != len(names) or not is_known:
        raise Refused(401, "The gateway does not know this token: it is not that of this turn, or the turn is over.")


def _is(name: str, value: str, token: str) -> bool:
    if len(value) > MOST_CREDENTIAL_CHARS:
        return False
    if name == "authorization":
        scheme, _, value = value.partition(" ")
        if scheme.lower() != "bearer":
            return False
    return hmac.compare_digest(value.encode("utf-8", "surrogateescape"), token.encode())


def route(method: str, raw: str, upstreams: Sequence[Upstream]) -> tuple[Upstream, str]:
    """Which upstream is meant, and the address to call there. The path is compared as it came, never decoded."""
    path, _, query = raw.partition("?")
    if _PATH.fullmatch(path) and ".." not in path and _QUERY.fullmatch(query):
        named = {f"/{each.name}": each for each in upstreams}
        first = path[: path.find("/", 1)] if "/" in path[1:] else path
        mine, rest = (named[first], path[len(first) :]) if first in named else (upstreams[0], path)
        if (target := mine.target(method, rest)) is not None:
            return mine, f"{target}?{query}" if query else target
    raise Refused(404, "The gateway lets through only what asks a model.")


def read(
    upstream: Upstream,
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    *,
    asks_usage: bool = True,
) -> Asked:
    """`asks_usage` False: this server refuses to be asked what its streams take."""
    kept = {name.lower(): value for name, value in headers if name.lower() in FORWARDED}
    path = url.partition("?")[0]
    is_free = method == "GET" or path.endswith(("/count_tokens", "/api/show"))
    if method == "GET":
        return Asked(upstream, method, url, kept, b"", "", (0, 0), is_free=True)
    asked = _object(body)
    if asked.get("background"):
        raise Refused(400, "Answers in the background are not let through: nobody could count them.")
    if upstream.api is not Api.ANTHROPIC and path.endswith("/chat/completions") and asked.get("stream") and asks_usage:
        body = _asking_usage(asked, body)
    model = asked.get("model")
    most = asked.get("max_tokens") or asked.get("max_completion_tokens") or asked.get("max_output_tokens")
    output = min(most, GUESSED_OUTPUT) if isinstance(most, int) and most > 0 else GUESSED_OUTPUT
    guess = (len(body) // BYTES_PER_TOKEN + 1, 0 if "/embed" in path else output)
    kept["content-type"] = "application/json"
    return Asked(upstream, method, url, kept, body, model if isinstance(model, str) else "", guess, is_free)


def _object(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Refused(400, "The body is no JSON object.")
    return read


def _asking_usage(asked: dict[str, Any], body: bytes) -> bytes:
    """The stream must say what it took."""
    options = asked.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        return body
    wanted = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return json.dumps({**asked, "stream_options": wanted}).encode()


def returned(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What a guest sees of the upstream's headers."""
    return {
        name.lower(): value
        for name, value in headers
        if name.lower() in RETURNED or name.lower().startswith(RETURNED_BEGINNINGS)
    }
