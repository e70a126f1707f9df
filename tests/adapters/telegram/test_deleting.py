"""Taking away what a person said, where Telegram lets a bot do that."""

from __future__ import annotations

import pytest

from adapters.chat.telegram.platform import Telegram
from core.model.chat import ThreadRef
from core.model.errors import ChatError
from core.ports import Deleting
from tests.adapters.telegram.test_platform import DIRECT
from tests.fakes.telegram import FakeTelegram, Fault


async def test_a_message_is_deleted(telegram: Telegram, server: FakeTelegram) -> None:
    assert isinstance(telegram, Deleting)
    server.fail("deleteMessage", Fault.refuse(400, "Bad Request: message to delete not found"))
    await telegram.delete(DIRECT, "7")

    assert server.called("deleteMessage")[-1] == {"chat_id": int(DIRECT.chat), "message_id": 7}


async def test_a_bot_that_may_not_is_told(telegram: Telegram, server: FakeTelegram) -> None:
    server.fail("deleteMessage", Fault.refuse(400, "Bad Request: message can't be deleted"))
    with pytest.raises(ChatError):
        await telegram.delete(ThreadRef("telegram", DIRECT.tenant, "-100"), "7")
