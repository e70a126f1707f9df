"""The rules of the house, kept by tools: style, types, layers and sizes; what the README says is so."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.agents import AGENTS
from bot.config.environment import AGENT_HINTS, CUSTOMARY
from core.commands import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCES = ("bot", "core", "adapters")
OURS = (*SOURCES, "tests", "benchmarks")
"""Every folder with code of ours. What else lies here may be anybody's, such as the untidy project of a demo."""
MOST_LINES = 400
TOOL_SECONDS = 600

MODULES = sorted(path for name in SOURCES for path in (ROOT / name).rglob("*.py"))


def tool(*argv: str, **environ: str) -> None:
    """Run it in the checkout; what it prints is what a failing test shows."""
    done = subprocess.run(
        [sys.executable, *argv],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=TOOL_SECONDS,
    )
    if done.returncode:
        pytest.fail(f"{' '.join(argv)}\n{done.stdout}{done.stderr}", pytrace=False)


def test_every_folder_with_code_is_looked_at() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")

    assert {line.partition("/")[0] for line in listed.stdout.splitlines()} == set(OURS)


def test_ruff_finds_nothing() -> None:
    tool("-m", "ruff", "check", "--no-cache", *OURS)


def test_ruff_would_format_nothing() -> None:
    tool("-m", "ruff", "format", "--no-cache", "--check", *OURS)


@pytest.mark.timeout(TOOL_SECONDS)
def test_mypy_finds_nothing() -> None:
    tool("-m", "mypy")


def test_nobody_looks_through_a_wall() -> None:
    tool("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for_and_is_not_too_long(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text))

    if text.strip():
        assert said, "the first line says what the module is for"
        assert text.startswith('"""'), "its docstring is the first line"
    assert len(text.splitlines()) <= MOST_LINES, "look for the second subject"


# --------------------------------------------------------------------------------------- the README


def test_the_readme_names_every_command_and_no_other() -> None:
    said = section("What you can say")
    table = [line for line in said.splitlines() if line.startswith("|")]
    named = {word for line in table for word in re.findall(r"`/(\w+)", line)}

    assert named == {each.word for each in COMMANDS if not each.hidden}


def test_the_readme_names_every_type_of_agent() -> None:
    rows = re.findall(r"^\| (`.*?) \|", section("Agents"), re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row)}

    assert named - {"type"} == set(AGENTS)


def test_the_readme_names_every_customary_variable() -> None:
    named = set(re.findall(r"`([A-Z_]{6,})`", section("Configuration")))

    assert named >= set(CUSTOMARY) | set(AGENT_HINTS)


def test_ci_does_what_the_readme_tells_a_stranger() -> None:
    (tests,) = re.findall(r"^python3 -m venv .*pytest.*$", README, re.MULTILINE)
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")

    for command in tests.split(" && "):
        assert re.search(rf"^{re.escape(command)}( |$)", ci, re.MULTILINE), command


def test_what_the_readme_points_to_is_there() -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]
