"""Forty canaries, thirteen categories, eight encodings: what a scripted evil agent lets out."""

from __future__ import annotations

import asyncio
import base64
import codecs
import gzip
import json
import os
import re
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.sandbox import Bubblewrap, Unsandboxed
from adapters.secrets import Redactor
from adapters.system import run
from core.ports import Access, Sandbox
from tests.adapters.canaries.places import CATEGORIES, Garden, garden
from tests.adapters.cells import Cell, program

AGENT = (Path(__file__).parent / "agent.py").read_text()
CANARIES, ENCODINGS = 40, 8
SECONDS = 300

pytestmark = pytest.mark.timeout(SECONDS)

DECODERS: dict[str, Callable[[str], str]] = {
    "raw": lambda shown: shown,
    "base64": lambda shown: base64.b64decode(shown).decode("latin-1"),
    "hex": lambda shown: bytes.fromhex(shown).decode("latin-1"),
    "url": urllib.parse.unquote,
    "reversed": lambda shown: shown[::-1],
    "split": lambda shown: shown[::2],
    "gzip": lambda shown: gzip.decompress(base64.b64decode(shown)).decode("latin-1"),
    "rot13": lambda shown: codecs.encode(shown, "rot13"),
}
BLACKED_OUT = ("raw", "base64", "hex", "url")
"""What the redactor claims to know of a live secret. The other four nobody can list to their end: what an agent is not
given, it need not be kept from saying.
"""


@pytest.fixture(scope="module")
def planted() -> Iterator[Garden]:
    with garden() as made:
        yield made


async def let_out(planted: Garden, sandbox: Sandbox, category: str) -> str:
    """All that came out of it: output, and names and content of files in its workspace."""
    how, channel = CATEGORIES[category]
    places = json.dumps([{"kind": each.kind, "at": each.at} for each in planted.places])
    argv = [sys.executable, "-I", "-c", AGENT, how, channel, places]
    wrapped = sandbox.wrap(argv, str(planted.tree), Access.WRITE, {})
    ended = await run(
        wrapped.argv,
        environment={**wrapped.environment, **(planted.environment() if isinstance(sandbox, Unsandboxed) else {})},
        seconds=SECONDS,
        cwd=str(planted.tree),
        merge=True,
        watch=wrapped.watch,
    )
    assert f"looked {how}" in ended.text, ended.text[-2000:]
    left = await asyncio.to_thread(_taken, planted.tree)
    return ended.output.decode("latin-1") + left


def _taken(tree: Path) -> str:
    """What it left in its workspace, which is empty again."""
    found = []
    names = tree / "names"
    if names.is_dir():
        found.append("".join(name[7:] for name in sorted(each.name for each in names.iterdir())))
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_file():
            found.append(path.read_text(encoding="latin-1"))
            path.unlink()
        elif path.is_dir():
            path.rmdir()
    return "\n".join(found)


def leaks(planted: Garden, said: str) -> dict[str, list[str]]:
    """Of each encoding, which canaries came out in it."""
    found: dict[str, list[str]] = {encoding: [] for encoding in DECODERS}
    for encoding, shown in re.findall(r"<<(\w+):(.*?)>>", said, re.DOTALL):
        decoded = DECODERS[encoding](shown.replace("%2F", "/"))
        found[encoding] += [each.name for each in planted.places if each.word in decoded]
    for each in planted.places:
        if each.word in said and each.name not in found["raw"]:
            found["raw"].append(each.name)
    return {encoding: sorted(set(names)) for encoding, names in found.items()}


def test_there_are_as_many_as_it_says(planted: Garden) -> None:
    assert len(planted.places) >= CANARIES
    assert len({each.name for each in planted.places}) == len(planted.places)
    assert len(CATEGORIES) == 13
    assert len({how for how, _ in CATEGORIES.values()}) == 13
    assert len(DECODERS) == ENCODINGS


@pytest.mark.parametrize("category", CATEGORIES)
async def test_nothing_leaks(planted: Garden, monkeypatch: pytest.MonkeyPatch, category: str) -> None:
    for name, word in planted.environment().items():
        monkeypatch.setenv(name, word)
    sandbox = Bubblewrap(program(), [planted.data])

    found = leaks(planted, await let_out(planted, sandbox, category))

    of = len(planted.places) * ENCODINGS
    print(f"{category}: {of - sum(map(len, found.values()))} of {of} kept")  # noqa: T201
    assert not any(found.values()), found


LEAST = {"sandbox-write-escape": 20}
"""What is read by a hard link must lie on the same disk; all the other ways find nearly everything."""


@pytest.mark.skipif(os.getuid() != 0, reason="what root may read is what is shown")
@pytest.mark.parametrize("category", CATEGORIES)
async def test_without_a_sandbox_they_leak_in_every_encoding(planted: Garden, category: str) -> None:
    found = leaks(planted, await let_out(planted, Unsandboxed(), category))

    print(f"{category}: {[len(names) for names in found.values()]} of {len(planted.places)} leak")  # noqa: T201
    assert all(len(names) >= LEAST.get(category, 25) for names in found.values()), found


async def test_live_secrets_that_it_was_told_to_print_are_blacked_out(tmp_path: Path) -> None:
    """A secret that stands in the repository itself: it can be read there, and must not be said in the chat."""
    cell = Cell(tmp_path)
    secrets = [f"live-{uuid4().hex}-{uuid4().hex}" for _ in range(40)]
    places = []
    for number, secret in enumerate(secrets):
        (cell.tree / f"secret-{number}").write_text(secret)
        places.append({"kind": "file", "at": f"secret-{number}"})

    ended = await cell.python(AGENT, "plainly", "the output", json.dumps(places))
    said = Redactor(secrets)(ended.text)

    def standing(text: str) -> dict[str, int]:
        shown = re.findall(r"<<(\w+):(.*?)>>", text, re.DOTALL)
        return {name: sum(_holds(name, each, secrets) for kind, each in shown if kind == name) for name in DECODERS}

    before, after = standing(ended.text), standing(said)
    print(f"blacked out: { {name: f'{before[name] - after[name]} of {before[name]}' for name in before} }")  # noqa: T201
    assert set(before.values()) == {40}
    assert [after[name] for name in BLACKED_OUT] == [0] * len(BLACKED_OUT)


def _holds(encoding: str, shown: str, secrets: list[str]) -> bool:
    try:
        decoded = DECODERS[encoding](shown)
    except (ValueError, OSError, EOFError):
        return False
    return any(each in decoded for each in secrets)
