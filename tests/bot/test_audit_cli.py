"""`patchbay audit`: whole, changed, cut off; and the export that no spreadsheet runs."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
from pathlib import Path

import pytest

from adapters.audit import CheckpointFile, KeySigner, is_signed, read_checkpoints
from adapters.secrets.keys import KeyFile
from adapters.store import DatabaseStore
from adapters.system import SystemClock
from bot.audit_cli import FIELDS, unformula
from core.audit.checkpoints import Checkpoints
from core.model.chat import ThreadRef
from core.model.errors import BotError
from core.model.work import Link, ProjectKey
from tests.bot.cli_door import Said, new_token, patchbay, running_elsewhere, write


@pytest.fixture
def configured(here: Path) -> Path:
    write(here / "config.yaml", "telegram: {token: 'env:T'}\n")
    asyncio.run(_act(here, 5))
    return here


def audit(*words: str) -> Said:
    return patchbay("audit", *words, T=new_token())


async def _act(here: Path, count: int, *, signs: bool = True) -> None:
    store = DatabaseStore(None, here / "data")
    await store.open()
    try:
        for number in range(count):
            await store.put_link(Link(ThreadRef("slack", "T1", "C1"), ProjectKey(f"P{number}")))
        file = CheckpointFile(here / "patchbay.checkpoints")
        signer = KeySigner(KeyFile(here / "patchbay-audit.key"))
        if signs:
            assert await Checkpoints(store, signer, file.keep, SystemClock()).look()
    finally:
        await store.close()


def _tamper(here: Path, *statements: str) -> None:
    """As somebody with the file, who drops the triggers first."""
    with sqlite3.connect(here / "data" / "patchbay.db") as db:
        for name in ("update", "delete"):
            db.execute(f"DROP TRIGGER audit_no_{name}")
        for each in statements:
            db.execute(each)
    db.close()


def test_a_whole_chain_is_said_to_be_whole_while_the_bot_runs(configured: Path) -> None:
    with running_elsewhere(configured):
        said = audit("verify")

    assert (said.code, said.out) == (0, "The audit is whole: 5 entries, 1 checkpoints, the last at entry 5.\n")


def test_without_checkpoints_it_is_said_that_the_end_is_not_proved(configured: Path) -> None:
    (configured / "patchbay.checkpoints").unlink()

    assert "so its end is not proved" in audit("verify").out


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit SET who = 'nobody' WHERE seq = 3", "Entry 3 was changed."),
        ("DELETE FROM audit WHERE seq = 2", "Entry 3 stands where 2 should."),
        ("DELETE FROM audit WHERE seq > 3", "Entry 5 is missing"),
        ("DELETE FROM audit", "Entry 5 is missing"),
    ],
)
def test_what_was_done_to_it_is_told(configured: Path, statement: str, words: str) -> None:
    _tamper(configured, statement)
    said = audit("verify")

    assert said.code == 1
    assert said.out.startswith("The audit is NOT whole:")
    assert words in said.out


def test_a_checkpoint_signed_by_another_key_is_told(configured: Path) -> None:
    (configured / "patchbay-audit.key").unlink()
    said = audit("verify")

    assert said.code == 1
    assert "not signed by this bot's key" in said.out


def test_checkpoints_and_key_may_be_kept_elsewhere(configured: Path) -> None:
    key = KeySigner(KeyFile(configured / "patchbay-audit.key")).public()
    (configured / "patchbay.checkpoints").rename(configured / "kept")
    (configured / "patchbay-audit.key").unlink()

    assert audit("verify", "--checkpoints", "kept", "--key", key).code == 0
    assert audit("verify", "--checkpoints", "kept", "--key", key[::-1]).code == 1
    assert audit("verify", "--checkpoints", "none").code == 2


def test_many_mistakes_are_told_in_short(configured: Path) -> None:
    asyncio.run(_act(configured, 30, signs=False))
    _tamper(configured, "UPDATE audit SET what = 'x'")

    assert "… and 15 more" in audit("verify").out


def test_the_export_has_every_field_in_both_forms(configured: Path) -> None:
    lines = [json.loads(each) for each in audit("export").out.splitlines()]
    table = list(csv.DictReader(audit("export", "--format", "csv").out.splitlines()))

    assert [tuple(each) for each in lines] == [FIELDS] * 5
    assert [each["result"] for each in table] == [f"P{number}" for number in range(5)]
    assert [each["hash"] for each in table] == [each["hash"] for each in lines]
    assert audit("export", "--since", "2999-01-01").out == ""
    assert len(audit("export", "--since", "2000-01-01T00:00+02:00").out.splitlines()) == 5
    assert audit("export", "--since", "soon").code == 2


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(sign: str) -> None:
    assert unformula(f"{sign}1+1") == f"'{sign}1+1"
    assert unformula(f"a{sign}") == f"a{sign}"


def test_a_signature_holds_for_what_was_signed_alone(configured: Path) -> None:
    (made,) = read_checkpoints(configured / "patchbay.checkpoints")

    assert is_signed(made, made.key)
    assert not is_signed(type(made)(made.seq - 1, made.hash, made.at, made.key, made.signature), made.key)
    assert not is_signed(made, "no key")


def test_a_line_that_a_crash_cut_is_left_out_and_another_is_told(configured: Path, tmp_path: Path) -> None:
    file = configured / "patchbay.checkpoints"
    whole = file.read_text()
    file.write_text(f"{whole}{whole[:40]}")
    assert len(read_checkpoints(file)) == 1
    file.write_text(f"{whole[:40]}\n{whole}")
    with pytest.raises(BotError, match="line 1 is no checkpoint"):
        read_checkpoints(file)
    with pytest.raises(BotError, match="could not be written"):
        asyncio.run(CheckpointFile(tmp_path / "none" / "x").keep(read_checkpoints(write(tmp_path / "w", whole))[0]))
