"""Files of the console: each written in the data folder under a name made from its key, so that twice is once."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path

from core.model.chat import File, PostKey

FOLDER = "files"


def keep(data: Path, key: PostKey, file: File) -> Path:
    """Whole or not at all, readable by its owner alone; where it stands. OSError."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    stem, dot, end = re.sub(r"[^\w.-]", "_", file.name).rpartition(".")
    path = folder / f"{stem}-{sha256(key.encode()).hexdigest()[:8]}{dot}{end}"
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    with fresh.open("wb") as opened:
        opened.write(file.text.encode())
        opened.flush()
        os.fsync(opened.fileno())
    return fresh.replace(path)
