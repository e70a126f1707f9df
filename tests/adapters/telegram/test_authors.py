"""Who speaks on Telegram: whose message is answered, who is named, who added us, and who is nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.chat.telegram.inbound import read
from core.model.chat import Joined, Mention, Person, Pressed
from tests import doors
from tests.doors import BOT, TELEGRAM_ME

BOB = {"id": 22, "is_bot": False, "first_name": "Bob", "username": "bob"}
CHAT = {"id": -1001, "type": "supergroup", "title": "Team"}


def heard(body: dict[str, Any]) -> Any:
    return read(json.dumps({"update_id": 1, **body}).encode(), TELEGRAM_ME)


@pytest.mark.parametrize(
    ("answered", "person"),
    [
        ({"message_id": 1, "from": BOB}, Person("telegram", "", "22", "Bob")),
        ({"message_id": 1, "from": BOB, "sender_chat": {"id": -1}}, None),
        ({"message_id": 1, "from": BOB, "forum_topic_created": {}}, None),
        ({"message_id": 1, "from": BOB | {"is_bot": True}}, None),
        ({"message_id": 1, "from": BOB | {"id": 1087968824}}, None),
        ({"message_id": 1}, None),
        ("strange", None),
    ],
)
def test_whose_message_is_answered(answered: object, person: Person | None) -> None:
    said = heard(doors.telegram_said(11, -1001, "/grant developer", reply_to_message=answered))

    assert said.answers == person


def test_who_is_named_by_an_id_and_nobody_by_a_user_name() -> None:
    text = "/grant Böb  B. viewer @bob"
    entities = [
        {"type": "bot_command", "offset": 0, "length": 6},
        {"type": "text_mention", "offset": 7, "length": 7, "user": BOB},
        {"type": "text_mention", "offset": 7, "length": 7, "user": {"id": int(BOT), "is_bot": False}},
        {"type": "text_mention", "offset": 700, "length": 7, "user": BOB},
        {"type": "text_mention", "offset": 7, "length": 7},
        {"type": "mention", "offset": 22, "length": 4},
        "strange",
    ]

    said = heard(doors.telegram_said(11, -1001, text, entities=entities))

    assert said.mentions == (Mention("Böb B.", Person("telegram", "", "22", "Bob")),)


def added(status: str = "member", **fields: Any) -> dict[str, Any]:
    change = {"chat": CHAT, "from": BOB, "date": 5, "new_chat_member": {"status": status, "user": {"id": 4242}}}
    return {"my_chat_member": change | fields}


@pytest.mark.parametrize("status", ["member", "administrator"])
@pytest.mark.parametrize("sender", [BOB, {"id": 1087968824, "is_bot": True}])
def test_the_bot_was_added_whoever_did_it(status: str, sender: dict[str, Any]) -> None:
    event = heard(added(status, **{"from": sender}))

    assert isinstance(event, Joined)
    assert (event.thread.chat, event.chat_title, event.person.id) == ("-1001", "Team", str(sender["id"]))


@pytest.mark.parametrize(
    "change",
    [
        added("left"),
        added("kicked"),
        added("restricted"),
        added(chat={"id": 11, "type": "private"}),
        added(chat={"id": -1, "type": "channel"}),
        {"my_chat_member": {**added()["my_chat_member"], "from": None}},
        added(new_chat_member=None),
    ],
)
def test_what_is_no_adding(change: dict[str, Any]) -> None:
    assert heard(change) is None


@pytest.mark.parametrize(("chat", "is_direct"), [(11, True), (-1001, False)])
def test_a_press_knows_whether_the_chat_is_direct(chat: int, *, is_direct: bool) -> None:
    pressed = heard(doors.telegram_press(11, chat, "t"))

    assert isinstance(pressed, Pressed)
    assert pressed.is_direct is is_direct


@pytest.mark.parametrize("sender", [{"id": 777000}, {"id": 1087968824}, {"id": 136817688}, {"is_bot": True}])
def test_a_press_by_nobody_is_nothing(sender: dict[str, Any]) -> None:
    assert heard(doors.telegram_press(11, -1001, "t", sender=sender)) is None
