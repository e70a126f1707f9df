"""AWS Secrets Manager, as moto plays it over HTTP: what is read there, what is wrong there, and what is asked of it."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from adapters.secrets.aws import ACTIONS, fetch
from bot.config import BadConfigError, Config
from bot.tables import load_config
from core.model.errors import ConfigError
from tests.bot.cli_door import new_token

ROOT = Path(__file__).parents[2]


class Aws:
    def __init__(self, address: str, asked: list[str]) -> None:
        self.asked = asked
        """The operations, as AWS names them."""
        self.environ = {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": address,
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": uuid4().hex,
        }
        self._client = boto3.client(
            "secretsmanager",
            endpoint_url=address,
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def keep(self, value: str | bytes) -> str:
        name = f"patchbay/{uuid4().hex}"
        what = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": value}
        self._client.create_secret(Name=name, **what)
        self.asked.clear()
        return name

    def delete(self, name: str) -> None:
        self._client.delete_secret(SecretId=name)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    asked: list[str] = []
    moto = DomainDispatcherApplication(create_backend_app)

    def spied(environ: dict[str, str], start: object) -> object:
        asked.append(environ.get("HTTP_X_AMZ_TARGET", ""))
        return moto(environ, start)

    server = make_server("127.0.0.1", 0, spied, threaded=True)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Aws(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def config(path: Path, text: str, environ: Mapping[str, str]) -> Config:
    path.write_text(text)
    return load_config(path, environ)


def test_words_come_from_aws(aws: Aws) -> None:
    value = uuid4().hex

    assert fetch(aws.keep(f"{value}\n"), aws.environ) == value


def test_only_what_the_policy_allows_is_asked(aws: Aws) -> None:
    fetch(aws.keep("value"), aws.environ)

    policy = (ROOT / "docs/aws.md").read_text()
    first = json.loads(re.findall(r"```json\n(.*?)```", policy, re.DOTALL)[0])
    assert [each.rpartition(".")[2] for each in aws.asked] == ["GetSecretValue"]
    assert tuple(first["Statement"][0]["Action"]) == ACTIONS == ("secretsmanager:GetSecretValue",)


def test_what_is_wrong_is_said_and_never_what_is_kept(aws: Aws) -> None:
    deleted = aws.keep("value")
    aws.delete(deleted)
    for name, words in (
        ("patchbay/none", "there is no secret patchbay/none"),
        (deleted, "marked for deletion"),
        (aws.keep(b"\0"), "holds no words"),
    ):
        with pytest.raises(ConfigError, match=words):
            fetch(name, aws.environ)


def test_an_aws_that_is_not_there_is_said(aws: Aws) -> None:
    with pytest.raises(ConfigError, match="was not reached"):
        fetch("x", {**aws.environ, "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9"})


def test_credentials_of_a_section_come_from_one_secret(aws: Aws, tmp_path: Path) -> None:
    token, telegram = uuid4().hex, new_token()
    name = aws.keep(json.dumps({"token": token, "username": "bot-of-us", "email": "bot@example.com"}))
    text = f"telegram: {{token: 'aws:{aws.keep(telegram)}'}}\ngithub: {{from: 'aws:{name}', api_base: 'http://x'}}\n"
    read = config(tmp_path / "config.yaml", text, aws.environ)

    github = read.forges["github"].model_dump()
    assert github["token"].get_secret_value() == token
    assert (github["username"], github["email"]) == ("bot-of-us", "bot@example.com")
    assert read.platforms["telegram"].model_dump()["token"].get_secret_value() == telegram
    assert {token, telegram} <= set(read.secrets())
    assert len(aws.asked) == 2, "each is asked for once"


def test_a_field_of_a_secret_is_one_value(aws: Aws, tmp_path: Path) -> None:
    name = aws.keep(json.dumps({"token": "1:abc", "key": "k"}))
    read = config(tmp_path / "c.yaml", f"telegram: {{token: 'aws:{name}#token'}}", aws.environ)

    assert read.platforms["telegram"].model_dump()["token"].get_secret_value() == "1:abc"


@pytest.mark.parametrize("text", ["no JSON, but a secret", '["list"]', '{"token": 1}'])
def test_what_is_no_object_of_words_is_a_mistake_that_quotes_nothing(aws: Aws, tmp_path: Path, text: str) -> None:
    name = aws.keep(text)
    with pytest.raises(BadConfigError) as failed:
        config(tmp_path / "c.yaml", f"github: {{from: 'aws:{name}'}}\nconsole: {{}}", aws.environ)

    assert "github.from: what is kept there must be a JSON object" in str(failed.value)
    assert "secret" not in str(failed.value).replace("secrets", "")


@pytest.mark.parametrize("origin", ["env", "file"])
def test_credentials_of_a_section_from_the_environment_or_a_file(tmp_path: Path, origin: str) -> None:
    token = uuid4().hex
    found = json.dumps({"token": token, "repository": "owner/name"})
    (tmp_path / "github.json").write_text(found)
    said = "env:GITHUB_ALL" if origin == "env" else "{file: github.json}"
    text = f"github: {{from: {said}, repository: our/own}}\nconsole: {{}}"
    read = config(tmp_path / "c.yaml", text, {"GITHUB_ALL": found})

    github = read.forges["github"].model_dump()
    assert github["token"].get_secret_value() == token
    assert github["repository"] == "our/own", "what is written wins"
