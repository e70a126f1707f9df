"""The words of `patchbay`, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bot import demo
from bot.cli import app
from core.commands import COMMANDS
from core.model.errors import BotError
from tests.bot.cli_door import new_token, patchbay, running_elsewhere, write

TELEGRAM = "telegram: {token: 'env:T'}\n"


def test_help_names_every_command(here: Path) -> None:
    said = patchbay("--help")

    assert said.code == 0
    for word in (
        "demo",
        "run",
        "init",
        "doctor",
        "config",
        "migrate",
        "slack-manifest",
        "pair",
        "inbox",
        "backup",
        "version",
    ):
        assert word in said.out


def test_help_comes_at_once_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from bot.cli import app\n"
        "heavy = {'pydantic', 'aiohttp', 'tortoise', 'dbos', 'telegram', 'slack_bolt', 'anthropic', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout.strip() == "[]"


def test_python_m_bot_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "--help"], capture_output=True, text=True, check=True, timeout=30
    )

    assert "slack-manifest" in done.stdout


def test_an_unknown_word_is_refused(here: Path) -> None:
    assert patchbay("dance").code == 2


# --------------------------------------------------------------------------------------------- config


def test_config_check_says_what_is_configured(here: Path) -> None:
    write(here / "config.yaml", TELEGRAM + "agents: {fmt: {type: command, steps: [[ls]]}}")

    said = patchbay("config", "check", T="1:x")

    assert (said.code, said.out) == (0, "The configuration is right: telegram, local, fmt.\n")


def test_config_check_lists_every_mistake(here: Path) -> None:
    path = write(here / "other.yaml", TELEGRAM + "htpp: {port: 1}\nagents: {claude: {type: anthropic, modle: x}}\n")

    said = patchbay("config", "check", "--config", str(path), T="1:x")

    assert said.code == 1
    assert 'htpp: unknown key; did you mean "http"? (line 2)' in said.err
    assert 'agents.claude.modle: unknown key; did you mean "model"? (line 3)' in said.err
    assert said.out == ""


def test_without_any_configuration_the_next_step_is_told(here: Path) -> None:
    said = patchbay("config", "check")

    assert said.code == 1
    assert "patchbay init" in said.err
    assert "TELEGRAM_BOT_TOKEN" in said.err


def test_config_show_hides_every_secret(here: Path) -> None:
    token, key, password = new_token(), new_token(), new_token()
    write(here / "config.yaml", f"telegram: {{token: '{token}'}}\n")
    database = f"postgres://me:{password.replace(':', '')}@db/x"

    said = patchbay("config", "show", ANTHROPIC_API_KEY=key, DATABASE_URL=database)

    assert said.code == 0
    assert yaml.safe_load(said.out)["telegram"]["token"] == "(set)"
    for secret in (token, key, password.replace(":", "")):
        assert secret not in said.out + said.err


def test_config_schema_is_json(here: Path) -> None:
    made = json.loads(patchbay("config", "schema").out)

    assert {"telegram", "slack", "agents", "access"} <= set(made["properties"])


def test_the_example_is_printed_where_there_is_no_checkout(here: Path) -> None:
    printed = patchbay("config", "example")

    assert printed.out == (Path(__file__).parents[2] / "config.example.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [["run"], ["migrate"], ["pair"], ["config", "show"]])
def test_a_wrong_configuration_ends_every_command_with_its_mistakes(here: Path, words: list[str]) -> None:
    write(here / "config.yaml", TELEGRAM + "lgo: {}\n")

    said = patchbay(*words, T="1:x")

    assert said.code == 2
    assert 'lgo: unknown key; did you mean "log"?' in said.err
    assert "Traceback" not in said.err


# ------------------------------------------------------------------------------- database and pairing


def test_migrate_tells_what_it_did_and_does_it_once(here: Path) -> None:
    write(here / "config.yaml", TELEGRAM)

    before = patchbay("migrate", "--status", T="1:x")
    first = patchbay("migrate", T="1:x")
    again = patchbay("migrate", T="1:x")
    after = patchbay("migrate", "--status", T="1:x")

    assert before.code == 1
    assert "missing: 0001" in before.out
    assert "applied: 0001" in first.out
    assert again.out == after.out == "The database is as it should be.\n"
    assert after.code == 0


def test_pair_prints_a_code_that_is_kept_only_as_a_hash(here: Path) -> None:
    write(here / "config.yaml", TELEGRAM)

    said = patchbay("pair", T="1:x")

    code = said.out.strip().rpartition("/start ")[2]
    assert said.code == 0
    assert "on telegram:" in said.out
    assert len(code) == 10
    assert all(code.encode() not in each.read_bytes() for each in (here / "data").iterdir())


def test_pair_refuses_a_platform_that_is_not_there(here: Path) -> None:
    write(here / "config.yaml", TELEGRAM)

    said = patchbay("pair", "--platform", "telegrm", T="1:x")

    assert (said.code, said.err) == (2, '"telegrm" is not configured; did you mean "telegram"?\n')


def test_pair_says_to_stop_the_bot_when_it_runs(here: Path) -> None:
    write(here / "config.yaml", TELEGRAM)
    patchbay("migrate", T="1:x")
    with running_elsewhere(here):
        said = patchbay("pair", T="1:x")

    assert said.code == 2
    assert "stop the bot" in said.err


# ---------------------------------------------------------------------------------------------- slack


def test_the_slack_manifest_is_complete_json(here: Path) -> None:
    made = json.loads(patchbay("slack-manifest").out)

    assert made["settings"]["socket_mode_enabled"] is True
    assert "/patchbay" in {each["command"] for each in made["features"]["slash_commands"]}
    assert COMMANDS


def test_the_slack_manifest_for_http_needs_and_uses_the_address(here: Path) -> None:
    refused = patchbay("slack-manifest", "--mode", "http")
    made = patchbay("slack-manifest", "--mode", "http", "--url", "https://bot.example.com")

    assert refused.code == 2
    assert "--url" in refused.err
    assert json.loads(made.out)["settings"]["socket_mode_enabled"] is False
    assert "https://bot.example.com/" in made.out


# ----------------------------------------------------------------------------------------------- demo


def test_demo_hands_its_words_on_and_returns_what_it_ends_with(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def run(data: Path | None, *, batch: bool, as_json: bool, wait: bool) -> int:
        asked.append((data, batch, as_json, wait))
        return 3

    monkeypatch.setattr(demo, "run", run)

    assert patchbay("demo", "--batch", "--json", "--data", "d", "--no-wait").code == 3
    assert patchbay("demo").code == 3
    assert asked == [(Path("d"), True, True, False), (None, False, False, True)]


def test_what_is_expected_is_told_in_its_own_words(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_words: object, **_more: object) -> int:
        raise BotError("Nothing works today: try tomorrow.")

    monkeypatch.setattr(demo, "run", run)

    said = patchbay("demo")

    assert (said.code, said.err) == (2, "Nothing works today: try tomorrow.\n")


def test_no_trace_shows_variables() -> None:
    assert app.pretty_exceptions_enable is False
