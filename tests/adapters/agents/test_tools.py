"""Reading and editing through the sandbox: the exact bytes, and nothing outside of the workspace."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.agents import tools
from adapters.agents.model import Call, CallResult
from adapters.agents.output import Excerpt, cut
from adapters.agents.tools import Tools
from core.ports import Access
from tests.adapters.agents.turns import Notes, nobody_asked, turn_in
from tests.fakes.sandbox import PassThrough


class Bench:
    """The tools of a turn, as a model uses them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.notes, self.sandbox = folder, Notes(), PassThrough()
        self._tools = Tools(turn_in(folder).checkout, self.sandbox, self.notes, nobody_asked)

    def reset(self, sandbox: PassThrough) -> PassThrough:
        self._tools = Tools(turn_in(self.folder).checkout, sandbox, self.notes, nobody_asked)
        return sandbox

    async def use(self, name: str, **arguments: Any) -> CallResult:
        return await self._tools.use(Call("call_1", name, json.dumps(arguments)))

    async def edit(self, path: str, old: str, new: str) -> CallResult:
        return await self.use("edit", path=path, old=old, new=new)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "checkout"
    folder.mkdir()
    return Bench(folder)


CONTENTS = [
    "",
    "plain\n",
    "no newline at the end",
    "windows\r\nlines\r\n",
    "old mac\rlines\r",
    "naïve — ünïcödé 🤖 \u202e bidi \u200b\n",
    "\ufeffwith a byte order mark\n",
    "tabs\tand\0nul\x1b[31m\n",
    "$HOME `id` $(id) \\n %s 'quotes\" ; rm -rf .\n",
    "-n\n",
    "\n\n\n",
    "x" * 3_000_000 + "\nlast",
]


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
async def test_a_new_file_holds_exactly_what_was_written(bench: Bench, content: str) -> None:
    result = await bench.edit("src/deep/new.txt", "", content)

    assert not result.is_error, result.text
    assert (bench.folder / "src/deep/new.txt").read_bytes() == content.encode()


@pytest.mark.parametrize("content", CONTENTS[1:], ids=range(1, len(CONTENTS)))
async def test_only_the_replaced_text_changes(bench: Bench, content: str) -> None:
    before, after = f"head\r\n{content}".encode(), f"\n{content}tail".encode()
    (bench.folder / "file").write_bytes(before + b"<<MARK>>" + after)

    result = await bench.edit("file", "<<MARK>>", content)

    assert not result.is_error, result.text
    assert (bench.folder / "file").read_bytes() == before + content.encode() + after


async def test_bytes_that_are_no_text_stay(bench: Bench) -> None:
    (bench.folder / "latin").write_bytes(b"caf\xe9 = 1\n\xff\xfe")

    await bench.edit("latin", "= 1", "= 2")

    assert (bench.folder / "latin").read_bytes() == b"caf\xe9 = 2\n\xff\xfe"


@given(content=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_arrives(bench: Bench, content: str) -> None:
    (bench.folder / "any").unlink(missing_ok=True)

    asyncio.run(_written(bench, content))

    assert (bench.folder / "any").read_bytes() == content.encode()


async def _written(bench: Bench, content: str) -> None:
    result = await bench.edit("any", "", content)
    assert not result.is_error, result.text


async def test_an_edit_keeps_the_mode(bench: Bench) -> None:
    script = bench.folder / "run.sh"
    script.write_text("#!/bin/sh\necho 1\n")
    script.chmod(0o755)

    await bench.edit("run.sh", "echo 1", "echo 2")

    assert stat.S_IMODE(script.stat().st_mode) == 0o755


async def test_an_absolute_path_inside_is_taken(bench: Bench) -> None:
    result = await bench.edit(str(bench.folder / "a.txt"), "", "a\n")

    assert not result.is_error
    assert (bench.folder / "a.txt").read_text() == "a\n"


async def test_names_that_look_like_options_are_names(bench: Bench) -> None:
    for name in ("-rf", "--help", "of=x", "a b", "ü.txt"):
        assert not (await bench.edit(name, "", "text")).is_error
        assert (await bench.use("read", path=name)).text == "text"
        assert (bench.folder / name).read_text() == "text"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../outside",
        "a/../../outside",
        ".git/config",
        "sub/.git/hooks/pre-commit",
        ".GIT/config",
        "",
        ".",
        "/",
    ],
)
@pytest.mark.parametrize("tool", ["read", "edit"])
async def test_paths_outside_and_git_are_refused_before_any_process(bench: Bench, tool: str, path: str) -> None:
    result = await bench.use(tool, path=path, old="", new="x")

    assert result.is_error
    assert result.text
    assert bench.sandbox.wrapped == []
    assert list(bench.folder.parent.iterdir()) == [bench.folder]


async def test_a_text_that_is_there_twice_is_not_replaced(bench: Bench) -> None:
    (bench.folder / "a").write_text("x = 1\nx = 1\n")

    result = await bench.edit("a", "x = 1", "x = 2")

    assert result.is_error
    assert "2 times" in result.text
    assert (bench.folder / "a").read_text() == "x = 1\nx = 1\n"


async def test_a_text_that_is_not_there_is_said(bench: Bench) -> None:
    (bench.folder / "a").write_text("x = 1\n")
    (bench.folder / "dos").write_bytes(b"one\r\ntwo\r\n")

    assert "not in the file" in (await bench.edit("a", "y", "z")).text
    assert "\\r\\n" in (await bench.edit("dos", "one\ntwo", "z")).text
    assert "No such file" in (await bench.edit("missing", "y", "z")).text


async def test_a_file_with_content_is_never_overwritten_by_a_new_one(bench: Bench) -> None:
    (bench.folder / "a").write_text("precious\n")
    (bench.folder / "empty").write_text("")

    refused = await bench.edit("a", "", "new")
    filled = await bench.edit("empty", "", "new")

    assert refused.is_error
    assert "is there already" in refused.text
    assert (bench.folder / "a").read_text() == "precious\n"
    assert not filled.is_error
    assert (bench.folder / "empty").read_text() == "new"


async def test_a_folder_is_no_file(bench: Bench) -> None:
    (bench.folder / "src").mkdir()

    assert (await bench.use("read", path="src")).is_error
    assert (await bench.edit("src", "", "x")).is_error
    assert (await bench.edit("src", "y", "x")).is_error


async def test_a_write_that_fails_leaves_what_was_there(bench: Bench) -> None:
    (bench.folder / "full").symlink_to("/dev/full")

    result = await bench.edit("full", "", "x" * 10)

    assert result.is_error
    assert "No space left" in result.text
    assert not bench.notes.ends[-1].ok


async def test_reading_shows_the_lines_that_were_asked_for(bench: Bench) -> None:
    (bench.folder / "a").write_text("".join(f"line {number}\n" for number in range(1, 1001)))

    assert (await bench.use("read", path="a", from_line=998)).text == (
        "line 998\nline 999\nline 1000\n\n[lines 998-1000 of 1000]"
    )
    assert (await bench.use("read", path="a", from_line="2", lines=1.0)).text == "line 2\n\n[lines 2-2 of 1000]"
    assert "[lines 1-400 of 1000]" in (await bench.use("read", path="a")).text


async def test_an_empty_file_is_said(bench: Bench) -> None:
    (bench.folder / "a").write_text("")

    assert (await bench.use("read", path="a")).text == "(the file is empty)"


async def test_reading_may_not_write(bench: Bench) -> None:
    (bench.folder / "a").write_text("x")

    await bench.use("read", path="a")
    await bench.edit("a", "x", "y")

    accesses = [(argv[0], access) for argv, access in bench.sandbox.wrapped]
    reading = [("realpath", Access.READ), ("head", Access.READ)]
    assert accesses == [*reading, *reading, ("dd", Access.WRITE)]


async def test_a_file_that_is_too_large_is_left_to_bash(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "FILE_BYTES", 10)
    (bench.folder / "big").write_text("x" * 11)

    assert "larger than 10 bytes" in (await bench.use("read", path="big")).text


async def test_a_file_that_never_ends_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "FILE_SECONDS", 0.2)
    os.mkfifo(bench.folder / "pipe")

    assert "ended after 0.2 s" in (await bench.use("read", path="pipe")).text


async def test_one_question_at_a_time(bench: Bench) -> None:
    await bench.use("ask_user", question="First?")

    assert (await bench.use("ask_user", question="Second?")).is_error


async def test_a_disk_that_fills_up_in_an_edit_leaves_what_was_there(bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "a").write_text("old text\n")
    full = tmp_path / "bin"
    full.mkdir()
    (full / "dd").write_text(_FULL_ONCE)
    (full / "dd").chmod(0o755)
    bench.sandbox = bench.reset(PassThrough({"PATH": f"{full}:/usr/bin:/bin", "STATE": str(full / "failed")}))

    result = await bench.edit("a", "old", "new")

    assert result.is_error
    assert "No space left" in result.text
    assert (bench.folder / "a").read_text() == "old text\n"


_FULL_ONCE = """#!/bin/sh
if [ -e "$STATE" ]; then exec /usr/bin/dd "$@"; fi
touch "$STATE"
/usr/bin/dd "$@" bs=1 count=2
echo "dd: No space left on device" >&2
exit 1
"""


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        ({"command": "pytest -q\necho more"}, "pytest -q"),
        ({"command": "\n  ls  "}, "ls"),
        ({"command": "x" * 100}, "x" * 79 + "…"),
        ({"command": ""}, ""),
    ],
)
async def test_a_title_is_one_line(bench: Bench, arguments: dict[str, str], title: str) -> None:
    await bench.use("bash", **arguments)

    assert bench.notes.titles == [title]


@example(b"x" * 100, [7])
@example(b"x" * 400, [100, 30])
@given(st.binary(max_size=400), st.lists(st.integers(1, 50), max_size=8))
def test_an_excerpt_is_the_two_ends(content: bytes, sizes: list[int]) -> None:
    excerpt, rest = Excerpt(chars=40), content
    for size in sizes:
        excerpt.take(rest[:size])
        rest = rest[size:]
    excerpt.take(rest)

    whole = content.decode(errors="replace")

    if len(content) <= 160:
        assert excerpt.text == cut(whole, 40)
    else:
        assert excerpt.text.startswith(whole[:20])
        assert "left out" in excerpt.text


async def test_the_names_of_other_tools_are_understood(bench: Bench) -> None:
    await bench.use("edit", file_path="a.txt", old_string="", new_string="one")
    await bench.use("edit", file="a.txt", old_str="one", new_str="two")

    assert "two" in (await bench.use("bash", cmd="cat a.txt")).text
    assert "two" in (await bench.use("read", filename="a.txt")).text
    assert (await bench.use("edit", path="a.txt", file_path="b.txt", old="two", new="three")).is_error is False
    assert (bench.folder / "a.txt").read_text() == "three"
