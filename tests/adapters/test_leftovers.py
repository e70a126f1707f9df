"""A sandboxed process that outlived its bot is ended by the next one, and no other process is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.sandbox import leftovers
from adapters.sandbox.leftovers import end_leftovers


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Something that is called bwrap and waits."""
    path = tmp_path / "bwrap"
    path.symlink_to("/bin/sh")
    return str(path)


async def test_only_what_works_in_this_data_folder_is_ended(tmp_path: Path, program: str) -> None:
    data, other = tmp_path / "data", tmp_path / "data-of-another"
    wait = ["-c", "read -r _", "sh"]
    argvs = [
        [program, *wait, str(data / "workspaces/DEMO/runs/1/tree")],
        [program, *wait, str(other / "workspaces/DEMO/runs/1/tree")],
        ["/bin/sh", *wait, str(data / "workspaces/DEMO/runs/1/tree")],
    ]
    made = [await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.PIPE) for argv in argvs]
    waits = [asyncio.create_task(each.wait()) for each in made]
    try:
        count = await asyncio.to_thread(end_leftovers, data)
        await asyncio.wait_for(waits[0], 5)

        assert count == 1
        assert [each.returncode for each in made] == [-9, None, None]
    finally:
        for each in made[1:]:
            each.kill()
        await asyncio.gather(*waits)


def test_where_there_are_no_such_files_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "PROCESSES", tmp_path / "nowhere")

    assert end_leftovers(tmp_path) == 0
