"""`patchbay secrets`, as a person uses it, also while a bot runs on the same database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.secrets import Redactor
from adapters.secrets.keys import KeyFile, key_id, new_key
from adapters.secrets.vault import Vault
from adapters.store import DatabaseStore
from adapters.system import SystemClock
from core.model.chat import Person
from core.model.secrets import of_bot, of_person, of_project
from core.model.work import ProjectKey
from tests.bot.cli_door import Said, new_token, patchbay, running_elsewhere, write


@pytest.fixture
def configured(here: Path) -> Path:
    write(here / "config.yaml", "telegram: {token: 'env:T'}\n")
    return here


def secrets(*words: str, stdin: str | None = None, **environ: str) -> Said:
    return patchbay("secrets", *words, stdin=stdin, T=new_token(), **environ)


def kept(here: Path, *keys: str) -> dict[str, str | None]:
    async def read() -> dict[str, str | None]:
        store = DatabaseStore(None, here / "data")
        await store.open()
        try:
            vault = Vault(store, KeyFile(here / "patchbay.key"), Redactor(), SystemClock().now)
            return {f"{row.ref.scope} {row.ref.name}": await vault.get(row.ref) for row in await store.all_sealed()}
        finally:
            await store.close()

    return asyncio.run(read())


def test_a_secret_is_set_listed_and_forgotten(configured: Path) -> None:
    value = uuid4().hex
    assert secrets("list").out == "No secrets are kept.\n"
    assert secrets("set", "TOKEN", stdin=f"{value}\n").out == "Kept: TOKEN (bot).\n"
    listed = secrets("list")

    assert listed.code == 0
    assert "bot  TOKEN  made 20" in listed.out
    assert "used never" in listed.out
    assert f"Sealed with the key {key_id(KeyFile(configured / 'patchbay.key').load()[0])}, from " in listed.out
    assert value not in listed.out
    assert kept(configured) == {"bot TOKEN": value}
    assert secrets("forget", "TOKEN").out == "Forgotten: TOKEN (bot).\n"
    assert secrets("forget", "TOKEN").err.startswith("No secret `TOKEN` is kept")


def test_secrets_of_projects_and_people(configured: Path) -> None:
    secrets("set", "A", "--project", "demo", stdin="value of demo")
    secrets("set", "A", "--person", "slack:T1/U1", stdin="value of Anna")

    assert of_project(ProjectKey("DEMO"), "A").scope == "project:DEMO"
    assert of_person(Person("slack", "T1", "U1"), "A").scope == "person:slack:T1:U1"
    assert kept(configured) == {"person:slack:T1:U1 A": "value of Anna", "project:DEMO A": "value of demo"}
    assert of_bot("A").scope == "bot"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "1X"), "cannot be the name"),
        (("set", "X", "--project", "A", "--person", "slack:T/U"), "not both"),
        (("set", "X", "--person", "anna"), "is no person"),
        (("set", "X", "--person", "slack:T1/"), "is no person"),
        (("forget",), "Say which one, or --all"),
        (("forget", "X", "--all"), "Say which one, or --all"),
        (("set", "X"), "less than 6 characters"),
    ],
)
def test_what_is_wrong_is_said(configured: Path, words: tuple[str, ...], said: str) -> None:
    answer = secrets(*words, stdin="abc")

    assert answer.code == 2
    assert said in answer.err


def test_the_key_stands_beside_the_configuration_and_not_in_the_data(configured: Path) -> None:
    secrets("set", "TOKEN", stdin="a secret value")

    assert (configured / "patchbay.key").stat().st_mode & 0o777 == 0o600
    assert not list((configured / "data").rglob("*.key"))


def test_without_a_file_the_key_stands_beside_the_data(here: Path) -> None:
    said = patchbay("secrets", "set", "X", stdin="a secret value", TELEGRAM_BOT_TOKEN=new_token())

    assert said.code == 0, said.err
    assert (here / "patchbay.key").exists()


def test_keys_are_exchanged_while_a_bot_has_the_database(configured: Path) -> None:
    secrets("set", "TOKEN", stdin="a secret value")
    (old,) = KeyFile(configured / "patchbay.key").load()
    with running_elsewhere(configured):
        said = secrets("rotate")
        listed = secrets("list")

    (new,) = KeyFile(configured / "patchbay.key").load()
    assert said.out.startswith(f"1 secrets are sealed with the key {key_id(new)} now")
    assert new != old
    assert listed.code == 0
    assert kept(configured) == {"bot TOKEN": "a secret value"}


def test_a_given_key_is_exchanged_by_hand(configured: Path) -> None:
    old, new = new_key(), secrets("new-key").out.strip()
    secrets("set", "TOKEN", stdin="a secret value", PATCHBAY_SECRETS__KEY=old)
    assert not (configured / "patchbay.key").exists()
    assert "Put a new one" in secrets("rotate", PATCHBAY_SECRETS__KEY=old).err
    said = secrets("rotate", PATCHBAY_SECRETS__KEY=f"{new},{old}")

    assert said.out.endswith("Now take the older keys out of secrets.key.\n")
    assert "TOKEN" in secrets("list", PATCHBAY_SECRETS__KEY=new).out


def test_a_lost_key_is_told_and_all_can_be_forgotten(configured: Path) -> None:
    secrets("set", "TOKEN", stdin="a secret value")
    (configured / "patchbay.key").unlink()

    lost = secrets("set", "OTHER", stdin="a secret value")
    assert lost.code == 2
    assert "put the right key back there" in lost.err
    assert "TOKEN" in secrets("list").out, "nothing is lost"
    assert secrets("forget", "--all").out.startswith("Forgotten: 1.")
    assert secrets("set", "OTHER", stdin="a secret value").code == 0


def test_a_key_and_a_file_of_keys_are_a_mistake(configured: Path) -> None:
    write(configured / "config.yaml", "console: {}\nsecrets: {key: abc, key_file: x.key}\n")

    assert "give one of them" in secrets("list").err
