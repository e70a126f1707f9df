"""The wheel: what it holds, and that it alone, from an empty directory, does what the README promises."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import repositories

ROOT = Path(__file__).parents[1]
SOURCES = ("bot", "core", "adapters")
SECONDS = 110
STORY = "/link DEMO\n/create_task DEMO Tidy the code\n/execute DEMO-1 tidy\n/pr\n"


def run(*argv: str | Path, cwd: Path, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Its output; a test that fails shows what it said."""
    done = subprocess.run(
        argv, cwd=cwd, input=stdin, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, argv))} ended {done.returncode}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without isolation, which would fetch the build tool from the network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    run(sys.executable, "-m", "pip", "wheel", *options, ".", cwd=ROOT, environment=_quiet_pip())
    (made,) = folder.glob("patchbay-*.whl")
    return made


def test_the_wheel_holds_the_program_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if not name.endswith("/")}
    info = {name for name in held if name.split("/")[0].endswith(".dist-info")}
    here = {
        str(path.relative_to(ROOT))
        for name in SOURCES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert held - info == here | {"bot/config.example.yaml"}
    assert any(name.endswith("/licenses/LICENSE") for name in info)


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The folder of programs of a new environment: the wheel is its own, what it needs is borrowed from ours."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=False)
    programs = place / "bin"
    own = next((place / "lib").glob("python*")) / "site-packages"
    shutil.copy2(Path(sysconfig.get_path("scripts")) / "ruff", programs)  # a link would lead out of the sandbox
    options = ("--quiet", "--no-deps", "--no-index")
    pip = (sys.executable, "-m", "pip", "--python", str(programs / "python"))
    run(*pip, "install", *options, wheel, cwd=tmp_path, environment=_quiet_pip())
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


@pytest.mark.timeout(SECONDS + 10)
def test_the_installed_wheel_tidies_the_demo_from_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    where = run(installed / "python", "-c", "import bot; print(bot.__file__)", cwd=empty, environment=_stranger())
    assert where.startswith(str(installed.parent)), "it is the wheel that runs, not the checkout"

    said = run(
        *(installed / "patchbay", "demo", "--batch", "--json", "--data", "D"),
        cwd=empty,
        stdin=STORY,
        environment=_stranger(),
    )

    posts = [json.loads(line) for line in said.splitlines()]
    told = re.search(r"(/[^`\s]+\.git)#1", posts[-1]["text"])
    assert told, posts[-1]
    bare = Path(told[1])
    clone = tmp_path / "clone"
    assert bare.is_relative_to(empty)
    repositories.git(empty, "clone", "--quiet", "--branch", "task/DEMO-1", str(bare), str(clone))
    repositories.git(clone, "merge-base", "--is-ancestor", "origin/main", "HEAD")
    assert repositories.git(clone, "rev-parse", "HEAD") != repositories.git(clone, "rev-parse", "origin/main")
    run(installed / "ruff", "check", "--no-cache", ".", cwd=clone)


def _stranger() -> dict[str, str]:
    """Someone without keys, without a configuration, without this checkout on the path."""
    foreign = ("ANTHROPIC_", "OPENAI_", "OLLAMA_", "PATCHBAY_", "DATABASE_URL", "PYTHON", "COV_", "COVERAGE_")
    mine = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**mine, "OLLAMA_HOST": "127.0.0.1:1"}


def _quiet_pip() -> dict[str, str]:
    return {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
