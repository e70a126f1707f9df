"""The scratch project of the demo: a small git repository with untidy code and a failing test, and its recipes."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from adapters.agents.config import CommandConfig
from adapters.system import run

FOLDER = "demo-project"
TASK = "Make the failing test pass"
GIT_SECONDS = 30.0
RECIPE_SECONDS = 300.0

FILES: Mapping[str, str] = {
    "README.md": """\
# Inventory

What is on the shelves, what it is worth, and what has to be ordered.

    python -m unittest      # one test fails: a bug to be mended
    ruff check .            # and the code is untidy
""",
    ".gitignore": "__pycache__/\n",
    "pyproject.toml": """\
[project]
name = "inventory"
version = "0.1.0"
requires-python = ">=3.11"

[tool.ruff]
line-length = 100
target-version = "py311"

[tool.ruff.lint]
select = ["E4", "E7", "E9", "F", "I", "Q", "UP", "W"]
""",
    "inventory/__init__.py": '''\
"""A small shop's inventory."""
from inventory.shelf import Shelf
from inventory.items   import Item

__all__ = ['Item', "Shelf"]
''',
    "inventory/items.py": '''\
"""One kind of thing on a shelf."""
from dataclasses import dataclass
from typing import Optional
import os
import sys, json

@dataclass(frozen = True)
class Item:
    name: str
    price_cents : int
    quantity: int = 0
    reorder_at: Optional[int] = None

    def is_low( self ):
        """At or below the level at which it is ordered again; never, where no level is set."""
        if self.reorder_at == None:
            return False
        return self.quantity < self.reorder_at

    def label(self):
        return '{} ({})'.format(self.name,self.quantity)
''',
    "inventory/shelf.py": '''\
"""A shelf: items by name."""
import re
from typing import Dict, List
from inventory.items import Item


class Shelf(object):
    def __init__(self):
        self.items = {}  # type: Dict[str, Item]

    def put(self,item : Item) -> None:
        self.items[item.name] = item

    def low(self) -> List[Item]:
        """What has to be ordered, by name."""
        return sorted([ item for item in self.items.values() if item.is_low() ],
            key = lambda item: item.name)


    def worth_cents(self)->int:
        total = 0
        for item in self.items.values() :
            total += item.price_cents*item.quantity
        return total
    def lacks(self, name) -> bool:
        return not name in self.items
''',
    "tests/__init__.py": "",
    "tests/test_shelf.py": """\
import unittest

from inventory import Item, Shelf


class ShelfTest( unittest.TestCase ):

    def setUp(self):
        self.shelf = Shelf()
        self.shelf.put(Item('bolts', price_cents=12, quantity=40, reorder_at=50))
        self.shelf.put(Item("nuts", price_cents=8, quantity=100, reorder_at=100))
        self.shelf.put(Item("wire", price_cents=250, quantity=2))

    def test_worth_counts_every_piece(self):
        self.assertEqual(self.shelf.worth_cents(), 12*40 + 8*100 + 250*2)

    def test_an_item_without_a_level_is_never_low(self):
        self.assertNotIn("wire", [item.name for item in self.shelf.low()])

    def test_an_item_at_its_level_has_to_be_ordered(self):
        self.assertEqual([item.name for item in self.shelf.low()], ['bolts', 'nuts'])


if __name__ == '__main__':
    unittest.main()
""",
}
"""Every finding of the linter can be mended by it; the bug is the comparison in `is_low`."""


def recipes() -> dict[str, CommandConfig]:
    """`tidy`, `format` and `test`: agents of type `command`, with the ruff and the Python we were installed with."""
    ruff, python = _program("ruff"), _program("python")
    return {
        "tidy": CommandConfig(
            about="mends untidy Python with ruff: fixes, then format",
            steps=(
                (ruff, "check", "--no-cache", "--fix", "--unsafe-fixes", "--exit-zero", "."),
                (ruff, "format", "--no-cache", "."),
            ),
            repeatable=True,
            stop_at_failure=False,  # a file that is no Python any more is shown, the others are tidied all the same
            seconds=RECIPE_SECONDS,
        ),
        "format": CommandConfig(
            about="formats Python with ruff; file names may follow",
            steps=((ruff, "format", "--no-cache", "--", "{words}"),),
            repeatable=True,
            seconds=RECIPE_SECONDS,
        ),
        "test": CommandConfig(
            about="runs the project's tests with unittest and shows what they say",
            steps=((python, "-B", "-m", "unittest", "-v"),),
            repeatable=True,
            stop_at_failure=False,  # tests that fail are the answer, not a mishap
            seconds=RECIPE_SECONDS,
        ),
    }


def _program(name: str) -> str:
    """Beside our own Python. By its bare name, which reads better, unless the system has another of that name."""
    ours = Path(sys.executable).parent / name
    others = {shutil.which(name, path=folder) for folder in ("/usr/local/bin", "/usr/bin", "/bin")} - {None, str(ours)}
    return str(ours) if others and ours.exists() else name


async def make(folder: Path) -> Path:
    """The repository in `folder`; one that stands is left as it is. OSError, RuntimeError with git's words."""
    if await asyncio.to_thread(folder.exists):
        return folder
    fresh = folder.with_name(f"{folder.name}.new")  # what was cut half-way is begun again
    await asyncio.to_thread(_write_files, fresh)
    for words in (
        ("init", "-q", "-b", "main", "--template="),
        ("add", "--all"),
        ("commit", "-q", "--no-gpg-sign", "-m", "Begin the inventory"),
    ):
        await _git(fresh, *words)
    await asyncio.to_thread(fresh.rename, folder)
    return folder


def _write_files(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


async def _git(folder: Path, *words: str) -> None:
    """Without the person's own configuration: hooks, templates and signing are theirs, not the demo's."""
    who = {f"GIT_{role}_{what[0]}": what[1] for role in ("AUTHOR", "COMMITTER") for what in _IDENTITY}
    ended = await run(
        ["git", "-c", "core.hooksPath=/dev/null", *words],
        cwd=str(folder),
        environment={
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **who,
        },
        seconds=GIT_SECONDS,
        merge=True,
    )
    if ended.code != 0:
        raise RuntimeError(f"git {words[0]} failed in {folder}: {ended.text.strip()}")


_IDENTITY = (("NAME", "Patchbay demo"), ("EMAIL", "demo@patchbay.invalid"))
