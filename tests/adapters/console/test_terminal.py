"""The console at a real (pseudo-)terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fakes.terminal import Terminal

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def sit_down(folder: Path) -> Terminal:
    return Terminal([sys.executable, "-m", "tests.adapters.console.echo", str(folder)], cwd=ROOT)


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_markdown_is_rendered_and_ctrl_c_and_ctrl_d_end_cleanly(folder: Path, key: str) -> None:
    with sit_down(folder) as terminal:
        terminal.wait_for("main>")
        terminal.line("hello")
        terminal.wait_for("You said hello.")
        screen = terminal.wait_for("main>", times=3)  # drawn again below the answer
        terminal.type(key)

        assert terminal.ends() == 0
        assert "*hello*" not in screen
        assert "Traceback" not in terminal.screen


def test_quit_ends_as_well(folder: Path) -> None:
    with sit_down(folder) as terminal:
        terminal.wait_for("main>")
        terminal.line(":quit")

        assert terminal.ends() == 0


def test_a_running_anchor_stands_above_the_prompt_until_its_end(folder: Path) -> None:
    with sit_down(folder) as terminal:
        terminal.wait_for("main>")
        terminal.line("run tests")
        terminal.wait_for("RUNNING tests")
        terminal.wait_for("[1] ⏹ Stop", times=2)  # beside the anchor, and in the bar below
        terminal.line(":press stop")
        terminal.wait_for("COMPLETED all done")
        terminal.type("\x03")

        assert terminal.ends() == 0


def test_a_number_typed_as_the_choices_change_is_asked_again(folder: Path) -> None:
    with sit_down(folder) as terminal:
        terminal.wait_for("main>")
        terminal.type("run tests\r1\r")
        terminal.wait_for("The choices have just changed; that is now ⏹ Stop".replace(" ⏹ Stop", ""))
        terminal.type("\x03")

        assert terminal.ends() == 0
        assert "COMPLETED" not in terminal.screen


def test_threads_and_history_outlive_a_restart(folder: Path) -> None:
    with sit_down(folder) as terminal:
        terminal.wait_for("main>")
        terminal.line(":thread login")
        terminal.wait_for("login>")
        terminal.line("in the thread")
        terminal.wait_for("You said in the thread.")
        terminal.type("\x03")
        assert terminal.ends() == 0

    with sit_down(folder) as again:
        again.wait_for("main>")
        assert "in the thread" not in again.screen
        again.line(":thread login")
        again.wait_for("login> in the thread")
        again.wait_for("You said in the thread.")
        again.type("\x03")
        assert again.ends() == 0
