"""Where models live: each upstream with its key, the paths of its API, and the shape of its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from adapters.gateway.addresses import Verdict, reach_of
from adapters.gateway.config import PriceConfig
from adapters.prices import PricedTokens, price
from core.model.spend import MICROS


class Api(StrEnum):
    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    OLLAMA = "ollama"


@dataclass(frozen=True, slots=True)
class Upstream:
    """`base`: scheme, host, port and path, without a slash at the end. `reach`: what its host may resolve to.

    `is_guarded`: who calls it has asked its circuit already.
    """

    name: str
    api: Api
    base: str
    key: str = field(default="", repr=False)
    reach: frozenset[Verdict] = frozenset({Verdict.PUBLIC})
    prices: Mapping[str, PriceConfig] = field(default_factory=dict)
    is_guarded: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.base).hostname or ""

    @property
    def address(self) -> str:
        """By which circuits know it."""
        return urlsplit(self.base).netloc.rpartition("@")[2]

    def credentials(self) -> dict[str, str]:
        if not self.key:
            return {}
        if self.api is Api.ANTHROPIC:
            return {"x-api-key": self.key}
        return {"authorization": f"Bearer {self.key}"}

    def target(self, method: str, path: str) -> str | None:
        """The address to call for what a guest asks; None: that is no path of this API."""
        if self.api is Api.OPENAI:
            path = path.removeprefix("/v1")
        routes = _ROUTES[self.api]
        wanted = routes.get(path) or next((m for p, m in routes.items() if p.endswith("*") and _is_below(path, p)), "")
        return f"{self.base}{path}" if method == wanted else None

    def micros(self, tokens: PricedTokens, *models: str) -> int | None:
        """By the first of these models whose price is known; None: of none. Models of one's own cost nothing."""
        for model in models:
            if own := self.prices.get(model):
                return round(tokens.input * own.input + tokens.output * own.output)
            if self.api is Api.ANTHROPIC:
                found = price(tokens, model, provider="anthropic")
            elif self.api is Api.OPENAI:
                found = price(tokens, model, api_url=self.base)
            else:
                return 0
            if found is not None:
                return round(found * MICROS)
        return None

    def error(self, status: int, message: str) -> bytes:
        """As this provider would say it, so that its clients understand."""
        kind = _KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        if self.api is Api.ANTHROPIC:
            body: object = {"type": "error", "error": {"type": kind, "message": message}}
        elif self.api is Api.OPENAI:
            code = "insufficient_quota" if status == 402 else kind
            body = {"error": {"message": message, "type": code, "param": None, "code": code}}
        else:
            body = {"error": message}
        return json.dumps(body).encode()


def upstream(
    name: str,
    api: Api,
    base: str,
    key: str,
    private_hosts: tuple[str, ...] = (),
    prices: Mapping[str, PriceConfig] | None = None,
    *,
    is_guarded: bool = False,
) -> Upstream:
    """ConfigError: its host is one that is never called."""
    base = base.rstrip("/")
    reach = reach_of(name, urlsplit(base).hostname or "", private_hosts)
    return Upstream(name, api, base, key, reach, prices or {}, is_guarded=is_guarded)


def _is_below(path: str, route: str) -> bool:
    """One more part, of a model's name."""
    return path.startswith(route[:-1]) and _NAME.fullmatch(path[len(route) - 1 :]) is not None


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,120}")

_COMPATIBLE = {"/chat/completions": "POST", "/embeddings": "POST", "/models": "GET", "/models/*": "GET"}
_ROUTES: Mapping[Api, Mapping[str, str]] = {
    Api.ANTHROPIC: {
        "/v1/messages": "POST",
        "/v1/messages/count_tokens": "POST",
        "/v1/models": "GET",
        "/v1/models/*": "GET",
    },
    Api.OPENAI: {**_COMPATIBLE, "/responses": "POST"},
    Api.OLLAMA: {
        "/api/chat": "POST",
        "/api/generate": "POST",
        "/api/embed": "POST",
        "/api/show": "POST",
        "/api/tags": "GET",
        "/api/version": "GET",
        **{f"/v1{path}": method for path, method in _COMPATIBLE.items()},
    },
}
"""Nothing else is asked of them: batches, files and the like would cost what nobody counts."""

_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
