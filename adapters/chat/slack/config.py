"""The `slack` section of the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from core.model.errors import ConfigError
from core.model.strength import weakness

WEBHOOK_PATH = "/slack/events"
"""One address for events, commands and interactivity."""


class SlackConfig(BaseModel):
    """`api_base` is where the Web API is, `https://slack.com/api/` unless something stands in for Slack."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bot_token: SecretStr
    app_token: SecretStr = SecretStr("")
    """For Socket Mode."""
    signing_secret: SecretStr = SecretStr("")
    """For HTTP."""
    api_base: str = "https://slack.com/api/"
    mode: Literal["socket", "http"] = "socket"
    streaming: bool = True
    """In direct messages, show what an agent is just saying."""

    @field_validator("api_base")
    @classmethod
    def _ends_in_a_slash(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("a web address such as https://slack.com/api/ is needed")
        return value.rstrip("/") + "/"

    def check(self) -> None:
        """What a field alone cannot say. ConfigError lists every mistake."""
        mistakes = []
        if not self.bot_token.get_secret_value().strip():
            mistakes.append("slack.bot_token is empty: paste the Bot User OAuth Token (xoxb-…) of the app.")
        if self.mode == "socket" and not self.app_token.get_secret_value().strip():
            mistakes.append(
                "slack.app_token is empty, and Socket Mode needs it: make an app-level token (xapp-…) with the scope "
                "connections:write, or set slack.mode to http."
            )
        secret = self.signing_secret.get_secret_value().strip()
        if self.mode == "http" and not secret:
            mistakes.append(
                "slack.signing_secret is empty, and without it anyone could speak in Slack's name: paste the Signing "
                "Secret from Basic Information, or set slack.mode to socket."
            )
        elif self.mode == "http" and weakness(secret):
            mistakes.append(
                "slack.signing_secret is not one of Slack's: paste the Signing Secret, 32 characters of hex."
            )
        if mistakes:
            raise ConfigError("\n".join(mistakes))
