"""Every update of the Bot API is what a person said or pressed, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.chat.telegram.inbound import Me, read
from core.model.chat import Person, Pressed, Said, ThreadRef

ME = Me("4242", "patchbay_bot")
RECORDINGS = Path(__file__).parents[2] / "recordings" / "telegram"
ADA = {"id": 11, "is_bot": False, "first_name": "Ada", "username": "ada"}
GROUP = {"id": -100, "type": "supergroup", "title": "Team", "is_forum": True}
DIRECT = {"id": 11, "type": "private", "first_name": "Ada"}


def message(text: str = "", **fields: Any) -> dict[str, Any]:
    return {"message_id": 7, "date": 1_760_000_000, "chat": GROUP, "from": ADA, "text": text, **fields}


def heard(kind: str, content: object, me: Me = ME) -> Any:
    return read(json.dumps({"update_id": 1, kind: content}).encode(), me)


def mention(text: str, name: str = "@patchbay_bot") -> list[dict[str, Any]]:
    offset = len(text[: text.index(name)].encode("utf-16-le")) // 2
    return [{"type": "mention", "offset": offset, "length": len(name)}]


def test_a_message_in_a_direct_chat() -> None:
    said = heard("message", message("hello", chat=DIRECT))

    assert said == Said(
        cause=said.cause,
        thread=ThreadRef("telegram", "4242", "11"),
        person=Person("telegram", "", "11", "Ada"),
        text="hello",
        is_addressed=True,
        is_direct=True,
        message="7",
    )
    assert said.cause == "telegram:4242:11:7"


def test_a_message_in_a_topic() -> None:
    said = heard("message", message("/tasks", message_thread_id=3, is_topic_message=True))

    assert said.thread == ThreadRef("telegram", "4242", "-100", "3")
    assert (said.in_thread, said.chat_title, said.is_addressed) == (True, "Team", True)


def test_a_reply_in_a_group_without_topics_is_no_thread() -> None:
    said = heard("message", message("hi", message_thread_id=3))

    assert (said.thread.root, said.in_thread, said.is_addressed) == ("", False, False)


ADDRESSED = [
    ("/execute DEMO-1", "/execute DEMO-1"),
    ("/execute@patchbay_bot DEMO-1", "/execute DEMO-1"),
    ("/execute@Patchbay_Bot DEMO-1", "/execute DEMO-1"),
    ("/start 9fA-_x", "/start 9fA-_x"),
    ("@patchbay_bot do it", "do it"),
    ("@patchbay_bot, do it", "do it"),
    ("@patchbay_bot /execute DEMO-1", "/execute DEMO-1"),
    ("please @patchbay_bot do it", "please do it"),
    ("do it, @PATCHBAY_BOT", "do it,"),
    ("😀 naïve @patchbay_bot: go", "😀 naïve: go"),
    ("@patchbay_bot", ""),
]


@pytest.mark.parametrize(("text", "left"), ADDRESSED)
@pytest.mark.parametrize("has_entities", [True, False])
def test_addressed_in_a_group(text: str, left: str, *, has_entities: bool) -> None:
    fields = {}
    if has_entities:
        at = text.lower().find("@patchbay_bot")
        is_command = text.startswith("/")
        fields = {"entities": mention(text, text[at : at + 13]) if at >= 0 and not is_command else []}
    said = heard("message", message(text, **fields))

    assert (said.text, said.is_addressed) == (left, True)


@pytest.mark.parametrize(
    "text", ["hello", "@patchbay_bots hi", "@other_bot hi", "mail x@patchbay_bot", "see a/@b", "not /a command"]
)
@pytest.mark.parametrize("entities", [None, []])
def test_not_addressed_in_a_group(text: str, entities: list[Any] | None) -> None:
    fields = {} if entities is None else {"entities": entities}
    said = heard("message", message(text, **fields))

    assert (said.text, said.is_addressed) == (text, False)


def test_a_command_for_another_bot_is_not_for_us() -> None:
    assert heard("message", message("/status@other_bot")) is None
    assert heard("message", message("/status@patchbay_bot"), Me("4242")) is None
    assert heard("message", message("/status@patchbay_bot", chat=DIRECT), Me("4242")).text == "/status"


def test_entities_that_are_none_are_passed_over() -> None:
    entities: list[Any] = [5, {"type": "mention"}, {"type": "mention", "offset": 90, "length": 9}]
    text = "@patchbay_bot go"

    assert heard("message", message(text, entities=[*entities, *mention(text)])).text == "go"
    assert heard("message", message(f"é {text}", entities=[*entities, *mention(f"é {text}")])).text == "é go"


def test_pointed_at_by_id() -> None:
    entities = [{"type": "text_mention", "offset": 0, "length": 3, "user": {"id": 4242, "is_bot": True}}]

    said = heard("message", message("Bot go", entities=entities))

    assert (said.text, said.is_addressed) == ("go", True)


def test_a_reply_to_a_post_of_ours_is_addressed() -> None:
    ours = {"message_id": 3, "chat": GROUP, "from": {"id": 4242, "is_bot": True}}
    theirs = {"message_id": 3, "chat": GROUP, "from": {"id": 9, "is_bot": False}}
    opening = ours | {"forum_topic_created": {"name": "Work", "icon_color": 1}}

    assert heard("message", message("yes", reply_to_message=ours)).is_addressed
    assert not heard("message", message("yes", reply_to_message=theirs)).is_addressed
    assert not heard("message", message("yes", reply_to_message=opening)).is_addressed


def test_a_caption_speaks_for_its_photo() -> None:
    photo = {"caption": "@patchbay_bot fix this", "caption_entities": mention("@patchbay_bot"), "photo": [{}]}

    assert heard("message", message("", **photo)).text == "fix this"
    assert heard("message", message("", photo=[{}])) is None


def test_an_edited_message_corrects_the_first() -> None:
    first = heard("message", message("/status"))
    edited = heard("edited_message", message("/help", edit_date=1_760_000_100))

    assert edited.corrects == first.cause
    assert edited.cause == f"{first.cause}:edit:1760000100"
    assert edited.text == "/help"


NOBODY = [
    {"from": {"id": 9, "is_bot": True, "first_name": "Bot"}},
    {"from": {"id": 1087968824, "is_bot": True}, "sender_chat": GROUP},
    {"from": {"id": 1087968824, "is_bot": False}},
    {"from": {"id": 777000, "is_bot": False}},
    {"sender_chat": {"id": -5, "type": "channel"}},
    {"forward_origin": {"type": "user", "date": 1, "sender_user": ADA}},
    {"forward_date": 1},
    {"via_bot": {"id": 9, "is_bot": True}},
    {"business_connection_id": "x"},
    {"from": None},
    {"chat": {"id": -5, "type": "channel"}},
    {"chat": {"id": -5, "type": "something new"}},
    {"chat": {"id": True, "type": "private"}},
    {"message_id": "7"},
]


@pytest.mark.parametrize("fields", NOBODY, ids=str)
def test_what_no_person_said_is_nothing(fields: dict[str, Any]) -> None:
    assert heard("message", message("/execute DEMO-1", **fields)) is None
    assert heard("edited_message", message("/execute DEMO-1", edit_date=2, **fields)) is None


@pytest.mark.parametrize("kind", ["channel_post", "edited_channel_post", "business_message", "my_chat_member", "new"])
def test_other_kinds_of_update_are_nothing(kind: str) -> None:
    assert heard(kind, message("/status")) is None


def press(**fields: Any) -> dict[str, Any]:
    ours = {"message_id": 9, "date": 1, "chat": GROUP, "from": {"id": 4242, "is_bot": True}}
    return {"id": "55", "from": ADA, "message": ours, "data": "tok", "chat_instance": "1", **fields}


def test_a_press() -> None:
    topic = press()["message"] | {"message_thread_id": 3, "is_topic_message": True}
    pressed = heard("callback_query", press(message=topic))

    assert isinstance(pressed, Pressed)
    assert pressed.cause == "telegram:4242:press:55"
    assert (pressed.token, pressed.handle, pressed.post.id) == ("tok", "55", "9")
    assert pressed.thread == pressed.post.thread == ThreadRef("telegram", "4242", "-100", "3")
    assert pressed.person == Person("telegram", "", "11", "Ada")


def test_a_press_on_a_message_that_is_too_old_to_be_shown() -> None:
    pressed = heard("callback_query", press(message={"message_id": 9, "date": 0, "chat": GROUP}))

    assert pressed.post.id == "9"


@pytest.mark.parametrize(
    "fields", [{"message": None}, {"data": None}, {"data": ""}, {"id": 5}, {"from": {"id": 5, "is_bot": True}}], ids=str
)
def test_a_press_without_its_parts_is_nothing(fields: dict[str, Any]) -> None:
    assert heard("callback_query", press(**fields)) is None


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.json")), ids=lambda path: path.stem)
def test_updates_as_telegram_shapes_them(path: Path) -> None:
    recording = json.loads(path.read_text())
    event = read(json.dumps(recording["update"]).encode(), ME)

    told = None if event is None else {name: str(getattr(event, name)) for name in recording["event"]}
    assert told == recording["event"]


def test_there_are_recordings() -> None:
    assert len(list(RECORDINGS.glob("*.json"))) >= 8


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    *("message_id", "chat", "from", "text", "entities", "caption", "caption_entities", "message_thread_id"),
    *("is_topic_message", "reply_to_message", "edit_date", "id", "data", "message", "type", "is_bot", "first_name"),
]
SHAPED = st.recursive(
    JSON
    | st.sampled_from(["private", "supergroup", "mention", "@patchbay_bot x", "/a@patchbay_bot", "😀@patchbay_bot"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=8),
    max_leaves=25,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["message", "edited_message", "callback_query", "update_id"]), SHAPED | JSON))
def test_strange_updates_never_raise(update: object) -> None:
    read(json.dumps(update).encode(), ME)


@settings(deadline=None)
@given(
    st.text(max_size=30),
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["mention", "text_mention"]),
                "offset": st.integers(-3, 40),
                "length": st.integers(-3, 40),
            },
            optional={"user": st.just({"id": 4242})},
        ),
        max_size=4,
    ),
)
def test_strange_entities_never_raise(text: str, entities: list[Any]) -> None:
    said = heard("message", message(f"{text}@patchbay_bot", entities=entities))

    assert said is None or isinstance(said.text, str)


@settings(deadline=None)
@given(st.binary(max_size=40) | st.just(b"[" * 100_000) | st.just(b'{"message":' * 50_000) | st.just(b"1" * 5000))
def test_strange_bytes_never_raise(raw: bytes) -> None:
    assert read(raw, ME) is None
