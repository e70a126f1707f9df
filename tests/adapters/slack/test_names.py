"""How people are called."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.chat.slack.names import Names
from adapters.chat.slack.platform import Slack
from core.model.chat import Person
from core.ports import Naming
from tests.adapters.slack.conftest import config_for
from tests.fakes.slack import FakeSlack


@pytest.fixture
async def platform(slack: FakeSlack) -> AsyncIterator[Slack]:
    made = Slack(config_for(slack), ())
    await made.connect()
    yield made
    await made.close()


async def test_a_person_is_asked_for_once(slack: FakeSlack, platform: Slack) -> None:
    assert isinstance(platform, Naming)
    slack.people["U1"] = "Olga"
    person = Person("slack", slack.team, "U1")

    names = [await platform.name_of(person), await platform.name_of(person)]

    assert names == ["Olga", "Olga"]
    assert len(slack.called("users.info")) == 1


async def test_who_is_not_known_has_no_name_and_is_asked_for_again(slack: FakeSlack, platform: Slack) -> None:
    person = Person("slack", slack.team, "U2")
    slack.unknown.add("U2")
    assert await platform.name_of(person) == ""
    slack.unknown.clear()
    slack.people["U2"] = "Mia"

    assert await platform.name_of(person) == "Mia"


async def test_no_more_names_are_kept_than_are_of_use(
    slack: FakeSlack, platform: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.chat.slack.names.KEPT", 1)
    slack.people |= {"U1": "Olga", "U2": "Mia"}
    names = Names(platform._client, slack.team)
    for user in ("U1", "U2", "U1"):
        await names.of(user)

    assert len(slack.called("users.info")) == 3
