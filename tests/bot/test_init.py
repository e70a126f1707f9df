"""`patchbay init` tries what it is given, writes it for its owner alone, and offers a pairing code."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from bot import init as module
from core.model.errors import ChatError
from tests.bot.cli_door import new_token, patchbay, write
from tests.fakes.bot_api import BotApi, bot_api
from tests.fakes.platform import FakePlatform


@pytest.fixture
def api() -> Iterator[BotApi]:
    with bot_api(new_token()) as found:
        yield found


def answers(here: Path, api: BotApi, **more: Any) -> str:
    tree = {"telegram": {"token": api.token, "api_base": api.address}, **more}
    return str(write(here / "answers.yaml", yaml.safe_dump(tree)))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_file_is_written_after_the_token_was_tried(here: Path, api: BotApi) -> None:
    said = patchbay("init", "--answers", answers(here, api))

    assert said.code == 0, said.err
    assert "getMe" in api.calls
    assert mode(here / "config.yaml") == 0o600
    assert patchbay("config", "check").code == 0
    assert yaml.safe_load((here / "config.yaml").read_text())["telegram"]["token"] == api.token


def test_the_first_owner_is_offered_a_code(here: Path, api: BotApi) -> None:
    said = patchbay("init", "--answers", answers(here, api))

    assert "say to your bot on telegram:  /start " in said.out
    assert (
        patchbay("init", "--force", "--answers", answers(here, api, access={"owners": ["telegram:1"]})).out.count(
            "/start"
        )
        == 0
    )
    assert patchbay("init", "--force", "--answers", answers(here, api, pair=False)).out.count("/start") == 0


def test_a_wrong_token_writes_nothing(here: Path, api: BotApi) -> None:
    path = answers(here, api)
    api.token = new_token()

    said = patchbay("init", "--answers", path)

    assert said.code == 2
    assert "oken" in said.err
    assert [each.name for each in here.iterdir()] == ["answers.yaml"]


def test_wrong_answers_are_all_told_and_nothing_is_written(here: Path, api: BotApi) -> None:
    said = patchbay("init", "--answers", answers(here, api, agents={"a": {"type": "antropic"}}, htpp={}))

    assert said.code == 2
    assert 'did you mean "anthropic"?' in said.err
    assert 'did you mean "http"?' in said.err
    assert [each.name for each in here.iterdir()] == ["answers.yaml"]


def test_secrets_can_go_into_a_folder(here: Path, api: BotApi) -> None:
    agents = {"claude": {"type": "anthropic", "model": "m", "api_key": new_token()}}

    said = patchbay("init", "--answers", answers(here, api, secrets="folder", agents=agents))

    assert said.code == 0, said.err
    text = (here / "config.yaml").read_text()
    assert api.token not in text
    assert agents["claude"]["api_key"] not in text
    assert mode(here / "secrets") == 0o700
    assert {each.name: mode(each) for each in (here / "secrets").iterdir()} == {
        "telegram_token": 0o600,
        "agent_claude_api_key": 0o600,
    }
    assert patchbay("config", "check").code == 0


def test_a_file_that_is_there_stays_unless_it_is_said(here: Path, api: BotApi) -> None:
    write(here / "config.yaml", "mine")

    said = patchbay("init", "--answers", answers(here, api))

    assert said.code == 2
    assert "--force" in said.err
    assert (here / "config.yaml").read_text() == "mine"

    assert patchbay("init", "--force", "--answers", answers(here, api)).code == 0
    assert mode(here / "config.yaml") == 0o600


def test_offline_nothing_is_asked_of_the_network(here: Path, api: BotApi) -> None:
    assert patchbay("init", "--offline", "--answers", answers(here, api)).code == 0
    assert api.calls == []


# -------------------------------------------------------------------------------------- at a terminal


class Person:
    """Answers in the order of the questions; what is left over or missing is a failure."""

    def __init__(self, *given: object) -> None:
        self.given = list(given)
        self.asked: list[str] = []

    def __call__(self, question: object, *_more: object, **_named: object) -> Any:
        self.asked.append(question.text if isinstance(question, module.Question) else str(question))
        return self.given.pop(0)


def sit_down(monkeypatch: pytest.MonkeyPatch, *given: object) -> Person:
    person = Person(*given)
    for door in ("_text", "_yes", "_choice"):
        monkeypatch.setattr(module, door, person)
    return person


def test_a_person_is_asked_and_asked_again_when_a_token_does_not_work(
    here: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def connect(name: str, section: Any, _data: Path) -> FakePlatform:
        token = section.token.get_secret_value()
        told.append(token)
        if token != api.token:
            raise ChatError(f"{name}: this token is not right")
        return FakePlatform(name, "42")

    monkeypatch.setattr(module, "try_platform", connect)
    person = sit_down(
        monkeypatch,
        True,  # Telegram
        "1:wrong",
        api.token,
        False,  # Slack
        False,  # GitHub
        "anthropic",
        "key-" + new_token(),
        "some-model",
        "inline",
    )

    said = patchbay("init")

    assert said.code == 0, said.err
    assert told == ["1:wrong", api.token]
    assert "this token is not right" in said.err
    assert person.given == []
    tree = yaml.safe_load((here / "config.yaml").read_text())
    assert tree["agents"]["claude"] == {
        "type": "anthropic",
        "api_key": tree["agents"]["claude"]["api_key"],
        "model": "some-model",
    }


def test_a_person_who_wants_no_platform_is_asked_until_there_is_one(
    here: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = sit_down(monkeypatch, False, False, False, True, "xoxb-1", "xapp-1", False, "none yet", "folder")

    said = patchbay("init", "--offline")

    assert said.code == 0, said.err
    assert person.given == []
    assert "on slack:" in said.out


def test_a_person_may_keep_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here / "config.yaml", "mine")
    sit_down(monkeypatch, False)

    assert patchbay("init").code == 2
    assert (here / "config.yaml").read_text() == "mine"


def test_the_questions_are_answered_with_keys(here: Path) -> None:
    token, key = new_token(), f"key-{new_token()}"
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        # Telegram, no Slack, no GitHub, the first agent with the model that is proposed, a folder for secrets.
        keys.send_text(f"y{token}\rnn\r{key}\r\r\r")
        said = patchbay("init", "--offline")

    assert said.code == 0, said.err
    assert (here / "secrets" / "telegram_token").read_text() == f"{token}\n"
    assert (here / "secrets" / "agent_claude_api_key").read_text() == f"{key}\n"
    tree = yaml.safe_load((here / "config.yaml").read_text())
    assert tree["agents"]["claude"]["model"] == "claude-sonnet-5-5"


def test_leaving_in_the_middle_writes_nothing(here: Path) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("y\x03")
        said = patchbay("init", "--offline")

    assert said.code != 0
    assert list(here.iterdir()) == []
