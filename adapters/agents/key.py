"""The key of an API: needed at the provider's own address, and up to the server elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from core.model.errors import AgentUnready
from core.model.events import Readiness


@dataclass(frozen=True, slots=True)
class Key:
    """`variable`: the customary name in the environment; `public_url`: the provider's own address."""

    agent: str
    variable: str
    public_url: str
    base_url: str
    secret: SecretStr

    @property
    def is_public(self) -> bool:
        return self.base_url.rstrip("/") == self.public_url

    @property
    def value(self) -> str:
        """Never empty: the libraries refuse that, and servers of one's own ask for none."""
        return self.secret.get_secret_value() or "none"

    @property
    def missing(self) -> str:
        """Empty: nothing is."""
        if self.secret.get_secret_value() or not self.is_public:
            return ""
        return f"set {self.variable} or `agents.{self.agent}.api_key`"

    def readiness(self, about: str) -> Readiness:
        return Readiness(about, is_usable=not self.missing, missing=self.missing)

    def check(self) -> None:
        """AgentUnready says what is missing."""
        if self.missing:
            raise AgentUnready(f"{self.agent} is not usable: {self.missing}.")
