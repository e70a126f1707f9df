"""What a hostile process in the sandbox tries first: the kernel's own settings, and the bot's Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from adapters.sandbox import Bubblewrap, choose
from adapters.sandbox.bubblewrap import _own_prefixes
from adapters.system import Ended, run
from core.ports import Access

SECONDS = 20.0

WRITABLE = """
import os
for folder, folders, names in os.walk("/proc"):
    if folder == "/proc":
        folders[:] = [each for each in folders if not each.isdigit() and each not in {"self", "thread-self"}]
    for name in names:
        path = os.path.join(folder, name)
        try:
            os.close(os.open(path, os.O_WRONLY))
        except OSError:
            continue
        print(path)
print("looked")
"""
"""Opened and closed again: nothing is written, whatever it finds."""


async def inside(tmp_path: Path, *argv: str) -> Ended:
    tree = tmp_path / "data" / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    wrapped = (await choose("auto", [tmp_path / "data"])).wrap(argv, str(tree), Access.WRITE, {})
    return await run(wrapped.argv, environment=wrapped.environment, seconds=SECONDS, merge=True)


async def test_no_setting_of_the_kernel_can_be_written_even_when_the_bot_is_root(tmp_path: Path) -> None:
    """`core_pattern` names a program that the kernel starts as root, outside of every sandbox."""
    ended = await inside(tmp_path, sys.executable, "-c", WRITABLE)

    assert ended.text == "looked\n"


async def test_what_programs_write_through_proc_still_works(tmp_path: Path) -> None:
    ended = await inside(tmp_path, "bash", "-c", "cat <(echo one) > /dev/stdout; echo two > /dev/fd/1")

    assert ended.text == "one\ntwo\n"


@pytest.mark.skipif(os.getuid() != 0, reason="another account may not write there anyway")
async def test_a_sandbox_that_leaves_the_kernels_settings_open_is_not_chosen(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    chosen = await choose("auto", [tmp_path / "data"])
    assert isinstance(chosen, Bubblewrap)
    at = chosen._profile.index("--remount-ro")
    chosen._profile = chosen._profile[:at] + chosen._profile[at + 2 :]

    ready = await chosen.probe()

    assert "it can change the kernel's settings" in ready.missing


@pytest.mark.parametrize("prefix", ["/", str(Path.home()), "/nowhere/.venv"])
def test_a_python_that_lies_around_a_home_is_not_shown(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(sys, "base_prefix", "/usr")

    assert _own_prefixes() == ((Path(prefix),) if prefix == "/nowhere/.venv" else ())
