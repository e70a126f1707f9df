"""Where the gateway's sockets lie: a folder of the bot alone, outside of every checkout, with a path that is short."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from core.model.errors import ConfigError

LONGEST_PATH = 100
"""Bytes; sun_path takes 108 with the NUL at its end, on other systems 104."""
NAME_BYTES = 24
SUFFIX = ".sock"


def socket_folder(data: Path) -> Path:
    """Made, for its owner alone. The data folder where its path is short enough, else one that is named after it."""
    inside = data.absolute() / "gateway"
    if len(os.fsencode(inside)) + NAME_BYTES <= LONGEST_PATH:
        return _made(inside)
    name = f"patchbay-{hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]}"
    for parent in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - made as ours
        if parent and len(os.fsencode(parent)) + len(name) + NAME_BYTES < LONGEST_PATH and Path(parent).is_dir():
            return _made(Path(parent) / name)
    raise ConfigError("There is no folder for the gateway's sockets with a path that is short enough; set TMPDIR.")


def _made(folder: Path) -> Path:
    """ConfigError: somebody else made it, or it is a link."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigError(f"{folder} is not a folder of this bot. Remove it.")
    folder.chmod(0o700)
    return folder


def sweep(folder: Path) -> int:
    """What a bot that was killed has left; the number of sockets."""
    count = 0
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            path.unlink()
            count += 1
    return count
