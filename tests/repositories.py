"""Small real git repositories, made and looked into as a person would."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_NAME": "Ada" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "ada@example.org" for role in ("AUTHOR", "COMMITTER")},
}


def git(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> str:
    """git as a person runs it in `folder`; its output without the line's end."""
    return git_bytes(folder, *words, environment=environment).decode().strip()


def git_bytes(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> bytes:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        check=False,
        capture_output=True,
        timeout=60,
        env={**ENVIRONMENT, **(environment or {})},
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def make_repository(folder: Path, files: Mapping[str, str | bytes], branch: str = "main") -> Path:
    """With one commit that holds `files`."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch", branch)
    commit(folder, files)
    return folder


def make_bare(folder: Path, files: Mapping[str, str | bytes], branch: str = "main") -> Path:
    """Without a working tree, as a forge has it; empty of commits when there are no files."""
    if files:
        source = make_repository(folder.with_name(f"{folder.name}-source"), files, branch)
        git(source, "clone", "--quiet", "--bare", ".", str(folder))
    else:
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", "--initial-branch", branch)
    return folder


def commit(folder: Path, files: Mapping[str, str | bytes], subject: str = "Change") -> str:
    write(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", subject)
    return git(folder, "rev-parse", "HEAD")


def push_as_another(bare: Path, branch: str, files: Mapping[str, str | bytes], clone: Path) -> str:
    """Someone else commits `files` to `branch` (made from HEAD if it is new) and pushes; returns the commit."""
    git(bare, "clone", "--quiet", str(bare), str(clone))
    git(clone, "checkout", "--quiet", branch if has_branch(bare, branch) else f"-b{branch}")
    made = commit(clone, files, "By another")
    git(clone, "push", "--quiet", "origin", branch)
    return made


def has_branch(bare: Path, branch: str) -> bool:
    return bool(git(bare, "for-each-ref", f"refs/heads/{branch}"))


def tip(bare: Path, branch: str) -> str:
    return git(bare, "rev-parse", f"refs/heads/{branch}")


def files_on(bare: Path, branch: str) -> dict[str, bytes]:
    """Every file of the branch; of a symlink, where it points. Submodules are left out."""
    names = [name for name, mode in modes_on(bare, branch).items() if mode != "160000"]
    return {name: git_bytes(bare, "cat-file", "blob", f"{branch}:{name}") for name in names}


def modes_on(bare: Path, branch: str) -> dict[str, str]:
    rows = git_bytes(bare, "ls-tree", "-r", "-z", branch).decode().split("\0")
    return {row.partition("\t")[2]: row.split(" ")[0] for row in rows if row}


def subjects(bare: Path, branch: str) -> list[str]:
    """Newest first."""
    return git(bare, "log", "--format=%s", branch).splitlines()
