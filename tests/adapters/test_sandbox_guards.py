"""What an agent may read but not change, for real: agents' and editors' configuration, CI workflows, hooks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.sandbox import SandboxConfig
from adapters.sandbox.guards import GUARDED, OWN_GIT, find_guards, is_opened
from adapters.system import run
from core.ports import Access
from tests.adapters.cells import Cell

FOLDERS = tuple(each for each in GUARDED if "." not in each.rpartition("/")[2][1:] and each != "Jenkinsfile")
"""Guarded names that are folders; the others are files."""
FOLDERS = tuple(each for each in FOLDERS if each not in {".cursorrules", ".envrc", ".gitmodules", ".git/config"})


def lay(tree: Path) -> None:
    """Everything that is guarded is there."""
    for name in GUARDED:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in FOLDERS:
            path.mkdir()
            (path / "inner").write_text("as it was")
        else:
            path.write_text("as it was")


def changed(tree: Path) -> list[str]:
    """Guarded names that are no longer what was laid."""
    files = [tree / name / "inner" if name in FOLDERS else tree / name for name in GUARDED]
    return [str(each) for each in files if each.is_symlink() or not each.is_file() or each.read_text() != "as it was"]


WAYS = {
    "write": "echo evil > $PLACE/inner || echo evil > $PLACE",
    "append": "echo evil >> $PLACE/inner || echo evil >> $PLACE",
    "write in place": "dd if=/dev/zero of=$PLACE/inner count=1 || dd if=/dev/zero of=$PLACE count=1",
    "cut": "truncate -s 0 $PLACE/inner || truncate -s 0 $PLACE",
    "remove": "rm -rf $PLACE",
    "move away": "mv $PLACE $PLACE.gone && mkdir $PLACE",
    "move its parent away": "mv $(dirname $PLACE) x; mkdir -p $PLACE; echo evil > $PLACE/inner || echo evil > $PLACE",
    "move over it": "echo evil > other; mv -f other $PLACE/inner || mv -fT other $PLACE",
    "exchange": "mkdir -p other; echo evil > other/inner; mv --exchange other $PLACE; mv -T other $PLACE",
    "link to it": "ln $PLACE/inner hard || ln $PLACE hard; echo evil > hard; ln -s $PLACE soft; echo evil > soft",
    "through another name of it": "echo evil > ./x/../$PLACE/inner; echo evil > /proc/self/cwd/$PLACE",
    "change its rights": "chmod 777 $PLACE $PLACE/inner; echo evil > $PLACE/inner || echo evil > $PLACE",
    "mount over it": "mount -o remount,rw $PLACE; umount -l $PLACE; echo evil > $PLACE/inner || echo evil > $PLACE",
    "git": "git checkout -f -- .; git clean -fdx; git reset --hard",
}


@pytest.mark.parametrize("way", list(WAYS))
async def test_what_is_guarded_stays_as_it_was(tmp_path: Path, way: str) -> None:
    cell = Cell(tmp_path)
    lay(cell.tree)

    await cell.sh(f"for PLACE in {' '.join(GUARDED)}; do {WAYS[way]}; done 2> /dev/null")

    print(f"{len(GUARDED) - len(changed(cell.tree))} of {len(GUARDED)} as they were")  # noqa: T201
    assert changed(cell.tree) == []


async def test_without_the_guards_all_of_it_is_changed(tmp_path: Path) -> None:
    cell = Cell(tmp_path, without={"guards"})
    lay(cell.tree)

    await cell.sh(f"for PLACE in {' '.join(GUARDED)}; do {WAYS['write']}; done 2> /dev/null")

    assert len(changed(cell.tree)) == len(GUARDED)


async def test_it_is_read_all_the_same_and_what_lies_beside_it_is_written(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    lay(cell.tree)

    ended = await cell.sh(
        "cat .claude/inner .mcp.json; echo new > .github/CODEOWNERS; mkdir src && echo > src/a; ls -A"
    )

    assert ended.text.startswith("as it wasas it was")
    assert (cell.tree / ".github/CODEOWNERS").exists()
    assert (cell.tree / "src/a").exists()


@pytest.mark.parametrize(
    ("writable", "project", "is_open"),
    [
        ([".github/workflows/**"], "DEMO", True),
        (["*"], "DEMO", True),
        ({"DEMO": [".github/workflows/ci.yml"]}, "DEMO", True),
        ({"DEMO": [".github/workflows"]}, "OTHER", False),
        ({"*": [".github/*"]}, "OTHER", True),
        ([".claude/**"], "DEMO", False),
    ],
)
async def test_a_project_may_open_some_of_it(tmp_path: Path, writable: object, project: str, *, is_open: bool) -> None:
    cell = Cell(tmp_path, writable=writable)
    lay(cell.tree)

    await cell.sh("echo mine > .github/workflows/inner", project=project)

    assert ((cell.tree / ".github/workflows/inner").read_text() == "mine\n") is is_open


async def test_what_a_person_opened_is_open_for_that_one_command(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    lay(cell.tree)
    script = "echo mine > .github/workflows/inner; echo mine > .claude/inner"

    await cell.sh(script, opened=(".github/workflows/inner",))
    opened = (cell.tree / ".github/workflows/inner").read_text()
    (cell.tree / ".github/workflows/inner").write_text("as it was")
    await cell.sh(script)

    assert opened == "mine\n"
    assert changed(cell.tree) == []


@pytest.mark.parametrize("kind", ["link", "folder"])
async def test_what_took_the_place_of_a_guarded_path_is_not_shown(tmp_path: Path, kind: str) -> None:
    """The race between looking and binding, with the worst outcome made certain: the machine's own /etc is bound."""
    cell = Cell(tmp_path)
    (cell.tree / ".claude").mkdir()
    wrapped = cell.wrap("cat", "/etc/passwd")
    (cell.tree / ".claude").rename(cell.tree / "moved")
    if kind == "link":
        (cell.tree / ".claude").symlink_to(f"{'../' * (len(cell.tree.parts) - 1)}etc")
    else:
        (cell.tree / ".claude").mkdir()

    ended = await run(wrapped.argv, environment=wrapped.environment, seconds=60, merge=True)
    at = wrapped.argv.index("-g")
    naive = await run(
        (*wrapped.argv[:at], *wrapped.argv[at + 2 :]), environment=wrapped.environment, seconds=60, merge=True
    )

    assert "changed while the sandbox was made" in ended.text
    assert ":" not in ended.text.partition(".claude")[2]
    assert ("root:" in naive.text) is (kind == "link")


def test_links_and_what_is_not_there_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".claude").symlink_to("/etc")
    os.mkfifo(tmp_path / ".mcp.json")

    assert find_guards(str(tmp_path)) == []
    assert not is_opened(".claude", [".cl", ".claude2", ""])


async def test_for_reading_nothing_needs_a_guard(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    lay(cell.tree)

    assert "-g" not in cell.wrap("true", access=Access.READ).argv


async def test_the_agents_own_git_works_but_keeps_no_hooks(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    begin = "git init -q . && git config user.name a && git config user.email a@localhost"
    ended = await cell.sh(f"{begin} && echo one > a && git add a && git commit -qm one && echo begun")
    assert ended.text.endswith("begun\n")

    work = (
        "echo two >> a && git stash -q && git stash pop -q && git commit -qam two && git checkout -q -b other"
        " && git rebase -q HEAD~1 && git tag t && git log --format=%s && git checkout -q - && git merge -q other"
        " && git gc -q && git worktree list > /dev/null && git status --short && echo worked"
    )
    worked = await cell.sh(work)
    await cell.sh("git config core.hooksPath /tmp; echo evil > .git/hooks/pre-commit; git config core.fsmonitor evil")

    assert worked.text == "two\none\nworked\n"
    assert "evil" not in (cell.tree / ".git/config").read_text()
    assert "/tmp" not in (cell.tree / ".git/config").read_text()
    assert not (cell.tree / ".git/hooks/pre-commit").exists()


def test_the_configuration_reads_a_list_and_a_mapping() -> None:
    assert SandboxConfig(writable=["a"]).opened("X") == ("a",)  # type: ignore[arg-type]
    assert SandboxConfig(writable={"X": ("b",), "*": ("a",)}).opened("X") == ("a", "b")
    assert OWN_GIT[0] in GUARDED
