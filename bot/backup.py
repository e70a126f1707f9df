"""`patchbay backup` and `patchbay restore`: the data folder of a bot, which may be running, in one file, and back.

The databases are taken at one moment; then the rest, in such an order that what they speak of is in it: of a git
repository the references come before the objects, which only become more. Checkouts of runs are left out: what is not
published there is the agent's, and a run that is taken up again gets a new one. So is the key of the secrets, should it
stand there: who has the backup must not be able to open them.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from adapters.engine.database import FILE as ENGINE_FILE
from adapters.store.database import FILE_NAME as STORE_FILE
from adapters.store.exclusive import LOCK_NAME
from bot.config import Config
from bot.config.load import AUDIT_KEY_FILE, KEY_FILE
from core.model.errors import BotError

LABEL = "patchbay-backup.json"
FORMAT = 1
STAGE = ".restoring"
BUSY_SECONDS = 30.0
PIN_TRIES = 100
"""To find a moment at which the engine writes nothing; each takes far less than a millisecond."""
LEVEL = 5
"""Of gzip: git's objects are compressed already."""
READ_BYTES = 1 << 20
_DAMAGE = (
    *(tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile),
    *(ValueError, KeyError, TypeError, AttributeError),  # of the label
)

_LEFT_OUT = {LOCK_NAME} | {f"{name}{end}" for name in (KEY_FILE, AUDIT_KEY_FILE) for end in ("", ".new")}
_LEFT_OUT |= {f"{name}{end}" for name in (STORE_FILE, ENGINE_FILE) for end in ("", "-wal", "-shm")}


@dataclass(frozen=True, slots=True)
class BackedUp:
    """`size` in bytes. `has_database`: False, it is in PostgreSQL."""

    size: int
    files: int
    has_database: bool


def backup(config: Config, file: Path) -> BackedUp:
    """Of the bot as it is now; nothing that it had acknowledged when this began is missing."""
    data, has_database = config.data.resolve(), not config.database_url
    _check_places(data, file, has_database=has_database)
    with _told(file), tempfile.TemporaryDirectory(prefix=".patchbay-backup-", dir=file.resolve().parent) as folder:
        draft, databases = Path(folder) / "draft", Path(folder) / "databases"
        databases.mkdir()
        names = _copy_databases(data, databases) if has_database else []
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:  # noqa: PTH123 - a descriptor
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=LEVEL) as tar:
                _write_label(tar, names)
                files = sum(_add(tar, databases / name, f"data/{name}") for name in names)
                files += _add_folder(tar, data, "data")
            out.flush()
            os.fsync(out.fileno())
        draft.rename(file)
    return BackedUp(file.stat().st_size, files, has_database)


def restore(file: Path, data: Path) -> list[str]:
    """Into an empty folder, or a new one; the names of the databases that were in it. All of it, or nothing."""
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise BotError(f"{data} is not an empty folder. Name a new one: nothing is ever written over.")
    with _told(file):
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        stage = data / STAGE
        stage.mkdir(mode=0o700)
        try:
            with gzip.open(file) as content:
                with tarfile.open(fileobj=content, mode="r:") as tar:
                    names = _read_label(tar, file)
                    _extract(tar, stage, file)
                while content.read(READ_BYTES):
                    pass  # the checksum stands at the end, behind what tar reads
            for name in names:
                _check(stage / name)
            os.sync()
            for each in sorted(stage.iterdir(), key=lambda path: path.name == STORE_FILE):  # so that half is no bot's
                each.rename(data / each.name)
        finally:
            shutil.rmtree(stage)
    return names


# -------------------------------------------------------------------------------------------- databases


def _copy_databases(data: Path, to: Path) -> list[str]:
    names = [name for name in (ENGINE_FILE, STORE_FILE) if (data / name).exists()]
    with ExitStack() as stack:
        pinned = _pin(data, names, stack)
        for name, source in pinned.items():
            with closing(sqlite3.connect(to / name)) as copy:
                source.backup(copy)
            _check(to / name)
    return names


def _pin(data: Path, names: Sequence[str], stack: ExitStack) -> dict[str, sqlite3.Connection]:
    """Each at the same moment, as its readers see it from now on; whoever writes is not held up.

    The engine first: where it will not be quiet, the Store is the newer one, as after a crash in the middle of a step.
    """
    watch = stack.enter_context(closing(_reader(data / names[0])))
    pinned = {name: stack.enter_context(closing(_reader(data / name))) for name in names}
    for tries_left in reversed(range(PIN_TRIES)):
        before = watch.execute("PRAGMA data_version").fetchone()
        for each in pinned.values():
            each.execute("BEGIN")
            each.execute("SELECT 1 FROM sqlite_master").fetchone()
        if watch.execute("PRAGMA data_version").fetchone() == before or not tries_left:
            break
        for each in pinned.values():
            each.execute("ROLLBACK")
    return pinned


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_SECONDS)


def _check(path: Path) -> None:
    with closing(sqlite3.connect(path)) as copy:
        found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise BotError(f"{path.name} is damaged ({found}). Take an older backup, and look at the disk.")


# ----------------------------------------------------------------------------------------------- writing


def _add_folder(tar: tarfile.TarFile, folder: Path, name: str) -> int:
    """The number of files. What vanishes meanwhile has gone, or is elsewhere under another name: then look again."""
    seen: set[str] = set()
    files, again = 0, True
    while again:
        again = False
        for entry in _in_order(folder):
            path = f"{name}/{entry.name}"
            if entry.name in seen or _is_left_out(path):
                continue
            seen.add(entry.name)
            try:
                files += _add_entry(tar, entry, path)
            except FileNotFoundError:
                again = True
    return files


def _in_order(folder: Path) -> list[os.DirEntry[str]]:
    """Git: `refs` before `packed-refs`, into which they move; both before `objects`, and there `pack` last."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda each: (each.name == "objects", not each.is_dir(), each.name))


def _is_left_out(path: str) -> bool:
    """A lock of git would hold up the restored repository for ever."""
    *folders, name = parts = path.split("/")[1:]
    if name.endswith(".lock") and any(each == "git" or each.endswith(".git") for each in folders):
        return True
    return parts[0] in _LEFT_OUT or (len(parts) == 3 and parts[0] == "workspaces" and parts[2] == "runs")


def _add_entry(tar: tarfile.TarFile, entry: os.DirEntry[str], name: str) -> int:
    """Links and sockets are none of ours."""
    if entry.is_dir(follow_symlinks=False):
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, 0o700
        tar.addfile(info)
        return _add_folder(tar, Path(entry.path), name)
    return _add(tar, Path(entry.path), name) if entry.is_file(follow_symlinks=False) else 0


def _add(tar: tarfile.TarFile, path: Path, name: str) -> int:
    """As long as it is now, however it grows."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - a descriptor
        about = os.fstat(file.fileno())
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = about.st_size, int(about.st_mtime), about.st_mode & 0o700
        tar.addfile(info, file)
    return 1


def _write_label(tar: tarfile.TarFile, names: Sequence[str]) -> None:
    label = {"format": FORMAT, "made_at": datetime.now(UTC).isoformat(), "databases": names}
    content = json.dumps(label).encode()
    info = tarfile.TarInfo(LABEL)
    info.size, info.mode = len(content), 0o600
    tar.addfile(info, io.BytesIO(content))


# ----------------------------------------------------------------------------------------------- reading


def _read_label(tar: tarfile.TarFile, file: Path) -> list[str]:
    first = tar.next()
    content = tar.extractfile(first) if first is not None and first.name == LABEL else None
    label = json.loads(content.read()) if content is not None else {}
    if label.get("format") != FORMAT:
        raise BotError(f"{file} is no backup that this version of Patchbay can read.")
    return [name for name in (ENGINE_FILE, STORE_FILE) if name in label["databases"]]


def _extract(tar: tarfile.TarFile, to: Path, file: Path) -> None:
    while (member := tar.next()) is not None:
        top, *parts = member.name.split("/")
        if top != "data" or not parts or {"", ".", ".."} & set(parts) or not (member.isfile() or member.isdir()):
            raise BotError(f"{file} holds what no backup of Patchbay holds ({member.name[:200]!r}).")
        path = to.joinpath(*parts)
        if member.isdir():
            path.mkdir(mode=0o700)
            continue
        content = tar.extractfile(member)
        assert content is not None, "it is a file"
        mode = 0o600 | (member.mode & 0o100)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:  # noqa: PTH123 - a descriptor
            shutil.copyfileobj(content, out)


# ----------------------------------------------------------------------------------------------- telling


def _check_places(data: Path, file: Path, *, has_database: bool) -> None:
    if file.exists():
        raise BotError(f"{file} is there already. Name a new file: nothing is ever written over.")
    is_there = (data / STORE_FILE).exists() if has_database else data.is_dir()
    if not is_there:
        raise BotError(f"There is nothing to back up in {data}: no bot has run there.")
    if file.resolve().is_relative_to(data):
        raise BotError(f"{file} is inside the data folder. Name a file outside of it, on another disk if you can.")


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """What files, archives and SQLite raise, in words."""
    try:
        yield
    except _DAMAGE as error:
        raise BotError(f"{file} is damaged, or no backup of Patchbay ({error}).") from error
    except sqlite3.Error as error:
        raise BotError(f"The database could not be copied ({error}). Try again.") from error
    except OSError as error:
        raise BotError(f"{error.filename or file}: {error.strerror or error}. Nothing was written.") from error
