"""Who speaks on Slack: guests, people of other workspaces, who is named, who invited us, who edits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.chat.slack import inbound
from adapters.chat.slack.names import FRESH_SECONDS, STALE_SECONDS, Names
from adapters.chat.slack.platform import Slack
from adapters.chat.slack.receive import Intake
from core.model.chat import Author, Halted, Joined, Mention, Person, Pressed, Said
from core.model.people import Profile
from core.ports import Vouching
from tests import doors
from tests.adapters.slack.conftest import config_for
from tests.doors import AWAY, TEAM
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_api import Fault


def read(body: dict[str, Any]) -> Any:
    return inbound.read(Intake().delivery(body).raw, doors.SLACK_ME)


# --------------------------------------------------------------------------------------- in the payload


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        ({}, Author.PERSON),
        ({"user_profile": {"is_restricted": False}}, Author.PERSON),
        ({"user_profile": {"is_restricted": True}}, Author.GUEST),
        ({"user_profile": {"is_ultra_restricted": True}}, Author.GUEST),
        ({"user_profile": {"is_stranger": True}}, Author.EXTERNAL),
        ({"is_stranger": True}, Author.EXTERNAL),
    ],
)
def test_what_the_message_itself_says(fields: dict[str, Any], author: Author) -> None:
    said = read(doors.slack_said("U1", "C1", "hi", **fields))

    assert isinstance(said, Said)
    assert said.author is author


def test_who_is_named_is_known_by_an_id_and_we_are_left_out() -> None:
    text = "grant <@U2> viewer, <@U3|bob>, <#C9|general>, <@U0BOT>"
    home = [Person("slack", TEAM, user) for user in ("U2", "U3")]

    said, slashed = read(doors.slack_said("U1", "C1", text)), read(doors.slack_slash("U1", "C1", text))

    assert said.mentions == slashed.mentions == (Mention("@U2", home[0]), Mention("@bob", home[1]))
    assert slashed.text.startswith("/grant @U2 viewer, @bob")


def test_we_were_invited_and_that_others_are_is_no_matter() -> None:
    joined = {"type": "member_joined_channel", "user": "U0BOT", "channel": "C1", "team": TEAM, "inviter": "U1"}
    event = read(doors.slack_event(joined))

    assert isinstance(event, Joined)
    assert (event.thread.chat, event.person) == ("C1", Person("slack", TEAM, "U1"))
    assert read(doors.slack_event(joined | {"user": "U2"})) is None
    by_nobody = read(doors.slack_event({key: joined[key] for key in ("type", "user", "channel")}))
    assert by_nobody.person == Person("slack", TEAM, "U0BOT")


@pytest.mark.parametrize(("channel", "is_direct"), [("D1", True), ("C1", False), ("G1", False)])
def test_presses_and_stops_know_whether_the_chat_is_direct(channel: str, *, is_direct: bool) -> None:
    pressed, halted = read(doors.slack_press("U1", channel, "t")), read(doors.slack_stop("U1", channel))

    assert isinstance(pressed, Pressed)
    assert isinstance(halted, Halted)
    assert (pressed.is_direct, halted.is_direct) == (is_direct, is_direct)


def test_an_edit_by_another_than_the_author_is_nothing() -> None:
    mine = read(doors.slack_edit("U1", "C1", "new words", "5.1"))

    assert mine.person.id == "U1"
    assert read(doors.slack_edit("U1", "C1", "new words", "5.1", editor="U2")) is None


# ------------------------------------------------------------------------------------------- users.info


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
async def platform(slack: FakeSlack) -> AsyncIterator[Slack]:
    made = Slack(config_for(slack), ())
    await made.connect()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("facts", "profile"),
    [
        ({}, (Author.PERSON, "T0TEAM")),
        ({"is_restricted": True}, (Author.GUEST, "T0TEAM")),
        ({"is_restricted": True, "is_ultra_restricted": True}, (Author.GUEST, "T0TEAM")),
        ({"is_stranger": True, "team_id": AWAY}, (Author.EXTERNAL, AWAY)),
        ({"is_stranger": True, "team_id": None}, (Author.EXTERNAL, "T0TEAM")),
        ({"team_id": AWAY}, (Author.EXTERNAL, AWAY)),
        ({"team_id": AWAY, "enterprise_user": {"teams": [AWAY]}}, (Author.EXTERNAL, AWAY)),
        ({"team_id": "E1", "enterprise_user": {"teams": ["T0TEAM"]}}, (Author.PERSON, "T0TEAM")),
        ({"team_id": AWAY, "enterprise_user": {"teams": "T0TEAM"}}, (Author.EXTERNAL, AWAY)),
        ({"is_bot": True}, None),
        ({"deleted": True}, None),
    ],
)
async def test_what_slack_says_when_it_is_asked(
    slack: FakeSlack, platform: Slack, facts: dict[str, Any], profile: tuple[Author, str] | None
) -> None:
    assert isinstance(platform, Vouching)
    slack.facts["U1"], slack.people["U1"] = facts, "Olga"

    told = await platform.profile_of(Person("slack", slack.team, "U1"))

    assert told == (Profile(*profile, "Olga") if profile else None)


async def test_who_becomes_a_guest_is_one_soon(slack: FakeSlack, platform: Slack) -> None:
    """And while Slack cannot be asked, what was known counts for an hour; who is gone is nobody at once."""
    clock = Clock()
    names = Names(platform._client, slack.team, clock)
    assert await names.profile("U1") == Profile(Author.PERSON, slack.team)
    slack.facts["U1"] = {"is_restricted": True}

    assert await names.profile("U1") == Profile(Author.PERSON, slack.team)
    clock.seconds = FRESH_SECONDS
    assert await names.profile("U1") == Profile(Author.GUEST, slack.team)

    slack.plan("users.info", *[Fault("error", name="internal_error")] * 3)
    clock.seconds += FRESH_SECONDS
    assert await names.profile("U1") == Profile(Author.GUEST, slack.team)
    clock.seconds += STALE_SECONDS
    assert await names.profile("U1") is None
    assert await names.profile("U2") is None

    slack.facts.clear()
    assert await names.profile("U1") == Profile(Author.PERSON, slack.team)
    slack.unknown.add("U1")
    clock.seconds += FRESH_SECONDS
    assert await names.profile("U1") is None
