"""Backup of a bot that writes meanwhile, and restore: what was acknowledged is there, and nothing is written over."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import bot.backup as backup_module
from adapters.engine.database import FILE as ENGINE_FILE
from adapters.store import DatabaseStore
from adapters.store.database import FILE_NAME as STORE_FILE
from bot.backup import LABEL, STAGE, backup, restore
from bot.config import Config
from core.model.errors import BotError
from tests.bot.cli_door import patchbay, write
from tests.databases import sqlite_store
from tests.repositories import commit, git, make_bare, make_repository

ROOT = Path(__file__).parents[2]


@contextmanager
def writing(*words: str) -> Iterator[list[str]]:
    """A process that says what it has committed; killed at the end."""
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        stdout = process.stdout
        reader = threading.Thread(target=lambda: said.extend(iter(stdout.readline, "")))
        reader.start()
        try:
            yield said
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            reader.join(10)


def wait_for(claim: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not claim():
        assert time.monotonic() < until
        time.sleep(0.01)


async def _known(data: Path) -> tuple[set[str], set[str]]:
    store = DatabaseStore(None, data)
    await store.open()
    try:
        return {each.key for each in await store.unsettled()}, {str(each.key) for each in await store.unsent()}
    finally:
        await store.close()


def test_nothing_that_was_acknowledged_before_is_missing(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "b.tar.gz"
    data.mkdir()
    with writing("-m", "tests.contracts.killed_store", "", str(data), "busy") as said:
        wait_for(lambda: len(said) > 300)
        acknowledged = list(said)
        made = backup(Config(data=data), file)
        meanwhile = len(said)

    assert restore(file, tmp_path / "new") == [STORE_FILE]

    arrivals, posts = asyncio.run(_known(tmp_path / "new"))
    words = [line.split() for line in acknowledged if line.strip() != "open"]
    assert made.has_database
    assert meanwhile > len(acknowledged), "it wrote on"
    assert {key for kind, key in words if kind == "arrival"} <= arrivals
    assert {key for kind, key in words if kind == "post"} <= posts


@pytest.mark.parametrize("first", ["engine", "store"])
def test_both_databases_are_of_one_moment(tmp_path: Path, first: str) -> None:
    """Whichever is written first may be one step ahead, as after a crash, and the other never."""
    data = tmp_path / "data"
    data.mkdir()
    with writing(str(ROOT / "tests/bot/engine_and_store.py"), str(data), first) as said:
        wait_for(lambda: len(said) > 20)
        for number in range(10):
            begun = int(said[-1])
            backup(Config(data=data), tmp_path / f"{number}.tar.gz")

            restore(tmp_path / f"{number}.tar.gz", tmp_path / str(number))

            newest = {name: _newest(tmp_path / str(number) / name) for name in (ENGINE_FILE, STORE_FILE)}
            ahead = newest[ENGINE_FILE] - newest[STORE_FILE]
            assert min(newest.values()) >= begun
            assert ahead in ((0, 1) if first == "engine" else (0, -1))


def test_where_the_engine_is_never_quiet_the_store_is_the_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setattr(backup_module, "PIN_TRIES", 1)
    with writing(str(ROOT / "tests/bot/engine_and_store.py"), str(data), "store") as said:
        wait_for(lambda: len(said) > 20)
        for number in range(10):
            begun = int(said[-1])
            backup(Config(data=data), tmp_path / f"{number}.tar.gz")
            restore(tmp_path / f"{number}.tar.gz", tmp_path / str(number))

            assert (
                begun <= _newest(tmp_path / str(number) / ENGINE_FILE) <= _newest(tmp_path / str(number) / STORE_FILE)
            )


def _newest(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        return int(file.execute("SELECT MAX(number) FROM numbers").fetchone()[0])


def test_repositories_are_whole_though_they_are_pushed_to_and_tidied_meanwhile(tmp_path: Path) -> None:
    data = tmp_path / "data"
    asyncio.run(_make(data))
    bare = make_bare(data / "forge" / "DEMO.git", {"a.txt": "0"})
    source = make_repository(tmp_path / "source", {"b.txt": "0"})
    over = threading.Event()
    pushed: list[int] = []

    def push() -> None:
        number = 0
        while not over.is_set():
            number += 1
            commit(source, {f"{number}.txt": str(number)})
            git(source, "push", "--quiet", str(bare), f"HEAD:refs/heads/b{number}", "HEAD:refs/heads/tip", "--force")
            if number % 3 == 0:
                git(bare, "gc", "--quiet", "--prune=now")
            pushed.append(number)

    pusher = threading.Thread(target=push)
    pusher.start()
    try:
        for number in range(8):
            wait_for(lambda: len(pushed) > 3 * number)  # noqa: B023 - called at once
            known = pushed[-1] if pushed else 0
            backup(Config(data=data), tmp_path / f"{number}.tar.gz")
            restore(tmp_path / f"{number}.tar.gz", tmp_path / str(number))

            copy = tmp_path / str(number) / "forge" / "DEMO.git"
            git(copy, "fsck", "--strict")
            assert git(copy, "show", "main:a.txt") == "0"
            if known:
                assert git(copy, "show", f"b{known}:{known}.txt") == str(known)
    finally:
        over.set()
        pusher.join(30)


MOMENTS = {
    "a push before the references": ("/refs", ["push"]),
    "a push before the objects": ("/objects", ["push"]),
    "a push before the packs": ("/objects/pack", ["push"]),
    "references packed before they are read": ("/refs", ["pack-refs --all"]),
    "references packed before one is read": ("/refs/heads/other", ["pack-refs --all"]),
    "loose objects packed before they are read": ("/objects", ["repack -a -d -q"]),
    "loose objects packed while they are read": ("/objects/[0-9a-f]{2}", ["repack -a -d -q"]),
    "a pack replaced before it is read": (r"\.pack", ["push", "repack -a -d -q"]),
    "an index replaced before it is read": (r"\.idx", ["push", "repack -a -d -q"]),
}


@pytest.mark.parametrize(("at", "acts"), MOMENTS.values(), ids=MOMENTS)
def test_a_repository_is_whole_whatever_happens_between_two_of_its_files(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, at: str, acts: list[str]
) -> None:
    bare = make_bare(data / "forge" / "DEMO.git", {"a.txt": "0"})
    source = make_repository(tmp_path / "source", {"b.txt": "0"})
    git(source, "push", "--quiet", str(bare), "HEAD:refs/heads/other")
    git(bare, "repack", "-a", "-d", "-q")
    git(source, "push", "--quiet", str(bare), f"{commit(source, {'c.txt': '0'})}:refs/heads/other")
    add, left = backup_module._add_entry, list(acts)

    def add_entry(tar: tarfile.TarFile, entry: os.DirEntry[str], name: str) -> int:
        if name.startswith("data/forge/DEMO.git/") and re.search(f"{at}$", name):
            while left:
                act = left.pop(0)
                new = commit(source, {"d.txt": str(len(left))})
                words = ["push", "-q", str(bare), f"{new}:refs/heads/other"] if act == "push" else act.split()
                git(source if act == "push" else bare, *words)
        return add(tar, entry, name)

    monkeypatch.setattr(backup_module, "_add_entry", add_entry)
    backup(Config(data=data), tmp_path / "b.tar.gz")
    restore(tmp_path / "b.tar.gz", tmp_path / "new")

    copy = tmp_path / "new" / "forge" / "DEMO.git"
    assert not left, "it happened"
    git(copy, "fsck", "--strict")
    assert git(copy, "show", "main:a.txt") == "0"
    assert git(copy, "show", "other:c.txt") == "0"


async def _make(data: Path) -> None:
    async with sqlite_store(data):
        pass


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Of a bot that has stopped."""
    made = tmp_path / "data"
    asyncio.run(_make(made))
    return made


def test_everything_comes_back_but_locks_links_and_checkouts(tmp_path: Path, data: Path) -> None:
    kept = ("sessions/a-1.json", "src/uv.lock", "forge/DEMO.git/hooks/x", "workspaces/DEMO/git/HEAD", "console.journal")
    locks = ("forge/DEMO.git/refs/heads/main.lock", "workspaces/DEMO/git/packed-refs.lock", "src/.git/index.lock")
    for name in (*kept, *locks, "workspaces/DEMO/runs/r-1/tree/secret"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    (data / "forge/DEMO.git/refs/tags").mkdir(parents=True)
    (data / "forge/DEMO.git/hooks/x").chmod(0o755)
    (data / "sessions/link").symlink_to("/etc/passwd")
    os.mkfifo(data / "sessions/pipe")

    made = backup(Config(data=data), tmp_path / "b.tar.gz")
    restore(tmp_path / "b.tar.gz", tmp_path / "new")

    new = tmp_path / "new"
    found = {str(path.relative_to(new)) for path in new.rglob("*") if not path.is_dir()}
    assert found == {*kept, STORE_FILE}
    assert made.files == len(found)
    assert all((new / name).read_text() == name for name in kept)
    assert (new / "forge/DEMO.git/refs/tags").is_dir()
    assert os.access(new / "forge/DEMO.git/hooks/x", os.X_OK)
    for path in (new, *new.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_file_is_its_owners_alone_and_no_draft_is_left(tmp_path: Path, data: Path) -> None:
    before = os.umask(0)
    try:
        backup(Config(data=data), tmp_path / "b.tar.gz")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "b.tar.gz").stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b.tar.gz", "data"]


def test_a_bot_whose_database_is_elsewhere_has_its_folder_taken(tmp_path: Path, data: Path) -> None:
    (data / "sessions").mkdir()
    (data / "sessions" / "a.json").write_text("{}")

    made = backup(Config(data=data, database_url="postgres://db/x"), tmp_path / "b.tar.gz")

    assert not made.has_database
    assert restore(tmp_path / "b.tar.gz", tmp_path / "new") == []
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["sessions"]


# ------------------------------------------------------------------------------------------- refusals


def test_nothing_is_written_over(tmp_path: Path, data: Path) -> None:
    file = tmp_path / "b.tar.gz"
    backup(Config(data=data), file)
    before = file.read_bytes()

    with pytest.raises(BotError, match="is there already"):
        backup(Config(data=data), file)
    with pytest.raises(BotError, match="not an empty folder"):
        restore(file, data)
    with pytest.raises(BotError, match="not an empty folder"):
        restore(file, file)

    assert file.read_bytes() == before


def test_a_place_without_sense_is_refused_with_the_reason(tmp_path: Path, data: Path) -> None:
    with pytest.raises(BotError, match="nothing to back up"):
        backup(Config(data=tmp_path / "nowhere"), tmp_path / "b.tar.gz")
    with pytest.raises(BotError, match="inside the data folder"):
        backup(Config(data=data), data / "b.tar.gz")
    with pytest.raises(BotError, match="No such file"):
        backup(Config(data=data), tmp_path / "no" / "b.tar.gz")
    with pytest.raises(BotError, match="No such file"):
        restore(tmp_path / "nothing.tar.gz", tmp_path / "new")


def test_a_damaged_database_is_no_backup(tmp_path: Path, data: Path) -> None:
    content = bytearray((data / STORE_FILE).read_bytes())
    content[4096:12000] = b"\xff" * (12000 - 4096)
    (data / STORE_FILE).write_bytes(content)

    with pytest.raises(BotError, match=r"damaged|could not be copied"):
        backup(Config(data=data), tmp_path / "b.tar.gz")

    assert [each.name for each in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_half_a_backup_restores_nothing(tmp_path: Path, data: Path, share: float) -> None:
    file = tmp_path / "b.tar.gz"
    backup(Config(data=data), file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(BotError, match="damaged"):
        restore(file, tmp_path / "new")

    assert list((tmp_path / "new").iterdir()) == []


def test_a_byte_that_has_changed_on_the_disk_is_noticed(tmp_path: Path, data: Path) -> None:
    file = tmp_path / "b.tar.gz"
    backup(Config(data=data), file)
    whole = file.read_bytes()
    for place in range(10, len(whole), len(whole) // 40):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])

        with pytest.raises(BotError):
            restore(file, tmp_path / "new")

        assert list((tmp_path / "new").iterdir()) == []


def _archive(file: Path, *members: tarfile.TarInfo, label: bytes = b'{"format": 1, "databases": []}') -> Path:
    with tarfile.open(file, "w:gz") as tar:
        first = tarfile.TarInfo(LABEL)
        first.size = len(label)
        tar.addfile(first, io.BytesIO(label))
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return file


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


HOSTILE = {
    "above": _member("data/../../above"),
    "absolute": _member("/etc/above"),
    "top": _member("data"),
    "beside": _member("other/x"),
    "dot": _member("data/./x"),
    "nothing": _member("data//x"),
    "symlink": _member("data/x", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": _member("data/x", tarfile.LNKTYPE, "/etc/passwd"),
    "device": _member("data/x", tarfile.CHRTYPE),
    "pipe": _member("data/x", tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("member", HOSTILE.values(), ids=HOSTILE)
def test_what_no_backup_holds_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    file = _archive(tmp_path / "b.tar.gz", member)

    with pytest.raises(BotError, match="no backup of Patchbay holds"):
        restore(file, tmp_path / "new")

    assert list((tmp_path / "new").iterdir()) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b.tar.gz", "new"]


@pytest.mark.parametrize("label", [b"{}", b"[]", b'{"format": 2, "databases": []}', b"\xff", b'{"format": 1}'])
def test_a_label_of_another_kind_is_refused(tmp_path: Path, label: bytes) -> None:
    with pytest.raises(BotError, match=r"no backup"):
        restore(_archive(tmp_path / "b.tar.gz", label=label), tmp_path / "new")


def test_other_files_are_no_backups(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "packed").write_bytes(gzip.compress(b"hello" * 1000))
    with tarfile.open(tmp_path / "tar", "w:gz") as tar:
        tar.addfile(_member("data/x"))

    for name in ("text", "packed", "tar"):
        with pytest.raises(BotError, match="no backup"):
            restore(tmp_path / name, tmp_path / "new")


def test_a_database_that_is_missing_or_damaged_inside_restores_nothing(tmp_path: Path) -> None:
    info = _member(f"data/{STORE_FILE}")
    info.size = 5000
    label = b'{"format": 1, "databases": ["patchbay.db"]}'

    with pytest.raises(BotError, match="could not be copied"):
        restore(_archive(tmp_path / "b.tar.gz", info, label=label), tmp_path / "new")

    assert not (tmp_path / "new" / STAGE).exists()
    assert list((tmp_path / "new").iterdir()) == []


# ---------------------------------------------------------------------------------------- by its words


def test_the_commands_say_what_was_done_and_what_is_left_to_do(here: Path) -> None:
    write(here / "config.yaml", "telegram: {token: 'env:T'}\n")
    patchbay("migrate", T="1:x")

    made = patchbay("backup", "b.tar.gz", T="1:x")
    again = patchbay("backup", "b.tar.gz", T="1:x")
    back = patchbay("restore", "b.tar.gz", "--data", "new")
    elsewhere = patchbay("backup", "c.tar.gz", T="1:x", DATABASE_URL="postgres://u:hunter2@db/x")
    folder = patchbay("restore", "c.tar.gz", "--data", "folder")

    assert made.code == back.code == elsewhere.code == folder.code == 0
    assert made.out.startswith("b.tar.gz: 1 files, ")
    assert (again.code, again.out) == (2, "")
    assert "Stop the bot that it was taken from" in back.out
    assert "pg_dump" in elsewhere.out
    assert "hunter2" not in elsewhere.out
    assert "pg_restore" in folder.out
    assert (here / "new" / STORE_FILE).exists()


def test_no_key_is_in_a_backup_wherever_it_stands(tmp_path: Path, data: Path) -> None:
    for name in ("patchbay.key", "patchbay.key.new", "patchbay-audit.key", "patchbay.checkpoints"):
        write(data / name, "a line")
    backup(Config(data=data), tmp_path / "b.tar.gz")
    restore(tmp_path / "b.tar.gz", tmp_path / "back")

    found = {path.name for path in (tmp_path / "back").iterdir()}
    assert found == {STORE_FILE, "patchbay.checkpoints"}
