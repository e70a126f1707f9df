"""The file of keys: for its owner alone, whole whenever it is cut, and no other is made while it is needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.secrets.keys import GivenKeys, KeyFile, new_key
from core.model.errors import SecretsLocked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "patchbay.key"


def test_the_first_key_is_made_for_its_owner_alone(path: Path) -> None:
    keys = KeyFile(path)
    assert keys.load() == ()
    made = keys.make()

    assert keys.load() == (made,)
    assert keys.make() == made, "once"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o660, 0o666, 0o644])
def test_a_file_that_lies_open_to_others_is_refused(path: Path, mode: int) -> None:
    KeyFile(path).make()
    path.chmod(mode)
    with pytest.raises(SecretsLocked, match="chmod 600"):
        KeyFile(path).load()
    path.chmod(0o400)

    assert KeyFile(path).load()


def test_a_link_or_a_folder_is_no_key_file(path: Path, tmp_path: Path) -> None:
    KeyFile(tmp_path / "real").make()
    path.symlink_to(tmp_path / "real")
    with pytest.raises(SecretsLocked, match="cannot be read"):
        KeyFile(path).load()
    path.unlink()
    path.mkdir(mode=0o700)
    with pytest.raises((SecretsLocked, IsADirectoryError)):
        KeyFile(path).load()


def test_what_is_no_key_is_told_by_its_number_and_not_quoted(path: Path) -> None:
    KeyFile(path).save([new_key(), "hush hush"])
    with pytest.raises(SecretsLocked, match=r"Key 2 in .*patchbay.key is none") as failed:
        KeyFile(path).load()

    assert "hush" not in str(failed.value)


def test_a_draft_that_a_kill_left_is_in_nobodys_way(path: Path) -> None:
    path.with_name("patchbay.key.new").write_text("half")
    made = KeyFile(path).make()

    assert KeyFile(path).load() == (made,)
    assert not path.with_name("patchbay.key.new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_told_with_the_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SecretsLocked, match="key_file"):
        KeyFile(tmp_path / "patchbay.key").make()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SecretsLocked, match="no folder"):
        KeyFile(tmp_path / "none" / "patchbay.key").make()
    with pytest.raises(SecretsLocked, match="key_file"):
        KeyFile(tmp_path / "none" / "patchbay.key").save([new_key()])


def test_given_keys_are_read_in_order(path: Path) -> None:
    one, two = new_key(), new_key()

    assert GivenKeys(f"{one}, {two}").load() == (one, two)
    assert GivenKeys(one).place == "secrets.key"
    with GivenKeys(one).locked():
        GivenKeys(f"{one},{two}").save([one])
