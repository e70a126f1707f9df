"""A configuration is read from a file and an environment, and every mistake in it is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, SecretStr

from adapters.agents import AGENTS
from adapters.chat import PLATFORMS
from adapters.forges import FORGES
from bot.config import Allowed, BadConfigError, Config, Tables, load, schema, show
from bot.config.environment import AGENT_HINTS, CUSTOMARY, with_scheme
from bot.config.model import AccessSection, Own

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
POSTGRES = "must be postgres://user:password@host:5432/name, or empty for SQLite in the data folder"
TELEGRAM = "telegram: {token: 'env:T'}\n"


def read(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, {"T": "1:token", **environ}, platforms=PLATFORMS, forges=FORGES, agents=AGENTS)


def read_environment(**environ: str) -> Config:
    return load(None, environ, platforms=PLATFORMS, forges=FORGES, agents=AGENTS)


def complaints(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(BadConfigError) as caught:
        read(tmp_path, text, **environ)
    return [str(each) for each in caught.value.mistakes]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# ----------------------------------------------------------------------------------------- the example


def test_the_example_is_loaded_with_secrets_from_the_environment() -> None:
    secrets = {name: f"{name.lower()}-{uuid4().hex}" for name in (*CUSTOMARY, *AGENT_HINTS) if "API_H" not in name}
    wanted = {key: value for key, value in secrets.items() if key.endswith(("TOKEN", "KEY"))}

    config = load(EXAMPLE, wanted, platforms=PLATFORMS, forges=FORGES, agents=AGENTS)

    assert set(config.platforms) == set(PLATFORMS)
    assert set(config.forges) == set(FORGES)
    assert set(config.secrets()) == set(wanted.values())


def test_the_example_names_every_key_of_every_model_with_its_default() -> None:
    tree = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8").replace("sandbox: off", "sandbox: 'off'"))
    _named(Own, tree, "")
    for name, model in Tables(PLATFORMS, FORGES, AGENTS).sections.items():
        _named(model, tree[name], name)
    for kind_name, kind in AGENTS.items():
        entries = [each for each in tree["agents"].values() if each["type"] == kind_name]
        assert entries, f"no agent of type {kind_name}"
        _named(kind.config, entries[0], kind_name)


def _named(model: type[BaseModel], tree: Mapping[str, Any], path: str) -> None:
    for name, info in model.model_fields.items():
        assert name in tree, f"config.example.yaml does not name {path}.{name}"
        value = tree[name]
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            _named(info.annotation, value, f"{path}.{name}")
        elif not info.is_required() and not str(value).startswith("env:") and name != "about":
            default = info.get_default(call_default_factory=True)
            shown = default.get_secret_value() if hasattr(default, "get_secret_value") else default
            shown = str(shown) if isinstance(shown, Path) else list(shown) if isinstance(shown, tuple) else shown
            assert value == shown, f"{path}.{name}"


def test_an_agent_made_by_the_environment_is_the_one_of_the_example() -> None:
    tree = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))

    for hint in AGENT_HINTS.values():
        entry = tree["agents"][hint.name]
        assert (entry["type"], entry["model"]) == (hint.type, hint.model)
        assert hint.key in entry


# ---------------------------------------------------------------------------------------- environment


def test_a_token_alone_is_enough() -> None:
    config = read_environment(TELEGRAM_BOT_TOKEN="1:abc", ANTHROPIC_API_KEY="k" * 9, OLLAMA_HOST="gpu")

    assert set(config.platforms) == {"telegram"}
    assert set(config.forges) == {"local"}
    assert {name: agent.type for name, agent in _agents(config).items()} == {"claude": "anthropic", "ollama": "ollama"}
    assert _agents(config)["claude"].api_key.get_secret_value() == "k" * 9
    assert _agents(config)["ollama"].base_url == "http://gpu:11434"
    assert config.data == Path("data")


def _agents(config: Config) -> Mapping[str, Any]:
    return config.agents


def test_a_key_fills_what_configured_agents_lack_and_makes_no_other(tmp_path: Path) -> None:
    text = TELEGRAM + (
        "agents:\n"
        "  quick: {type: anthropic, model: m}\n"
        "  own: {type: anthropic, model: m, api_key: mine}\n"
        "  openai: {type: command, steps: [[ls]]}\n"
    )

    agents = _agents(read(tmp_path, text, ANTHROPIC_API_KEY="theirs", OPENAI_API_KEY="unused"))

    assert set(agents) == {"quick", "own", "openai"}
    assert agents["quick"].api_key.get_secret_value() == "theirs"
    assert agents["own"].api_key.get_secret_value() == "mine"
    assert agents["openai"].type == "command"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    text = TELEGRAM + "http: {port: 1}\nagents: {claude-two: {type: anthropic, model: old}}\nlimits: {runs: 2}\n"

    config = read(
        tmp_path,
        text,
        TELEGRAM_BOT_TOKEN="2:other",
        API_HOST="0.0.0.0",
        API_PORT="9",
        PATCHBAY_AGENTS__CLAUDE_TWO__MODEL="new",
        PATCHBAY_AGENTS__FMT="{type: command, steps: [[ruff, format], [ls, '{words}']]}",
        PATCHBAY_LIMITS__RUNS="3",
        PATCHBAY_ACCESS__OWNERS="telegram:1, slack:T1/U1",
        PATCHBAY_ACCESS__DEVELOPERS="[telegram:2]",
        PATCHBAY_SANDBOX="off",
        PATCHBAY_DATA="/elsewhere",
    )

    telegram: Any = config.platforms["telegram"]
    assert telegram.token.get_secret_value() == "2:other"
    assert (config.http.host, config.http.port, config.limits.runs) == ("0.0.0.0", 9, 3)
    assert _agents(config)["claude-two"].model == "new"
    assert _agents(config)["fmt"].steps == (("ruff", "format"), ("ls", "{words}"))
    assert config.access.owners == (("telegram", "", "1"), ("slack", "T1", "U1"))
    assert config.access.developers == (Allowed("telegram", "", "2"),)
    assert (config.sandbox.mode, config.data) == ("off", Path("/elsewhere"))


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).write_text(f"secret-{name}\n")
    text = "telegram: {token: {file: one}}\nslack: {bot_token: x, app_token: y}\n"

    config = read(
        tmp_path,
        text,
        SLACK_BOT_TOKEN_FILE=str(tmp_path / "two"),
        PATCHBAY_SLACK__APP_TOKEN_FILE=str(tmp_path / "three"),
    )

    assert config.secrets() == ("secret-one", "secret-two", "secret-three")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("gpu", "http://gpu:11434"),
        ("gpu:80", "http://gpu:80"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        (":9000", "http://127.0.0.1:9000"),
        ("https://gpu/x/", "https://gpu/x"),
        ("[::1]:5", "http://[::1]:5"),
    ],
)
def test_the_ollama_host_is_read_as_ollama_reads_it(host: str, address: str) -> None:
    assert with_scheme(host) == address


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for environ, path in (({}, tmp_path / "no.yaml"), ({"PATCHBAY_CONFIG": "no.yaml"}, None)):
        with pytest.raises(BadConfigError, match=r"no\.yaml.*\n.*no such file"):
            load(path, environ, platforms=PLATFORMS, forges=FORGES, agents=AGENTS)


def test_the_data_folder_stands_beside_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, TELEGRAM).data == tmp_path / "data"
    assert read(tmp_path, TELEGRAM + "data: ../there").data == tmp_path / "../there"
    assert read(tmp_path, TELEGRAM + "data: /there").data == Path("/there")


def test_scalars_are_what_was_written(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "telegram: {token: 12e45}\nsandbox: off\nlanguage: no\n"
        "agents: {a: {type: command, steps: [[x, 5.10, 08:30, 0123, yes]], repeatable: true}}\n",
    )

    assert (config.sandbox.mode, config.language) == ("off", "no")
    assert config.secrets() == ("12e45",)
    assert _agents(config)["a"].steps == (("x", "5.10", "08:30", "0123", "yes"),)
    assert _agents(config)["a"].repeatable is True


# ------------------------------------------------------------------------------------------- mistakes


def test_all_mistakes_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    text = """\
telegram: {tokn: x, mode: pollin}
slack: {bot_token: {file: nowhere}, app_token: x}
access: {owners: [telegram:1, 55, "discord:1", "slack:@bob"]}
agents:
  claude:
    type: anthropic
    modle: x
  gpt: {type: opnai}
  bare: {model: x}
  fmt: {type: command, steps: [[ls]], seconds: -1}
  odd: 5
default_agent: clade
http: {port: 99999}
lgo: {level: info}
time_zone: Mars/One
database_url: mysql://x
"""

    found = complaints(tmp_path, text, PATCHBAY_HTTP__PROT="1", PATCHBAY_LOGG="x", SLACK_SIGNING_SECRET_FILE="gone")

    assert set(found) == {
        'telegram.tokn: unknown key; did you mean "token"? (line 1)',
        "telegram.mode: must be 'polling' or 'webhook', not \"pollin\" (line 1)",
        "telegram.token: missing; set it here or in TELEGRAM_BOT_TOKEN (line 1)",
        "slack.bot_token: cannot read nowhere: No such file or directory (line 2)",
        "SLACK_SIGNING_SECRET_FILE: cannot read gone: No such file or directory",
        'access.owners[1]: "55" names no platform; write telegram:55 (line 3)',
        'access.owners[2]: no platform "discord"; known here: telegram, slack, console (line 3)',
        'access.owners[3]: "slack:@bob" must end in an id: names can be changed and taken by others (line 3)',
        "agents.claude.model: missing (line 5)",
        'agents.claude.modle: unknown key; did you mean "model"? (line 7)',
        'agents.gpt.type: unknown; did you mean "openai"? (line 8)',
        "agents.bare.type: missing; one of anthropic, openai, ollama, command (line 9)",
        'agents.fmt.seconds: should be greater than 0, not "-1" (line 10)',
        "agents.odd: must hold a `type`: anthropic, openai, ollama, command (line 11)",
        'default_agent: no such agent; did you mean "claude"? (line 12)',
        'http.port: should be less than or equal to 65535, not "99999" (line 13)',
        'http.prot: unknown key; did you mean "port"? (PATCHBAY_HTTP__PROT)',
        'lgo: unknown key; did you mean "log"? (line 14)',
        'PATCHBAY_LOGG: unknown key; did you mean "log"?',
        'time_zone: no time zone "Mars/One"; write an IANA name such as Europe/Berlin or UTC (line 15)',
        f"database_url: {POSTGRES} (line 16)",
        *(each for each in found if each.startswith("slack.bot_token is empty")),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("telegram: {token: x}\ntelegram: {token: y}", "telegram: stands here twice; keep one (line 2)"),
        ("telegram:\n  token: x\n  token: y", "telegram.token: stands here twice; keep one (line 3)"),
        ("telegram: {token: x}\n  data: y", "is not YAML: "),
        ("telegram: [", "is not YAML: "),
        ("telegram: *nobody", "is not YAML: "),
        ("- a", "must be keys and values"),
        ("just words", "must be keys and values"),
        ("telegram: x", "telegram: must hold keys: token"),
        ("telegram: {token: !!python/object:os.system x}", 'telegram.token: the tag "tag:yaml.org,2002:python'),
        ("telegram: {token: !vault x}", 'telegram.token: the tag "!vault" is not known (line 1)'),
        ("telegram: {token: 'env:NOT_SET'}", "telegram.token: the environment variable NOT_SET is not set (line 1)"),
        ("telegram: {token: {fiel: x}}", "telegram.token: "),
        ("agents: [a]\ntelegram: {token: x}", "agents: must be names"),
        ("access: 5\ntelegram: {token: x}", "access: "),
        ("{? [a] : b, telegram: {token: x}}", "a key must be a word"),
        ("data: x", "no chat platform; add a section telegram"),
        ("", "no chat platform; add a section telegram"),
        ("a: \x01", "is not YAML: it holds characters that YAML forbids"),
        ("a: " + "[" * 20_000, "nested too deeply"),
        ("a: " + "[" * 60 + "]" * 60, "too many values or aliases"),
        ("a: &a [*a]", "too many values or aliases"),
    ],
)
def test_a_mistake_says_where_and_what(tmp_path: Path, text: str, said: str) -> None:
    found = complaints(tmp_path, text)

    assert any(each.startswith(said) or said in each for each in found), found


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    assert "too many values or aliases" in complaints(tmp_path, "\n".join(lines))[0]


def test_aliases_and_merges_serve_where_they_are_few(tmp_path: Path) -> None:
    text = TELEGRAM + ("agents:\n  one: &one {type: anthropic, model: m, seconds: 5}\n  two: {<<: *one, model: n}\n")

    agents = _agents(read(tmp_path, text))

    assert (agents["two"].model, agents["two"].seconds, agents["two"].type) == ("n", 5, "anthropic")


def test_a_mistake_never_shows_a_secret(tmp_path: Path) -> None:
    secret = f"s3cret-{uuid4().hex}"
    (tmp_path / "config.yaml").write_text("")
    for text in (
        f"telegram: {{token: [{secret}]}}",
        f"telegram: {{token: '{secret}', mode: x}}",
        f"telegram: {{token: '{secret}'",
        f"telegram: {{token: x}}\ndatabase_url: mysql://u:{secret}@h/d",
        f"agents: {{a: {{type: anthropic, api_key: {{a: '{secret}'}}}}}}",
    ):
        assert secret not in "\n".join(complaints(tmp_path, text))


@pytest.mark.parametrize("name", ["PATCHBAY_PORT", "PATCHBAY_SERVICE_HOST", "PATCHBAY_PORT_8080_TCP_ADDR"])
def test_what_kubernetes_puts_into_the_environment_is_no_mistake(name: str) -> None:
    assert read_environment(TELEGRAM_BOT_TOKEN="1:abc", **{name: "tcp://10.0.0.1:8080"}).http.port == 8080


def test_a_secret_is_set_once(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("1:abc")

    with pytest.raises(BadConfigError, match="TELEGRAM_BOT_TOKEN: set it or TELEGRAM_BOT_TOKEN_FILE, not both"):
        read_environment(TELEGRAM_BOT_TOKEN="1:abc", TELEGRAM_BOT_TOKEN_FILE="t")


@given(st.text(max_size=200))
def test_whatever_the_file_holds_it_is_read_or_complained_about(text: str) -> None:
    from bot.config.document import parse_document  # noqa: PLC0415 - the pure door

    with suppress(BadConfigError):
        assert isinstance(parse_document(text, "it").tree, dict)


# ----------------------------------------------------------------------------------------------- shown


def test_what_is_shown_holds_no_secret_and_can_be_read_again(tmp_path: Path) -> None:
    secret, password = f"tok-{uuid4().hex}", f"pw-{uuid4().hex}"
    config = read_environment(
        TELEGRAM_BOT_TOKEN=secret,
        ANTHROPIC_API_KEY=secret,
        DATABASE_URL=f"postgres://me:{password}@db/x",
        PATCHBAY_ACCESS__OWNERS="slack:T1/U1",
    )

    shown = show(config)

    assert secret not in shown
    assert password not in shown
    assert secret not in repr(config)
    assert password not in repr(config)
    assert set(config.secrets()) == {secret, password}
    again = read(tmp_path, shown)
    assert again.access == config.access
    assert set(again.agents) == set(config.agents)


def test_the_schema_knows_every_section_and_both_ways_to_write_a_secret() -> None:
    made = schema(platforms=PLATFORMS, forges=FORGES, agents=AGENTS)

    assert {*Own.model_fields, *PLATFORMS, *FORGES, "agents"} == set(made["properties"])
    token = made["$defs"]["TelegramConfig"]["properties"]["token"]
    assert {each["type"] for each in token["anyOf"]} == {"string", "object"}
    assert made["additionalProperties"] is False


# --------------------------------------------------------------------------------- files and odd values


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"# " + b"x" * (1 << 20), "larger than 1048576 bytes"),
        (b"\xef\xbb\xbftelegram: {token: x", "is not YAML"),
    ],
)
def test_a_file_that_is_no_text_is_told(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(raw)

    with pytest.raises(BadConfigError, match=said):
        load(path, {}, platforms=PLATFORMS, forges=FORGES, agents=AGENTS)


def test_odd_values_of_the_environment_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")

    found = complaints(
        tmp_path,
        TELEGRAM + "github: {token: {file: empty}}\nslack: 5\nagents: 7\n",
        PATCHBAY_ACCESS__OWNERS="[a, b",
        PATCHBAY_LIMITS__RUNS_FILE=str(tmp_path / "empty"),
        ANTHROPIC_API_KEY="k",
    )

    assert any(each.startswith("PATCHBAY_ACCESS__OWNERS: is not YAML") for each in found)
    assert any(each.startswith("PATCHBAY_LIMITS__RUNS_FILE: ") and "is empty" in each for each in found)
    assert any(each.startswith("github.token: empty is empty") for each in found)
    assert any(each.startswith("slack: must hold keys") for each in found)
    assert any(each.startswith("agents: must be names") for each in found)


def test_a_section_of_the_file_that_is_no_section_gives_way_to_the_environment(tmp_path: Path) -> None:
    config = read(tmp_path, TELEGRAM + "http: 5\n", PATCHBAY_HTTP__PORT="81", PATCHBAY_LANGUAGE="")

    assert (config.http.port, config.language) == (81, "en")


class Nested(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: dict[str, SecretStr] = {}
    spare: list[SecretStr] = []
    inner: AccessSection = AccessSection()


class Kind:
    config = Nested


def test_secrets_may_stand_in_lists_and_mappings_of_any_adapter(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("from-file")
    path = tmp_path / "config.yaml"
    path.write_text("chat: {keys: {a: {file: s}, b: env:B}, spare: [plain-one, env:B], inner: {viewers: [chat:1]}}")

    config = load(path, {"B": "from-environment"}, platforms={"chat": Kind()}, forges={}, agents={})

    assert config.secrets() == ("from-file", "from-environment", "plain-one")
    shown = yaml.safe_load(show(config))["chat"]
    assert shown == {
        "keys": {"a": "(set)", "b": "(set)"},
        "spare": ["(set)"] * 2,
        "inner": {**{key: [] for key in AccessSection.model_fields}, "viewers": ["chat:1"]},
    }


def test_an_unknown_key_deep_inside_finds_its_likely_word(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("chat: {inner: {veiwers: []}, spare: [[x]]}")

    with pytest.raises(BadConfigError) as caught:
        load(path, {}, platforms={"chat": Kind()}, forges={}, agents={})

    assert 'chat.inner.veiwers: unknown key; did you mean "viewers"? (line 1)' in str(caught.value)
    assert "chat.spare[0]: should be a valid string (line 1)" in str(caught.value)
