"""Commands given as a person gives them: words in, exit code and texts out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from typer.testing import CliRunner

from bot.cli import app


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def patchbay(*words: str, stdin: str | None = None, **environ: str) -> Said:
    """With no environment of ours but what is given."""
    ours = [name for name in os.environ if name.startswith("PATCHBAY_") or name.endswith(("_TOKEN", "_KEY", "_SECRET"))]
    hidden: dict[str, str | None] = dict.fromkeys(
        [*ours, "DATABASE_URL", "API_HOST", "API_PORT", "OLLAMA_HOST", "OLLAMA_BASE_URL"]
    )
    result = CliRunner().invoke(app, list(words), input=stdin, env={**hidden, **environ})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def new_token() -> str:
    """Of Telegram's shape; made now, so that none is in the repository."""
    return f"{uuid4().int % 10**9 + 10**8}:{uuid4().hex}abc"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def running_elsewhere(here: Path) -> Iterator[None]:
    """Another process holds the database in `here / data`, as a bot does."""
    code = (
        "import asyncio, pathlib\nfrom adapters.store import DatabaseStore\n"
        "async def hold():\n"
        "    store = DatabaseStore('', pathlib.Path('data')); await store.open()\n"
        "    print('open', flush=True); await asyncio.to_thread(input); await store.close()\n"
        "asyncio.run(hold())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=here,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as bot:
        assert bot.stdout is not None
        try:
            assert bot.stdout.readline() == "open\n"
            yield
        finally:
            bot.communicate("\n", timeout=20)
