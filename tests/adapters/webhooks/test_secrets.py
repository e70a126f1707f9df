"""Without a secret that cannot be guessed no webhook is opened."""

from __future__ import annotations

from uuid import uuid4

import pytest
from pydantic import SecretStr, ValidationError

from adapters.chat.slack.config import SlackConfig
from adapters.chat.telegram.config import TelegramConfig
from adapters.forges import FORGES, GithubConfig
from core.model.errors import ConfigError

WEAK = ["x", "secret", "0123456789", "a" * 40, "changeme" * 6]


@pytest.mark.parametrize("secret", ["", "with space", *WEAK])
def test_telegram(secret: str) -> None:
    with pytest.raises(ValidationError, match="webhook_secret"):
        _telegram(secret)


@pytest.mark.parametrize("secret", ["", " ", *WEAK])
def test_slack(secret: str) -> None:
    with pytest.raises(ConfigError, match="signing_secret"):
        _slack(secret).check()


@pytest.mark.parametrize("secret", WEAK)
def test_github(secret: str) -> None:
    with pytest.raises(ValidationError, match="webhook_secret"):
        GithubConfig(token=SecretStr("t"), webhook_secret=SecretStr(secret))


def test_without_one_github_is_not_listened_to() -> None:
    assert FORGES["github"].news(GithubConfig(token=SecretStr("t"))) is None


def test_one_by_chance_will_do() -> None:
    _telegram(uuid4().hex)
    _slack(uuid4().hex).check()
    GithubConfig(token=SecretStr("t"), webhook_secret=SecretStr(uuid4().hex))


def _telegram(secret: str) -> TelegramConfig:
    address = "https://bot.example.com"
    return TelegramConfig(token=SecretStr("7:x"), mode="webhook", webhook_url=address, webhook_secret=SecretStr(secret))


def _slack(secret: str) -> SlackConfig:
    return SlackConfig(bot_token=SecretStr("xoxb-1"), mode="http", signing_secret=SecretStr(secret))
