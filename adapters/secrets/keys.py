"""The keys that secrets are sealed with: kept outside of the database, so that who steals that has nothing.

They stand in a file of their own, one on each line, the newest first; or whoever runs the bot gives them. A key is
never made anew while the database speaks of one: what is sealed would be lost.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from core.model.errors import SecretsLocked

OTHERS = stat.S_IRWXG | stat.S_IRWXO
HEAD = """\
# What opens the secrets in Patchbay's database. Keep a copy of it in a safe place, and not with the database's backup:
# without this file the secrets are lost, and with both anybody can read them. The first key is the newest.
"""
GIVEN = "secrets.key"
"""Where it is set in the configuration."""


class Keys(Protocol):
    """Where keys come from. `place`: as a person is told it."""

    @property
    def place(self) -> str: ...

    def load(self) -> tuple[str, ...]:
        """The newest first; empty: there is none yet. SecretsLocked."""

    def make(self) -> str:
        """The first one. SecretsLocked: a person must do it."""

    def save(self, keys: Sequence[str]) -> None:
        """These and no others. SecretsLocked: a person must do it."""

    def locked(self) -> AbstractContextManager[None]:
        """One at a time makes or exchanges keys."""


def key_id(key: str) -> str:
    """Names a key, and tells nothing of it."""
    return hashlib.sha256(f"patchbay:key:{key}".encode()).hexdigest()[:8]


def new_key() -> str:
    from cryptography.fernet import Fernet  # noqa: PLC0415 - imported when used

    return Fernet.generate_key().decode()


class KeyFile:
    """Readable by its owner alone, else it is refused."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        return str(self._path)

    def load(self) -> tuple[str, ...]:
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise SecretsLocked(f"The key of the secrets cannot be read: {self._path}: {error.strerror}.") from error
        with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - a descriptor
            mode = os.fstat(file).st_mode
            if not stat.S_ISREG(mode) or mode & OTHERS:
                raise SecretsLocked(
                    f"The key of the secrets lies open to others: {self._path}. Say `chmod 600 {self._path}`; if "
                    "others may have read it, run `patchbay secrets rotate` then."
                )
            return _checked(opened.read().splitlines(), self.place)

    def make(self) -> str:
        with self.locked():
            standing = self.load()
            if not standing:
                standing = (new_key(),)
                self.save(standing)
        return standing[0]

    def save(self, keys: Sequence[str]) -> None:
        """All of it, or what was there before, whenever it is cut."""
        draft = self._path.with_name(f"{self._path.name}.new")
        try:
            draft.unlink(missing_ok=True)
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:  # noqa: PTH123
                out.write(HEAD + "".join(f"{key}\n" for key in keys))
                out.flush()
                os.fsync(out.fileno())
            draft.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise SecretsLocked(
                f"The key of the secrets cannot be written: {self._path}: {error.strerror}. "
                "Set `secrets.key_file` to a place where it can be, outside of the data folder, or give `secrets.key`."
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time makes or exchanges keys."""
        try:
            folder = os.open(self._path.parent, os.O_RDONLY)
        except OSError as error:
            raise SecretsLocked(f"There is no folder {self._path.parent} for the key of the secrets.") from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


class GivenKeys:
    """Given with the configuration, by environment, file or AWS: `newest, older`."""

    def __init__(self, written: str) -> None:
        self._written = written

    @property
    def place(self) -> str:
        return GIVEN

    def load(self) -> tuple[str, ...]:
        return _checked(self._written.replace(",", "\n").splitlines(), self.place)

    def make(self) -> str:
        raise SecretsLocked(f"{GIVEN} holds no key. `patchbay secrets new-key` prints one.")

    def save(self, keys: Sequence[str]) -> None:
        """Fewer are no change: who gave them takes them away."""
        if tuple(keys) != self.load()[: len(keys)]:
            raise SecretsLocked(
                f"The key is given as {GIVEN}, and I cannot change it there. Put a new one (`patchbay secrets "
                "new-key`) before it, with a comma between them, restart the bot, and run `patchbay secrets "
                "rotate` again; when that has said so, take the old one out."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield


def _checked(lines: Sequence[str], place: str) -> tuple[str, ...]:
    from cryptography.fernet import Fernet  # noqa: PLC0415 - imported when used

    keys = tuple(each for each in map(str.strip, lines) if each and not each.startswith("#"))
    for number, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except ValueError:
            raise SecretsLocked(
                f"Key {number} in {place} is none: a key is 44 characters, as `patchbay secrets new-key` prints them."
            ) from None
    return keys
