"""A Telegram platform over the fake server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from core.ports import CommandWord
from tests.fakes import bot_api_schema
from tests.fakes.telegram import FakeTelegram

COMMANDS = (CommandWord("status", "/status", "Show what runs"), CommandWord("help", "/help", "Show the commands"))


class Naps:
    """Pauses that take no time and are remembered."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
async def server() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as fake:
        yield fake
    bot_api_schema.check(fake)


@pytest.fixture
async def telegram(server: FakeTelegram, naps: Naps) -> AsyncIterator[Telegram]:
    config = TelegramConfig(token=SecretStr(server.token), api_base=server.base)
    platform = Telegram(config, COMMANDS, sleep=naps)
    yield platform
    await platform.close()
