"""Slack's payloads, one for each kind, as chat events; and whatever bytes come, no error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.chat.slack import inbound
from adapters.chat.slack.gestures import REMEMBERED, Gestures
from core.model.chat import Cause, ChatEvent, Halted, Mention, Person, PostRef, Pressed, Said, ThreadRef

RECORDINGS = Path(__file__).parents[2] / "recordings" / "slack"
ME = inbound.Me("T061EG9R6", "U0LAN0Z89", "B0LAN0Z90")
ROOT = "1755702000.000200"
ANA = Person("slack", "T061EG9R6", "U061F7AUX")
GENERAL = ThreadRef("slack", "T061EG9R6", "C0LAN2Q65", ROOT)
GESTURE = "slack:T061EG9R6:C0LAN2Q65:m:7bcb9a4c-2f0b-4a51-8a42-1e9b6a7f5a3d"


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text())
    return found


def read(body: dict[str, Any], **more: Any) -> ChatEvent | None:
    return inbound.read(json.dumps({"kind": inbound.kind_of(body), "body": body} | more).encode(), ME)


def said(name: str) -> Said:
    event = read(recorded(name))
    assert isinstance(event, Said)
    return event


@pytest.mark.parametrize("name", ["message_channels", "app_mention"])
def test_a_mention(name: str) -> None:
    assert said(name) == Said(
        cause=Cause(GESTURE),
        thread=GENERAL,
        person=ANA,
        text="execute DEMO-1 & tell @ana in #general, see https://example.org/a?b=1&c=2",
        is_addressed=True,
        message=ROOT,
        mentions=(Mention("@ana", Person("slack", "T061EG9R6", "U061F7AUR")),),
    )


def test_a_direct_message() -> None:
    direct = said("message_im")

    assert (direct.is_direct, direct.is_addressed, direct.in_thread) == (True, True, False)
    assert direct.thread == ThreadRef("slack", "T061EG9R6", "D024BE91L", "1755702010.000300")


def test_a_reply_in_a_thread_need_not_be_for_us() -> None:
    reply = said("message_thread_reply")

    assert (reply.thread, reply.in_thread, reply.is_addressed) == (GENERAL, True, False)
    assert reply.message == "1755702020.000400"


def test_a_group_direct_message_is_a_group() -> None:
    group = said("message_mpim")

    assert (group.is_direct, group.is_addressed) == (False, False)


def test_an_edit_corrects_what_was_said() -> None:
    edit = said("message_changed")

    assert edit.corrects == said("message_channels").cause
    assert edit.cause not in {edit.corrects, ""}
    assert (edit.text, edit.thread, edit.person) == ("execute DEMO-2", GENERAL, ANA)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("message_file_share", ("look at this", False)), ("message_thread_broadcast", ("for all", True))],
)
def test_files_and_broadcasts_are_said_by_people(name: str, expected: tuple[str, bool]) -> None:
    assert (said(name).text, said(name).in_thread) == expected


@pytest.mark.parametrize(
    "name",
    [
        "message_unfurled",
        "message_deleted",
        "message_of_our_bot",
        "message_bot",
        "message_join",
        "app_home_opened",
        "reaction_added",
        "block_actions_link",
    ],
)
def test_what_is_not_for_us(name: str) -> None:
    assert read(recorded(name)) is None


def test_a_stranger_of_a_shared_channel_belongs_to_their_own_workspace() -> None:
    stranger = said("message_connect_stranger")

    assert stranger.person == Person("slack", "T0OTHER99", "U0EXTERNAL", "Eve")
    assert stranger.thread.tenant == "T061EG9R6"


def test_who_does_not_say_whose_they_are_in_a_shared_channel_is_nobodys() -> None:
    body = recorded("message_connect_stranger")
    for key in ("team", "user_team", "source_team", "user_profile"):
        del body["event"][key]
    event = read(body)

    assert isinstance(event, Said)
    assert event.person.tenant == "unknown"


def test_the_native_stop() -> None:
    halted = read(recorded("agent_session_stopped"))

    assert isinstance(halted, Halted)
    assert (halted.thread, halted.person) == (GENERAL, ANA)


def test_a_slash_command_opens_a_thread() -> None:
    command = said("slash_command")

    assert (command.text, command.opens_thread, command.is_addressed) == ("/execute DEMO-1 & co", True, True)
    assert command.thread == ThreadRef("slack", "T061EG9R6", "C0LAN2Q65")
    assert command.person == Person("slack", "T061EG9R6", "U061F7AUX", "ana")
    assert command.chat_title == "general"
    assert command.cause.endswith(":c:13345224609.738474920.8088930838d88f008e0")


@pytest.mark.parametrize(("typed", "text"), [("", "/help"), ("  ", "/help"), ("/status", "/status"), ("/", "/help")])
def test_what_is_typed_after_the_slash_command(typed: str, text: str) -> None:
    command = read(recorded("slash_command") | {"text": typed})

    assert isinstance(command, Said)
    assert command.text == text


def test_a_press() -> None:
    pressed = read(recorded("block_actions"))

    assert isinstance(pressed, Pressed)
    assert (pressed.token, pressed.thread) == ("k3T0k3n", GENERAL)
    assert pressed.post == PostRef(GENERAL, "1755702005.000100")
    assert pressed.person == Person("slack", "T061EG9R6", "U061F7AUX", "ana")


def test_the_press_of_a_stranger_does_not_use_up_ours() -> None:
    ours, theirs = recorded("block_actions"), recorded("block_actions")
    theirs["user"]["id"] = "U66"
    first, second = read(ours), read(theirs)

    assert first is not None
    assert second is not None
    assert first.cause != second.cause


def test_a_press_on_a_post_at_the_top_of_a_chat_is_in_the_thread_below_it() -> None:
    body = recorded("block_actions")
    del body["container"]["thread_ts"], body["message"]["thread_ts"]
    pressed = read(body)

    assert isinstance(pressed, Pressed)
    assert pressed.thread.root == "1755702005.000100"


MENTION = f"<@{ME.user}>"
WORDS = {
    f"{MENTION} help": "help",
    f"{MENTION}: help": "help",
    f"{MENTION}, help": "help",
    f"{MENTION}\u00a0help": "help",
    f"<@{ME.user}|patchbay> help": "help",
    f"hey {MENTION} help": "hey help",
    f"help {MENTION}": "help",
    f"{MENTION}": "",
    "a &lt;b&gt; &amp;amp; c": "a <b> &amp; c",
    "&lt;@U0LAN0Z89&gt;": "<@U0LAN0Z89>",
    "<!here> <!channel|channel> <!subteam^S1|@team>": "@here channel @team",
    "<!date^1392734382^{date}|Feb 18>": "Feb 18",
    "<mailto:a@example.org|a@example.org> <tel:+49|+49>": "a@example.org +49",
    "<@U2> <#C2>": "@U2 #C2",
    "```if a &lt; b:\n    pass```": "```if a < b:\n    pass```",
    "\ud800 \x00": "?",
}


@pytest.mark.parametrize("raw", WORDS)
def test_words_are_as_they_were_typed(raw: str) -> None:
    body = recorded("message_channels")
    body["event"]["text"] = raw
    event = read(body)

    assert isinstance(event, Said)
    assert event.text == WORDS[raw]
    assert event.is_addressed == (f"<@{ME.user}" in raw)
    event.text.encode()


def test_a_gesture_that_was_settled_is_the_cause() -> None:
    event = read(recorded("app_mention"), gesture="slack:T:C:1.1")

    assert event is not None
    assert event.cause == "slack:T:C:1.1"


def test_gestures_are_forgotten_in_the_end() -> None:
    gestures = Gestures()
    for number in range(REMEMBERED * 2):
        gestures.settle("T", "C", {"ts": str(number)})

    assert len(gestures._first) == REMEMBERED
    assert gestures.settle("T", "C", {}) == ""


# -------------------------------------------------------------------------------------- anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.json"))


@given(st.binary())
def test_any_bytes_are_nothing_or_something(raw: bytes) -> None:
    assert inbound.read(raw, ME) is None


def test_json_too_deep_is_nothing() -> None:
    assert inbound.read(b'{"body":' * 100_000, ME) is None


@given(st.sampled_from(NAMES), st.data())
def test_a_payload_with_anything_in_place_of_one_value_is_no_error(name: str, data: st.DataObject) -> None:
    body = recorded(name)
    spots = list(_spots(body))
    holder, key = data.draw(st.sampled_from(spots))
    holder[key] = data.draw(JSON)
    for kind in ("event", "command", "action"):
        event = inbound.read(json.dumps({"kind": kind, "body": body}).encode(), ME)
        if event is not None:
            str(event).encode()
            assert ThreadRef.parse(str(event.thread)) == event.thread


def _spots(value: Any) -> Any:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _spots(inner)
