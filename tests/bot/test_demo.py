"""The parts of the demo: its project, its recipes, its agent, and when a line is done with."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest
from aiohttp import web

from adapters.agents.config import AnthropicConfig, OllamaConfig, OpenAIConfig
from bot import demo, demo_agent, demo_project
from core.model.chat import Cause, Person, ThreadRef
from core.model.work import Project, ProjectKey, RepoRef, Run, RunId, RunState, WorkId
from core.ports import Forge, Store

NOBODY = "127.0.0.1:1"
"""An address at which no Ollama answers."""


# -------------------------------------------------------------------------------------- the project


def ask(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).parent / argv[0]
    program = str(beside) if beside.exists() else argv[0]
    return subprocess.run([program, *argv[1:]], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
async def project(tmp_path: Path) -> Path:
    return await demo_project.make(tmp_path / "demo-project")


def test_the_project_is_a_clean_repository_that_is_untidy_with_one_failing_test(project: Path) -> None:
    assert ask(project, "git", "status", "--porcelain").stdout == ""
    assert ask(project, "git", "log", "--format=%s", "main").stdout == "Begin the inventory\n"
    assert ask(project, "ruff", "check", "--no-cache", ".").returncode == 1
    assert ask(project, "ruff", "format", "--no-cache", "--check", ".").returncode == 1
    tests = ask(project, "python", "-B", "-m", "unittest")
    assert tests.returncode == 1
    assert "FAILED (failures=1)" in tests.stderr


def test_tidy_leaves_nothing_for_the_linter_and_keeps_the_bug(project: Path) -> None:
    for step in demo_project.recipes()["tidy"].steps:
        assert ask(project, *step).returncode == 0

    assert ask(project, "ruff", "check", "--no-cache", ".").returncode == 0
    assert ask(project, "ruff", "format", "--no-cache", "--check", ".").returncode == 0
    assert "FAILED (failures=1)" in ask(project, "python", "-B", "-m", "unittest").stderr
    assert {each.name for each in project.iterdir()} == {
        *(".git", ".gitignore", "README.md", "inventory", "pyproject.toml", "tests")
    }


def test_the_bug_is_where_the_readme_of_the_demo_says(project: Path) -> None:
    items = project / "inventory" / "items.py"
    items.write_text(items.read_text().replace("self.quantity < self", "self.quantity <= self"))

    assert ask(project, "python", "-B", "-m", "unittest").returncode == 0


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README": "no Python here\n"},
        {"broken.py": "def f(:\n"},
        {"mended-in-part.py": "try:\n    x = 1\nexcept:\n    pass\n"},
        {"pyproject.toml": "[tool.ruff.lint]\nselect = ['ALL']\n", "a.py": "def f(a): return a == None\n"},
    ],
)
def test_tidy_does_not_stop_at_a_strangers_repository(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    recipe = demo_project.recipes()["tidy"]

    fix, form = (ask(tmp_path, *step).returncode for step in recipe.steps)

    assert fix == 0
    assert form in {0, 2}
    assert not recipe.stop_at_failure


async def test_a_project_that_stands_is_left_alone_and_one_that_was_cut_is_begun_again(tmp_path: Path) -> None:
    half = tmp_path / "demo-project.new"
    half.mkdir()
    (half / "left-over").touch()

    made = await demo_project.make(tmp_path / "demo-project")
    (made / "mine.txt").write_text("a person's work")
    again = await demo_project.make(tmp_path / "demo-project")

    assert (again / "mine.txt").exists()
    assert not (again / "left-over").exists()
    assert not half.exists()


def test_a_program_is_named_in_full_where_the_system_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {"ruff": "/usr/bin/ruff"}
    monkeypatch.setattr("shutil.which", lambda name, path: others.get(name) if path == "/usr/bin" else None)

    recipe = demo_project.recipes()["tidy"].steps[0]
    assert recipe[0] == str(Path(sys.executable).parent / "ruff")
    assert demo_project.recipes()["test"].steps[0][0] == "python"


# ---------------------------------------------------------------------------------------- the agent


@asynccontextmanager
async def ollama(*models: str, status: int = 200, raw: object = None) -> AsyncIterator[str]:
    async def tags(_: web.Request) -> web.Response:
        body = json.dumps(raw if raw is not None else {"models": [{"name": each} for each in models]})
        return web.Response(text=body, status=status, content_type="application/json")

    app = web.Application()
    app.router.add_get("/api/tags", tags)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_key_wins(tmp_path: Path) -> None:
    key = uuid4().hex

    claude = await demo_agent.choose({"ANTHROPIC_API_KEY": key, "OPENAI_API_KEY": key, "OLLAMA_HOST": NOBODY})
    openai = await demo_agent.choose({"OPENAI_API_KEY": key, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})

    assert isinstance(claude.config, AnthropicConfig)
    assert claude.config.api_key.get_secret_value() == key
    assert isinstance(openai.config, OpenAIConfig)
    assert openai.config.base_url == "http://127.0.0.1:9/v1"
    assert key not in demo.banner(tmp_path, claude) + demo.banner(tmp_path, openai)
    assert demo_project.TASK in demo.banner(tmp_path, claude)


@pytest.mark.parametrize(
    ("models", "chosen"),
    [
        (["llama3:8b"], "llama3:8b"),
        (["llama3:8b", "qwen3-coder:30b"], "qwen3-coder:30b"),
        (["nomic-embed-text", "llama3:8b"], "llama3:8b"),
    ],
)
async def test_an_ollama_that_answers_is_used_with_one_of_its_models(models: list[str], chosen: str) -> None:
    async with ollama(*models) as address:
        first = await demo_agent.choose({"OLLAMA_HOST": address})

    assert first.config == OllamaConfig(model=chosen, base_url=f"http://{address}")


@pytest.mark.parametrize(
    ("status", "raw"),
    [(500, {}), (200, []), (200, {"models": None}), (200, {"models": [{"name": 3}, "x", {"name": "an-embedder"}]})],
)
async def test_without_a_model_the_recipe_works(status: int, raw: object) -> None:
    async with ollama(status=status, raw=raw) as address:
        assert await demo_agent.choose({"OLLAMA_HOST": address}) == demo_agent.TIDY
    assert await demo_agent.choose({"OLLAMA_HOST": NOBODY}) == demo_agent.TIDY


async def test_an_ollama_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_agent, "OLLAMA_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert await demo_agent.choose({"OLLAMA_HOST": f"127.0.0.1:{port}"}) == demo_agent.TIDY


def test_the_configuration_holds_the_recipes_and_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_SANDBOX", "off")
    thinking = demo_agent.FirstAgent("ollama", "…", OllamaConfig(model="m"))

    config = demo.config(tmp_path, thinking)

    assert list(config.agents) == ["ollama", "tidy", "format", "test"]
    assert config.default_agent == "ollama"
    assert config.sandbox.mode == "off"
    monkeypatch.delenv("PATCHBAY_SANDBOX")
    assert demo.config(tmp_path, demo_agent.TIDY).sandbox.mode == "auto"


def test_the_banner_has_three_lines_that_fit(tmp_path: Path) -> None:
    lines = demo.banner(Path("/home/ann/patchbay-demo"), demo_agent.TIDY).splitlines()

    assert len(lines) == 3
    assert max(map(len, lines)) <= 100
    assert "/execute DEMO-1 tidy" in lines[1]


# --------------------------------------------------------------------------------- the project's row


class Rows:
    """The part of the Store and of the forge that the project DEMO touches."""

    def __init__(self, standing: Project | None = None) -> None:
        self.row = standing
        self.ensured = 0

    async def project(self, _: ProjectKey) -> Project | None:
        return self.row

    async def add_project(self, project: Project, _: Cause) -> Project:
        self.row = project
        return project

    async def put_project(self, project: Project) -> None:
        self.row = project

    async def ensure(self, _: Project) -> str:
        self.ensured += 1
        return "main"

    async def settle_on(self, repository: Path) -> Project | None:
        await demo.ensure_project(cast("Store", self), cast("Forge", self), repository)
        return self.row


async def test_the_project_is_made_once(tmp_path: Path) -> None:
    rows = Rows()

    first = await rows.settle_on(tmp_path)
    second = await rows.settle_on(tmp_path)

    assert first == second == Project(demo.KEY, "Demo: an inventory", RepoRef("local", str(tmp_path)), "main")
    assert rows.ensured == 1


async def test_a_folder_that_was_renamed_is_followed_and_a_persons_choice_is_kept(tmp_path: Path) -> None:
    here = tmp_path / "demo-project"
    before = Project(demo.KEY, "Demo", RepoRef("local", "/nowhere/demo-project"), "main", "test")
    elsewhere = replace(before, repo=RepoRef("github", "ann/inventory"))
    own = replace(before, repo=RepoRef("local", "/nowhere/my-own"))

    assert await Rows(before).settle_on(here) == replace(before, repo=RepoRef("local", str(here)))
    assert await Rows(elsewhere).settle_on(here) == elsewhere
    assert await Rows(own).settle_on(here) == own


# ------------------------------------------------------------------------------------- calm and done


def a_run(state: RunState) -> Run:
    person = Person("console", "local", "owner")
    where = ThreadRef("console", "local", "console")
    return Run(RunId(uuid4().hex), WorkId("w"), where, "tidy", person, "t", datetime.now(UTC), state=state)


class Looks:
    """A Store at which each look finds the next of these; the last one stays."""

    def __init__(self, *looks: tuple[list[RunState], bool]) -> None:
        self.looks = list(looks)
        self.count = 0

    async def open_runs(self) -> list[Run]:
        self.count += 1
        states, self._busy = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return [a_run(each) for each in states]

    async def unsettled(self) -> list[object]:
        return []

    async def unsent(self) -> list[object]:
        return [object()] if self._busy else []


@pytest.mark.parametrize(
    ("looks", "most"),
    [
        ([([], False)], demo.CALM_LOOKS),
        ([([], False), ([], True), ([], False)], 2 + demo.CALM_LOOKS),
        ([([RunState.PENDING], False), ([RunState.RUNNING], False), ([], False)], 2 + demo.CALM_LOOKS),
        ([([RunState.WAITING], False)], demo.WAITING_LOOKS),
        ([([RunState.WAITING, RunState.PENDING], False)], demo.WAITING_LOOKS),
        ([([RunState.WAITING, RunState.RUNNING], False), ([RunState.WAITING], False)], 1 + demo.WAITING_LOOKS),
    ],
)
async def test_a_line_is_done_with_when_nothing_moves_by_itself(
    looks: list[tuple[list[RunState], bool]], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "LOOK_SECONDS", 0.0)
    store = Looks(*looks)

    async with asyncio.timeout(10):
        await demo.until_calm(cast("Store", store))

    assert store.count == most
