"""The `telegram` section of the configuration."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from core.model.strength import weakness

SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""Bot API, setWebhook: secret_token."""


class TelegramConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr
    """From @BotFather."""
    api_base: str = "https://api.telegram.org"
    mode: Literal["polling", "webhook"] = "polling"
    webhook_url: str = ""
    """Public address of this bot, `https://bot.example.com`; the path is ours."""
    webhook_secret: SecretStr = SecretStr("")
    streaming: bool = True
    """In private chats, show what an agent is just saying."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        mistakes = [*self._address_mistakes(), *(self._webhook_mistakes() if self.mode == "webhook" else [])]
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    def _address_mistakes(self) -> list[str]:
        mistakes = []
        if not self.token.get_secret_value().strip():
            mistakes.append("token is empty: put in the one from @BotFather")
        if not self.api_base.startswith(("http://", "https://")):
            mistakes.append("api_base must begin with https:// (or http:// for a server of your own)")
        return mistakes

    def _webhook_mistakes(self) -> list[str]:
        mistakes = []
        if not self.webhook_url.startswith(("http://", "https://")):
            mistakes.append("mode webhook needs webhook_url, the public https:// address of this bot")
        secret = self.webhook_secret.get_secret_value()
        if not SECRET.fullmatch(secret):
            mistakes.append("mode webhook needs webhook_secret: 20 to 256 characters of A-Z a-z 0-9 _ -")
        elif why := weakness(secret):
            mistakes.append(f"webhook_secret {why}")
        return mistakes
