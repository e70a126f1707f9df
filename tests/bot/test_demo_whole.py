"""The demo as a stranger runs it: one command, over standard input or at a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.terminal import Terminal

ROOT = Path(__file__).parents[2]
SECONDS = 90
STORY = "/link DEMO\n/create_task DEMO Tidy the code\n/execute DEMO-1 tidy\n/pr\n"


def environment() -> Mapping[str, str]:
    """Without what the tester may have: keys, an Ollama, a configuration."""
    foreign = ("ANTHROPIC_", "OPENAI_", "OLLAMA_", "PATCHBAY_", "DATABASE_URL")
    mine = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**mine, "OLLAMA_HOST": "127.0.0.1:1", "PYTHONPATH": str(ROOT)}


@contextmanager
def started(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "bot", "demo", "--json", "--data", str(folder), *options]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(argv, cwd=folder.parent, env=environment(), text=True, **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def talk(folder: Path, lines: str, *options: str, code: int = 0) -> list[dict[str, Any]]:
    with started(folder, *options) as process:
        out, errors = process.communicate(lines, timeout=SECONDS)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    return [json.loads(line) for line in out.splitlines()]


def ask(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).parent / argv[0]
    program = str(beside) if beside.exists() else argv[0]
    return subprocess.run([program, *argv[1:]], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def clone(folder: Path, branch: str, to: Path) -> Path:
    assert (
        ask(to.parent, "git", "clone", "-q", "-b", branch, str(folder / "forge" / "DEMO.git"), str(to)).returncode == 0
    )
    return to


def test_four_lines_end_in_a_pull_request_that_the_linter_likes(tmp_path: Path) -> None:
    folder = tmp_path / "D"

    posts = talk(folder, STORY)
    tidy = clone(folder, "task/DEMO-1", tmp_path / "clone")

    assert {tuple(each) for each in posts} == {("thread", "kind", "text", "buttons")}
    assert {each["thread"] for each in posts} == {"main"}
    assert any(each["kind"] == "edit" and "COMPLETED" in each["text"] for each in posts)
    assert "DEMO.git#1" in posts[-1]["text"]
    assert ask(tidy, "git", "merge-base", "--is-ancestor", "origin/main", "HEAD").returncode == 0
    assert ask(tidy, "ruff", "check", "--no-cache", ".").returncode == 0
    assert ask(tidy, "ruff", "format", "--no-cache", "--check", ".").returncode == 0
    assert ask(folder / "demo-project", "git", "status", "--porcelain").stdout == ""


def test_the_same_folder_again_knows_everything_and_says_nothing_twice(tmp_path: Path) -> None:
    talk(tmp_path / "D", STORY)

    quiet = talk(tmp_path / "D", "")
    posts = talk(tmp_path / "D", "/tasks\n/pr DEMO-1\n")

    assert quiet == []
    assert len(posts) == 2
    assert "DEMO-1" in posts[0]["text"]
    assert "DEMO.git#1" in posts[1]["text"]


def test_a_run_that_is_stopped_makes_the_code_1(tmp_path: Path) -> None:
    stranger = tmp_path / "slow"
    (stranger / "tests").mkdir(parents=True)
    (stranger / "tests" / "__init__.py").touch()
    (stranger / "tests" / "test_slow.py").write_text("import time\ntime.sleep(60)\n")
    for words in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a")):
        assert ask(stranger, "git", *words).returncode == 0

    lines = f"/create_project SLOW Slow {stranger}\n/create_task SLOW Wait\n/execute SLOW-1 test\n/cancel\n"
    posts = talk(tmp_path / "D", lines, "--no-wait", code=1)

    assert any("CANCELLED" in each["text"] for each in posts)


@pytest.mark.parametrize("seen", ["PENDING", "PLANNING", "COMPLETED"])
def test_kill_9_loses_nothing_and_says_nothing_twice(tmp_path: Path, seen: str) -> None:
    folder = tmp_path / "D"
    with started(folder) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(STORY.removesuffix("/pr\n"))
        process.stdin.flush()
        first = []
        for line in process.stdout:
            first.append(json.loads(line))
            if seen in line:
                break
        process.kill()

    again = talk(folder, "/pr\n")
    posts = [each for each in [*first, *again] if each["kind"] == "new"]

    assert len([each for each in posts if "**4 files changed**" in each["text"]]) == 1
    assert "DEMO.git#1" in posts[-1]["text"]
    journal = [json.loads(line) for line in (folder / "console.jsonl").read_text().splitlines()]
    keys = [entry["key"] for entry in journal if entry["kind"] == "post"]
    assert len(keys) == len(set(keys))
    assert len([key for key in keys if key.startswith("answer:")]) == 1


def test_a_second_process_on_the_folder_is_refused(tmp_path: Path) -> None:
    with started(tmp_path / "D") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("/help\n")
        process.stdin.flush()
        process.stdout.readline()
        with started(tmp_path / "D") as second:
            _, errors = second.communicate("", timeout=SECONDS)

    assert second.returncode == 2
    assert errors.splitlines()[-1].startswith("patchbay demo: ")
    assert "Traceback" not in errors


def test_at_a_terminal_it_greets_helps_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "bot", "demo", "--data", str(tmp_path / "D")]
    with Terminal(argv, cwd=tmp_path, environment=environment()) as terminal:
        terminal.wait_for("/create_task DEMO Tidy the code")
        terminal.wait_for("main>")
        terminal.line("/help")
        terminal.wait_for("/create_project")
        terminal.wait_for("main>", times=3)
        terminal.type("\x03")

        assert terminal.ends() == 0
        assert "Traceback" not in terminal.screen
        assert "Error" not in terminal.screen
