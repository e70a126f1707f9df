"""The doors of the sandbox: every tool goes through it, and the one socket that may be let in lets in nothing else."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.agents import AGENTS, AgentTools
from adapters.agents.command import Command
from adapters.agents.config import AnthropicConfig, CommandConfig
from adapters.sandbox import Bubblewrap, NoSandbox, Unsandboxed, watch
from adapters.sandbox.bubblewrap import LAYERS, SOCKET_INSIDE, _compiled
from adapters.sandbox.config import as_section
from adapters.sandbox.filters import build_filter
from adapters.sandbox.probe import judge
from adapters.sandbox.watch import MOST_SIZES, Measured, Sizes, _children, _read, _room, _Seen, measure
from adapters.system import Ended
from core.model.errors import SandboxError
from tests.adapters.agents.turns import Notes, nobody_asked, turn_in
from tests.adapters.cells import Cell, program
from tests.fakes.llm import FakeLLM, Reply, ToolUse, Words

# ------------------------------------------------------------------------------------ every tool goes through it

_SEEN: list[tuple[str, str]] = []
_WATCHED: list[str] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Python tells of every file that it opens, lists, makes, moves or changes."""
    if not _WATCHED or not (event == "open" or event.startswith(("os.", "shutil.", "sqlite3.", "glob."))):
        return
    for each in arguments:
        if isinstance(each, str | bytes | os.PathLike) and os.fsdecode(each).startswith(_WATCHED[0]):
            if event == "os.scandir" and _is_counting():
                continue
            _SEEN.append((event, os.fsdecode(each)))


def _is_counting() -> bool:
    """The watch lists names and sizes, and opens nothing."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename.endswith("sandbox/watch.py"):
            return True
    return False


@contextmanager
def touched(folder: Path) -> Iterator[list[tuple[str, str]]]:
    """What this process does itself below that folder meanwhile."""
    if not hasattr(sys, "_patchbay_hook"):
        sys.addaudithook(_hook)  # it cannot be taken away again
        sys._patchbay_hook = True  # type: ignore[attr-defined]
    _SEEN.clear()
    _WATCHED.append(str(folder))
    try:
        yield _SEEN
    finally:
        _WATCHED.clear()


async def test_no_tool_touches_the_workspace_but_through_the_sandbox(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    (cell.tree / "a.txt").write_text("one\n")
    uses = (
        ToolUse("bash", {"command": "ls; sleep 0.5; cat a.txt"}),
        ToolUse("read", {"path": "a.txt"}),
        ToolUse("edit", {"path": "a.txt", "old": "one", "new": "two"}),
        ToolUse("edit", {"path": "new/b.txt", "old": "", "new": "three"}),
        ToolUse("plan", {"entries": [{"text": "all", "done": True}]}),
    )
    with touched(cell.tree) as seen:
        async with FakeLLM() as llm:
            llm.script([Reply(uses=uses), Words("Done.")])
            config = AnthropicConfig.model_validate({"model": "m", "base_url": llm.anthropic_base})
            agent = AGENTS["anthropic"].build("sam", config, AgentTools(cell.sandbox, tmp_path / "sessions"))
            await agent.take_turn(turn_in(cell.tree), Notes(), nobody_asked)
        recipe = Command("copy", CommandConfig(steps=(("cp", "a.txt", "c.txt"),)), cell.sandbox)
        await recipe.take_turn(turn_in(cell.tree), Notes(), nobody_asked)
        found = list(seen)

    assert [(cell.tree / each).read_text() for each in ("a.txt", "new/b.txt", "c.txt")] == ["two\n", "three", "two\n"]
    assert found == []


def test_what_this_process_opens_itself_would_be_seen(tmp_path: Path) -> None:
    with touched(tmp_path) as seen:
        (tmp_path / "a").write_text("x")
        (tmp_path / "b").mkdir()
        list(tmp_path.iterdir())

    assert {event for event, _ in seen} == {"open", "os.mkdir", "os.listdir"}


# ------------------------------------------------------------------------------------ the gateway's socket


@asynccontextmanager
async def gateway() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on a unix socket that answers each line, in a folder with another one."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(b"from the gateway\n")
        await writer.drain()
        writer.close()

    with tempfile.TemporaryDirectory(dir="/tmp", prefix="door-") as folder:
        path = f"{folder}/door"
        server = await asyncio.start_unix_server(serve, path)
        other = await asyncio.start_unix_server(serve, f"{folder}/other")
        async with server, other:
            yield path, heard


TALK = """
import socket, sys
for path in sys.argv[1:]:
    try:
        made = socket.socket(socket.AF_UNIX)
        made.connect(path)
        made.send(b"hello\\n")
        print(path, made.recv(99).decode().strip())
    except OSError as error:
        print(path, error.strerror)
"""


async def test_the_one_socket_that_is_let_in_is_all_that_can_be_reached(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    async with gateway() as (path, heard):
        ended = await cell.python(TALK, SOCKET_INSIDE, path, path.replace("door", "other"), socket=path)
        away = f"rm -f {SOCKET_INSIDE}; touch /tmp/x; mv -f /tmp/x {SOCKET_INSIDE}; ls -A /run"
        kept = await cell.sh(away, socket=path)
        without = await cell.python(TALK, SOCKET_INSIDE)

    lines = ended.text.splitlines()
    assert lines[0] == f"{SOCKET_INSIDE} from the gateway"
    assert all("No such file" in line for line in lines[1:])
    assert heard == [b"hello\n"]
    assert kept.text.splitlines()[-1] == "gateway.sock"
    assert "No such file" in without.text


async def test_the_network_is_as_closed_with_the_socket_as_without(tmp_path: Path) -> None:
    script = "cat /proc/net/dev | grep -v lo: ; (exec 3<> /dev/tcp/192.0.2.1/80) 2>&1"
    async with gateway() as (path, _):
        ended = await Cell(tmp_path).sh(script, socket=path)

    assert "unreachable" in ended.text
    assert not [line for line in ended.text.splitlines() if ":" in line and "|" not in line and "bash" not in line]


# ------------------------------------------------------------------------------------ what the probe tells


async def test_the_probe_tells_each_thing_that_it_tried(tmp_path: Path) -> None:
    cell = Cell(tmp_path)

    ready = await cell.sandbox.probe()

    told = [each.text for each in cell.sandbox.findings]
    assert ready.is_usable
    assert all(each.holds for each in cell.sandbox.findings), told
    assert len(told) >= 14
    for word in ("Landlock", "seccomp", "limits", "metadata", "environment", "read-only", "namespace"):
        assert any(word in each for each in told), word


@pytest.mark.parametrize("layer", sorted(LAYERS - {"watch"}))
async def test_a_layer_that_is_not_there_is_told_and_the_rest_is_enough(tmp_path: Path, layer: str) -> None:
    cell = Cell(tmp_path, without={layer})

    ready = await cell.sandbox.probe()

    missing = [each.text for each in cell.sandbox.findings if not each.holds]
    word = {"guards": "configuration", "landlock": "Landlock"}.get(layer, layer)
    assert ready.is_usable
    assert any(each.startswith("not there: ") and word in each for each in missing), missing


async def test_where_this_python_cannot_be_seen_the_second_layers_are_missing(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    cell.sandbox._launcher = ()

    assert (await cell.sandbox.probe()).is_usable
    assert {each.text.split(",")[0] for each in cell.sandbox.findings if not each.holds} >= {
        "not there: Landlock",
        "not there: seccomp",
        "not there: limits of the kernel for each process",
    }


def test_what_is_broken_is_told_before_all_else(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "escaped").touch()
    output = b"began\nbad: it can read secret\nname: TOKEN\nended\n"

    broken = [each.text for each in judge(tmp_path, Ended(0, output, b""), {}) if each.is_broken]

    assert broken == [
        "it can read secret",
        "it can write outside of its workspace",
        "its workspace is not the real one",
        "it sees TOKEN of the bot's environment",
    ]


def test_without_a_sandbox_nothing_is_wrapped_or_held(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="why not"):
        NoSandbox("why not").wrap(["true"], "/w", None, {})

    assert Unsandboxed().wrap(["true"], "/w", None, {}).watch is None  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ small things


def test_a_watch_that_cannot_see_counts_nothing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"

    assert _read(gone) == ""
    assert list(_children(2**30)) == []
    assert _Seen(gone).resident("1") == 0
    assert _Seen(gone).proportional("1") == 0
    assert _room(str(gone)) == (0, 0)
    assert measure(str(gone)) == Measured(0, 0, is_hidden=False)


def test_children_are_found_with_and_without_the_kernels_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        found = list(_children(os.getpid()))
        child.kill()
    listed = tmp_path / "children"
    listed.write_text("12 34 ")
    monkeypatch.setattr(watch, "_listed", lambda _: listed)

    assert child.pid in found
    assert list(_children(1)) == [12, 34]


def test_only_so_many_sizes_are_remembered() -> None:
    sizes = Sizes()
    for number in range(MOST_SIZES + 5):
        sizes.first(str(number), Measured(number, 0, is_hidden=False))

    assert "4" not in sizes
    assert sizes.first("5", Measured(0, 0, is_hidden=False)).size == 5


def test_a_machine_whose_calls_are_not_known_has_no_filter() -> None:
    assert build_filter(has_landlock=True, machine="riscv64") == b""
    assert len(build_filter(has_landlock=False, machine="aarch64")) > len(
        build_filter(has_landlock=True, machine="aarch64")
    )


def test_the_launcher_is_compiled_from_its_very_source_or_is_the_source(tmp_path: Path) -> None:
    source = tmp_path / "launch.py"
    source.write_text("print(1)")
    made = _compiled(source)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/launch.py").write_text("print(1)")
    (tmp_path / "other/__pycache__").write_text("a file where a folder would be")

    before = made.read_bytes()
    source.write_text("print(2)")
    os.utime(source, (1, 1))

    assert made.suffix == ".pyc"
    assert _compiled(source) == made
    assert made.read_bytes() != before
    assert _compiled(source) == made
    assert _compiled(tmp_path / "other/launch.py") == tmp_path / "other/launch.py"


def test_short_settings_stand_for_the_mode() -> None:
    assert as_section("off") == {"mode": "off"}
    assert as_section({"mode": "auto"}) == {"mode": "auto"}


@pytest.mark.parametrize(("said", "is_tried"), [("bwrap: Unknown option --disable-userns", True), ("bwrap: no", False)])
async def test_only_an_old_bubblewrap_is_asked_for_less(tmp_path: Path, said: str, *, is_tried: bool) -> None:
    """What does not work for another reason is not tried with a wall less."""
    old = tmp_path / "bwrap"
    old.write_text(f'#!/bin/sh\ncase "$*" in *--disable-userns*) echo "{said}" >&2; exit 1;; esac\nexec "$REAL" "$@"\n')
    old.write_text(old.read_text().replace("$REAL", str(program())))
    old.chmod(0o755)

    assert (await Bubblewrap(old, [tmp_path]).probe()).is_usable is is_tried
