"""`patchbay doctor` tries everything, and what fails is told with the next step."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from adapters.store import DatabaseStore
from bot import checks, doctor
from bot.checks import Finding, State, git_version
from core.model.chat import Person
from core.model.errors import SandboxError
from core.ports import Sandbox
from tests.bot.cli_door import Said, new_token, patchbay, running_elsewhere, write
from tests.fakes.bot_api import BotApi, answering, bot_api


@pytest.fixture
def api() -> Iterator[BotApi]:
    with bot_api(new_token()) as found:
        yield found


def config(here: Path, api: BotApi, more: str = "") -> None:
    text = (
        f"telegram: {{token: '{api.token}', api_base: '{api.address}'}}\n"
        "agents: {fmt: {type: command, steps: [[git, --version]]}}\nhttp: {port: 0}\n"
    )
    write(here / "config.yaml", text + more)


def line(said: Said, name: str) -> str:
    """The line of a check, and the steps below it."""
    lines = said.out.splitlines()
    found = [index for index, each in enumerate(lines) if each[9:].startswith(f"{name} ")]
    assert len(found) == 1, said.out
    steps = list(takewhile(lambda each: each.startswith("   "), lines[found[0] + 1 :]))
    return "\n".join([lines[found[0]], *steps])


def test_all_is_well(here: Path, api: BotApi) -> None:
    config(here, api, "access: {owners: [telegram:1]}\nsandbox: auto\n")

    said = patchbay("doctor")

    assert said.code == 0, said.out
    for name in ("configuration", "python", "git", "sandbox", "data folder", "database", "http", "telegram", "access"):
        assert line(said, name).startswith("ok"), said.out
    assert line(said, "agent fmt").startswith("ok")
    assert said.out.endswith("Everything works.\n")
    assert api.token not in said.out
    assert "getMe" in api.calls


def test_a_wrong_token_fails_with_the_next_step(here: Path, api: BotApi) -> None:
    config(here, api, "access: {owners: [telegram:1]}\n")
    api.token = new_token()

    said = patchbay("doctor")

    assert said.code == 1
    assert line(said, "telegram").startswith("FAIL")
    assert "-> " in line(said, "telegram")
    assert "1 of " in said.out


def test_a_platform_that_cannot_be_reached_fails(here: Path) -> None:
    with bot_api(new_token()) as gone:
        pass
    config(here, gone, "access: {owners: [telegram:1]}\n")

    said = patchbay("doctor")

    assert said.code == 1
    assert line(said, "telegram").startswith("FAIL")
    assert gone.token not in said.out


def test_offline_asks_nothing_of_the_network_and_says_so(here: Path, api: BotApi) -> None:
    more = "access: {owners: [telegram:1]}\ngithub: {token: x}\n"
    config(here, api, more)

    said = patchbay("doctor", "--offline", ANTHROPIC_API_KEY="k")

    assert said.code == 0, said.out
    assert line(said, "telegram").startswith("skipped")
    assert line(said, "github").startswith("skipped")
    assert line(said, "agent claude").startswith("skipped")
    assert line(said, "agent fmt").startswith("ok")
    assert api.calls == []


def test_nobody_let_in_is_a_failure_until_somebody_is(here: Path, api: BotApi) -> None:
    config(here, api)

    said = patchbay("doctor", "--offline")

    assert said.code == 1
    assert line(said, "access").startswith("FAIL")
    assert "patchbay pair" in line(said, "access")

    patchbay("pair")
    assert patchbay("doctor", "--offline").code == 1


def test_a_wrong_configuration_is_a_failure_among_what_can_be_looked_at(here: Path, api: BotApi) -> None:
    config(here, api, "lgo: {}\ntime_zone: Mars\n")

    said = patchbay("doctor")

    assert said.code == 1
    assert line(said, "configuration").startswith("FAIL")
    assert 'did you mean "log"?' in said.out
    assert "no time zone" in said.out
    assert line(said, "python").startswith("ok")


def test_a_missing_git_is_told(here: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    config(here, api, "access: {owners: [telegram:1]}\n")
    (here / "empty").mkdir()
    monkeypatch.setenv("PATH", str(here / "empty"))

    said = patchbay("doctor", "--offline", PATH=str(here / "empty"))

    assert said.code == 1
    assert line(said, "git").startswith("FAIL")
    assert "Install git" in line(said, "git")


def test_a_port_in_use_matters_only_to_who_is_called_over_http(here: Path, api: BotApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config(here, api, "access: {owners: [telegram:1]}\n")
        polling = patchbay("doctor", "--offline", API_PORT=str(port))
        slack = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": token_hex(16), "PATCHBAY_SLACK__MODE": "http"}
        called = patchbay("doctor", "--offline", **slack, API_PORT=str(port))

    assert (polling.code, called.code) == (0, 1)
    assert line(polling, "http").startswith("warn")
    assert line(called, "http").startswith("FAIL")
    assert "-> " in line(called, "http")


def test_a_data_folder_that_cannot_be_made_is_told(here: Path, api: BotApi) -> None:
    write(here / "data", "a file")
    config(here, api, "access: {owners: [telegram:1]}\n")

    said = patchbay("doctor", "--offline")

    assert said.code == 1
    assert line(said, "data folder").startswith("FAIL")


def test_the_sandbox_that_is_off_is_a_warning(here: Path, api: BotApi) -> None:
    config(here, api, "access: {owners: [telegram:1]}\nsandbox: off\n")

    said = patchbay("doctor", "--offline")

    assert said.code == 0
    assert line(said, "sandbox").startswith("warn")


def test_a_database_that_cannot_be_reached_is_told(here: Path, api: BotApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    config(here, api, "access: {owners: [telegram:1]}\n")
    password = new_token().replace(":", "")

    said = patchbay("doctor", "--offline", DATABASE_URL=f"postgres://me:{password}@127.0.0.1:{port}/x")

    assert said.code == 1
    assert line(said, "database").startswith("FAIL")
    assert password not in said.out + said.err


def test_no_agent_at_all_is_a_failure(here: Path, api: BotApi) -> None:
    write(here / "config.yaml", f"telegram: {{token: '{api.token}'}}\naccess: {{owners: [telegram:1]}}\n")

    said = patchbay("doctor", "--offline", API_PORT="0")

    assert said.code == 1
    assert "ANTHROPIC_API_KEY" in line(said, "agents")


def test_looking_leaves_nothing_behind(here: Path, api: BotApi) -> None:
    config(here, api)

    patchbay("doctor")

    assert [each.name for each in here.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [(200, "ok", "as octo"), (403, "ok", "as an app"), (401, "FAIL", "GITHUB_TOKEN"), (404, "FAIL", "Check the name")],
)
def test_github_is_asked_whose_token_it_is(here: Path, api: BotApi, status: int, state: str, said: str) -> None:
    token = new_token()

    def answer(path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        assert path == "/user"
        assert headers["Authorization"].endswith(token)
        return status, {"login": "octo"} if status == 200 else {"message": "no"}

    with answering(answer) as address:
        config(here, api, f"github: {{token: '{token}', api_base: '{address}'}}\n")
        told = line(patchbay("doctor"), "github")

    assert told.startswith(state)
    assert said in told
    assert token not in told


def test_while_the_bot_runs_its_database_is_left_alone(here: Path, api: BotApi) -> None:
    config(here, api)
    patchbay("migrate")
    with running_elsewhere(here):
        said = patchbay("doctor", "--offline")

    assert said.code == 0, said.out
    assert line(said, "database").startswith("warn")
    assert line(said, "access").startswith("warn")


def test_who_was_paired_is_an_owner(here: Path, api: BotApi) -> None:
    config(here, api)

    async def pair() -> None:
        store, now = DatabaseStore("", here / "data"), datetime.now(UTC)
        await store.open()
        await store.offer_pairing("telegram", "CODE", now + timedelta(hours=1))
        assert await store.pair("CODE", Person("telegram", "1", "2", "Ada"), now)
        await store.close()

    asyncio.run(pair())
    said = patchbay("doctor", "--offline")

    assert said.code == 0, said.out
    assert "1 owner, 0 others" in line(said, "access")


def test_where_no_sandbox_works_no_agent_does(here: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    async def choose(_setting: str, _hidden: object) -> Sandbox:
        raise SandboxError("It does not work here.\nInstall bubblewrap.")

    monkeypatch.setattr(checks, "choose", choose)
    config(here, api, "access: {owners: [telegram:1]}\n")

    said = patchbay("doctor", "--offline")

    assert said.code == 1
    assert "-> Install bubblewrap." in line(said, "sandbox")
    assert line(said, "agent fmt").startswith("FAIL")


def test_a_slack_app_that_may_not_send_files_is_told_so(here: Path) -> None:
    token = f"xoxb-{new_token()}"

    def answer(path: str, _headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        who = {"team_id": "T1", "user_id": "U1", "url": "wss://x.example"}
        return 200, {"ok": True, **(who if path.endswith("auth.test") else {})}

    with answering(answer, {"X-OAuth-Scopes": "chat:write,commands"}) as address:
        write(
            here / "config.yaml",
            f"slack: {{api_base: '{address}/api/', mode: http}}\naccess: {{owners: ['slack:U1']}}\n",
        )
        said = patchbay("doctor", SLACK_BOT_TOKEN=token, SLACK_SIGNING_SECRET=token_hex(16))

    assert line(said, "slack").startswith("warn     slack")
    assert "files:write" in said.out


def test_a_check_that_hangs_or_breaks_hides_no_other(here: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_words: object) -> str:
        await asyncio.Event().wait()
        return ""

    async def break_down(_config: object) -> Finding:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(checks, "try_platform", hang)
    monkeypatch.setattr(checks, "_http", break_down)
    monkeypatch.setattr(doctor, "CHECK_SECONDS", 2)
    config(here, api, "access: {owners: [telegram:1]}\n")

    said = patchbay("doctor")

    assert said.code == 1
    assert "no answer within" in line(said, "telegram")
    assert "ZeroDivisionError" in line(said, "http")
    assert line(said, "database").startswith("ok")
    assert "2 of " in said.out


@pytest.mark.parametrize("state", State)
def test_at_a_terminal_states_have_colours(state: State) -> None:
    shown = doctor.report([Finding("a", state, "b")], is_coloured=True)

    assert f"m{state.value}" in shown.replace(" ", "")
    assert "\x1b[0m" in shown


@pytest.mark.parametrize(
    ("text", "version"), [("2.39.5", (2, 39)), ("2.51.0.windows.1", (2, 51)), ("3.0", (3, 0)), ("new", (0, 0))]
)
def test_the_version_of_git_is_read(text: str, version: tuple[int, int]) -> None:
    assert git_version(text) == version
