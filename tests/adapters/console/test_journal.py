"""The console's journal: kept before it is known, read back after a crash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.chat.console import journal as journal_module
from adapters.chat.console.journal import Journal, Line, Shown
from core.model.chat import Button, ButtonToken, Post, PostKey

KEY = PostKey("reply:1")


async def opened(path: Path) -> Journal:
    journal = Journal(path)
    await journal.open()
    return journal


async def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "console.jsonl"
    first = await opened(path)
    line = await first.add_line("", "hello")
    shown, is_new = await first.add_post("", Post("Hi", ((Button("Stop", token=ButtonToken("t")),),)), KEY)
    await first.add_edit(shown.id, Post("Hi there"))
    await first.close()

    again = await opened(path)
    part = again.part("", 10)
    await again.close()

    assert is_new
    assert part == [line, Shown(shown.number, shown.id, KEY, "", Post("Hi there"))]
    assert again.find("", KEY) == shown.id
    assert again.id == first.id


async def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    first = await opened(tmp_path / "j")
    one = await first.add_line("", "one")
    await first.close()
    again = await opened(tmp_path / "j")
    two = await again.add_line("", "two")
    await again.close()

    assert two.number > one.number
    assert again.lines_after(one.number) == [two]


async def test_a_key_is_posted_once(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j")
    first, _ = await journal.add_post("", Post("a"), KEY)
    second, is_new = await journal.add_post("", Post("b"), KEY)
    other, other_is_new = await journal.add_post("login", Post("b"), KEY)
    await journal.close()

    assert (second, is_new) == (first, False)
    assert other_is_new
    assert other.id != first.id


async def test_a_torn_last_line_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "j"
    first = await opened(path)
    await first.add_line("", "whole")
    await first.close()
    with path.open("ab") as file:
        file.write(b'{"kind":"line","n":99,"thr')

    again = await opened(path)
    await again.add_line("", "next")
    await again.close()
    third = await opened(path)
    await third.close()

    assert [each.text for each in third.lines_after(0)] == ["whole", "next"]


@pytest.mark.parametrize(
    "content", [b"hello\n", b'{"n":1}\n', b'{"kind":"line","n":1,"thread":"","text":"","token":"","on":""}\n']
)
async def test_another_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(content)
    journal = Journal(path)

    with pytest.raises(ValueError, match="j"):
        await journal.open()
    await journal.close()

    assert path.read_bytes() == content


async def test_a_write_that_fails_leaves_no_half_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    journal = await opened(path)
    with monkeypatch.context() as patch:

        def refuse(_: int) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            await journal.add_line("", "lost, and the person was told")
    kept = await journal.add_line("", "kept")
    await journal.close()
    again = await opened(path)
    await again.close()

    assert again.story == [kept]


async def test_replaced_edits_are_dropped_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "STALE_EDITS", 5)
    path = tmp_path / "j"
    journal = await opened(path)
    shown, _ = await journal.add_post("", Post("0"), KEY)
    for number in range(1, 10):
        await journal.add_edit(shown.id, Post(str(number)))
    await journal.close()
    long = path.stat().st_size

    again = await opened(path)
    line = await again.add_line("", "after")
    await again.close()
    third = await opened(path)
    await third.close()

    assert path.stat().st_size < long / 3
    assert third.posts[shown.id].post == Post("9")
    assert line.number == 11
    assert [each for each in third.story if isinstance(each, Line)] == [line]
    assert path.stat().st_mode & 0o077 == 0


async def test_threads_are_named_once_the_main_one_first(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j")
    await journal.add_line("login", "a")
    await journal.add_post("login", Post("b"), KEY)
    await journal.add_post("docs", Post("c"), KEY)
    await journal.close()

    assert journal.threads() == ["", "login", "docs"]
