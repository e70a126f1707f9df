"""Public escapes by the environment and by files in the workspace, against the real sandbox. Each works without it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.sandbox import Unsandboxed, choose
from adapters.system import Ended, run
from bot.tables import load_config
from core.ports import Access, Sandbox

SECONDS = 30.0
MARK = "escaped"
NOBODY = 65534


class Place:
    def __init__(self, folder: Path) -> None:
        self.data, self.home = folder / "data", folder / "home"
        self.open = Path(tempfile.mkdtemp())
        self.open.chmod(0o777)
        self.mark = self.open / MARK
        self.tree = self.data / "runs" / "one" / "tree"
        self.tree.mkdir(parents=True)
        self.home.mkdir()

    async def run(self, sandbox: Sandbox, *argv: str) -> Ended:
        wrapped = sandbox.wrap(argv, str(self.tree), Access.WRITE, {})
        return await run(wrapped.argv, environment=wrapped.environment, seconds=SECONDS, cwd=str(self.tree), merge=True)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    shutil.rmtree(made.open)


def plant_home(place: Place) -> dict[str, str]:
    for name in (".bashrc", ".profile", ".bash_profile", ".bash_login"):
        (place.home / name).write_text(f"touch {place.mark}\n")
    return {"HOME": str(place.home)}


def plant_zdotdir(place: Place) -> dict[str, str]:
    (place.home / ".zshenv").write_text(f"touch {place.mark}\n")
    return {"ZDOTDIR": str(place.home)}


def plant_trace(place: Place) -> dict[str, str]:
    return {"SHELLOPTS": "xtrace", "PS4": f"$(touch {place.mark})"}


def plant_startup(place: Place) -> dict[str, str]:
    (place.home / "env").write_text(f"touch {place.mark}\n")
    return {"BASH_ENV": str(place.home / "env"), "ENV": str(place.home / "env")}


def plant_rustup(place: Place) -> dict[str, str]:
    """A proxy in the place of the toolchain, found by a folder that is named in the environment."""
    bin_ = place.home / "bin"
    bin_.mkdir()
    (bin_ / "cargo").write_text(f"#!/bin/sh\ntouch {place.mark}\n")
    (bin_ / "cargo").chmod(0o755)
    named = {name: str(place.home) for name in ("RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN")}
    return named | {"RUSTC_WRAPPER": str(bin_ / "cargo"), "PATH": f"{bin_}:{os.environ['PATH']}"}


PLANTS = {
    "cve_2026_32056_home": (plant_home, ("bash", "-lc", "true")),
    "cve_2026_32056_zdotdir": (plant_zdotdir, ("zsh", "-c", "true")),
    "cve_2026_32003_shellopts_ps4": (plant_trace, ("bash", "-c", "true")),
    "cve_2026_32003_bash_env": (plant_startup, ("bash", "-c", "true")),
    "cve_2026_62203_rustup": (plant_rustup, ("sh", "-c", "${RUSTC_WRAPPER:-cargo} --version; cargo --version")),
}


def unguarded(argv: tuple[str, ...], planted: dict[str, str]) -> None:
    """As whoever does not own the machine: bash takes no PS4 from root's environment."""
    user = NOBODY if "PS4" in planted and os.geteuid() == 0 else None
    environment = {"PATH": os.environ["PATH"]} | planted
    subprocess.run(argv, env=environment, check=False, capture_output=True, user=user, cwd="/")


@pytest.mark.parametrize("name", list(PLANTS))
async def test_cve_2026_32056_32003_62203_the_bots_environment_reaches_no_command(
    name: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, argv = PLANTS[name]
    planted = plant(place)
    for key, value in planted.items():
        monkeypatch.setenv(key, value)
    sandbox = await choose("auto", [place.data])

    shown = await place.run(sandbox, "env")
    await place.run(sandbox, *argv)

    assert not place.mark.exists()
    assert not [key for key, value in planted.items() if f"{key}={value}" in shown.text.splitlines()]
    if shutil.which(argv[0]) is not None:
        await asyncio.to_thread(unguarded, argv, planted)
        assert place.mark.exists(), "without the sandbox it works"


async def test_cve_2026_32003_no_command_is_given_such_a_variable_from_a_workspace(place: Place) -> None:
    """Not even where the sandbox is off: what a command gets is written down, not inherited."""
    os.environ["PATCHBAY_PROBE"] = MARK
    try:
        shown = await place.run(Unsandboxed(), "env")
    finally:
        del os.environ["PATCHBAY_PROBE"]

    assert MARK not in shown.text


DOTENV = "PATCHBAY_ACCESS__OWNERS=telegram:666\nPATCHBAY_SANDBOX=off\nPATCHBAY_HOOKS=/tmp/evil\n"


def test_cve_2026_41336_a_dotenv_file_configures_nothing(tmp_path: Path) -> None:
    """Neither beside the configuration nor where the bot is started; the same in the environment counts."""
    (tmp_path / ".env").write_text(DOTENV)
    file = tmp_path / "config.yaml"
    file.write_text("telegram: {token: '1:x'}\naccess: {owners: [telegram:7]}\n")
    argv = [sys.executable, "-m", "bot", "config", "show"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PATCHBAY", "TELEGRAM", "SLACK"))}
    clean["PYTHONPATH"] = str(Path(__file__).parents[2])

    shown = subprocess.run(argv, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True).stdout
    named = {"PATCHBAY_ACCESS__OWNERS": "telegram:666"}

    assert "telegram:666" not in shown
    assert "telegram:7" in shown
    assert [str(each) for each in load_config(file, {}).access.owners] == ["telegram:7"]
    assert [str(each) for each in load_config(file, named).access.owners] == ["telegram:666"]


async def test_cve_2026_41336_a_dotenv_file_of_a_workspace_reaches_no_command(place: Place) -> None:
    (place.tree / ".env").write_text(DOTENV)

    shown = await place.run(await choose("auto", [place.data]), "env")

    assert "PATCHBAY" not in shown.text
