"""Who may look into the bot's own files: its owner, and no agent."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.sandbox import Bubblewrap, choose
from adapters.system import run
from bot.app import make_folder
from bot.config import Config
from bot.tables import load_config
from bot.wiring import hidden
from core.ports import Access

SECONDS = 20.0


def written(folder: Path, word: str) -> Config:
    (folder / "token").write_text(f"{word}\n")
    (folder / "key").write_text(f"{word}\n")
    (folder / "config.yaml").write_text(
        f"console: {{}}\ndata: data\ngithub: {{token: {{file: token}}}}\n# {word}\n"
        "agents: {claude: {type: anthropic, model: m}}\n"
    )
    environ: Mapping[str, str] = {"ANTHROPIC_API_KEY_FILE": str(folder / "key"), "GITHUB_TOKEN_FILE": ""}
    return load_config(folder / "config.yaml", environ)


def test_the_files_that_secrets_came_from_are_hidden(tmp_path: Path) -> None:
    config = written(tmp_path, uuid4().hex)

    own = ["patchbay-audit.key", "patchbay.checkpoints", "patchbay.key"]
    assert sorted(path.name for path in hidden(config)) == ["config.yaml", "data", "key", *own, "token"]
    assert all(path.is_absolute() for path in hidden(config))


async def test_a_configuration_beside_the_bots_python_is_not_shown_to_agents(tmp_path: Path) -> None:
    """As with `python3 -m venv .` in the folder of the configuration, or an image that lives in /usr/src/app."""
    word = uuid4().hex
    config = written(tmp_path, word)
    make_folder(config.data)
    chosen = await choose("auto", hidden(config))
    assert isinstance(chosen, Bubblewrap)
    wide = Bubblewrap(Path(chosen._program), hidden(config), prefixes=[tmp_path])
    tree = config.data / "runs" / "tree"
    tree.mkdir(parents=True)

    wrapped = wide.wrap(["sh", "-c", f"cat {tmp_path}/*; echo looked"], str(tree), Access.WRITE, {})
    ended = await run(wrapped.argv, environment=wrapped.environment, seconds=SECONDS, merge=True)

    assert word not in ended.text
    assert ended.text.endswith("looked\n")
    assert (await wide.probe()).is_usable


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_the_data_folder_is_its_owners_alone(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        make_folder(tmp_path / "deep" / "data")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700
