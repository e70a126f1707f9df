"""Every request to Telegram holds what the official schema of the Bot API knows, in its types."""

from __future__ import annotations

import os
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from core.model.chat import Button, ButtonToken, File, Person, Post, PostKey, SignKind, Style, ThreadRef
from core.ports import View
from tests.adapters.telegram.conftest import COMMANDS
from tests.fakes import bot_api_schema
from tests.fakes.telegram import FakeTelegram

RICH = """# Heading
**bold** *italic* ~~gone~~ `code` [link](https://example.org/) > not a quote

> quote

```python
print("hello")
```

| a | b |
|---|---|
| 1 | 2 |
"""


@pytest.fixture
def schema() -> dict[str, dict[str, Any]]:
    known = bot_api_schema.schema()
    if known is None and os.environ.get("CI") == "true":
        pytest.fail(bot_api_schema.MISSING)
    if known is None:
        pytest.skip(bot_api_schema.MISSING)
    return known


async def test_every_request_holds_what_the_bot_api_knows(schema: dict[str, Any], server: FakeTelegram) -> None:
    token = SecretStr(server.token)
    polling = TelegramConfig(token=token, api_base=server.base)
    webhook: dict[str, Any] = {"webhook_url": "https://bot.example.org", "webhook_secret": SecretStr(uuid4().hex)}
    rows = tuple(
        (Button(style, token=ButtonToken(style), style=style), Button("See", url=server.base)) for style in Style
    )
    for config in (polling, TelegramConfig(token=token, api_base=server.base, mode="webhook", **webhook)):
        telegram = Telegram(config, COMMANDS)
        await telegram.connect()
        thread = ThreadRef("telegram", telegram.tenant, "-100", "7")
        ref = await telegram.post(thread, Post(RICH, rows, silent=True), PostKey("ask:1"))
        await telegram.edit(ref, Post("done"))
        await telegram.post(thread, Post("*again*", rows, silent=True, file=File("a.md", RICH)), PostKey("ask:1#file"))
        for kind in SignKind:
            await telegram.sign(thread, ref.id, kind)
        await telegram.answer_press("press-1", "Noted")
        view = View("Mend it", Person("telegram", telegram.tenant, "11"), RICH)
        await telegram.stream(ThreadRef("telegram", telegram.tenant, "11", "7"), "run:1", view)
        await telegram.close()

    bot_api_schema.check(server)
    asked = {each.method for each in server.calls}
    assert asked >= {"getMe", "setMyCommands", "setWebhook", "deleteWebhook", "sendMessage", "editMessageText"}
    assert "sendDocument" in asked
    assert asked >= {"setMessageReaction", "sendChatAction", "answerCallbackQuery", "sendMessageDraft"}


@pytest.mark.parametrize(
    ("method", "fields", "fault"),
    [
        ("sendLove", {}, "no such method"),
        ("Message", {}, "no such method"),
        ("sendMessage", {"chat_id": 1}, "needs text"),
        ("sendMessage", {"chat_id": 1, "text": "x", "colour": "red"}, "has no colour"),
        ("sendMessage", {"chat_id": 1.5, "text": "x"}, "chat_id"),
        ("sendMessage", {"chat_id": 1, "text": 7}, "text: 7 is no String"),
        ("sendMessage", {"chat_id": 1, "text": "x", "disable_notification": 1}, "is no Boolean"),
        ("sendMessage", {"chat_id": 1, "text": "x", "entities": {}}, "is no Array of MessageEntity"),
        ("sendMessage", {"chat_id": 1, "text": "x", "entities": [{"type": "bold", "offset": 0}]}, "needs length"),
        (
            "sendMessage",
            {"chat_id": 1, "text": "x", "reply_markup": {"inline_keyboard": [[{"txt": ""}]]}},
            "reply_markup",
        ),
        ("setMyCommands", {"commands": [], "scope": {"type": True}}, "is no BotCommandScope"),
    ],
)
def test_the_check_finds(schema: dict[str, Any], method: str, fields: dict[str, Any], fault: str) -> None:
    assert fault in " ".join(bot_api_schema.faults(method, fields))
