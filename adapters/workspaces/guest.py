"""The agent's side of a checkout: a throw-away `.git` made of plain files, and what is taken away before we look.

The bot never runs git in that `.git` and never reads it. All functions block: call them in a thread.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from adapters.workspaces.places import Meta, Place, remove_folder
from core.model.errors import WorkspaceError

CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogAllRefUpdates = true
[user]
\tname = agent
\temail = agent@localhost
"""

GIT_NAME = re.compile(r"(\.git|git~1)[ .]*([:\\].*)?", re.IGNORECASE | re.DOTALL)
"""What some file system takes for `.git`: git itself refuses such paths (is_ntfs_dotgit in its path.c)."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
"""A folder itself: with these a link, or a pipe that would never answer, is an error."""

LINK_MODE = (0o160000).to_bytes(4, "big")
"""The mode of a submodule in git's index."""


def write_git(place: Place, meta: Meta) -> None:
    """`git status`, `diff` and `log` work for the agent: its objects are its own, the history is read from ours.

    `hooks` is there, and empty, so that the sandbox can keep it so.
    """
    folder = place.tree / ".git"
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/remotes/origin", "info", "hooks"):
        (folder / name).mkdir(parents=True)
    _write(folder / "HEAD", f"ref: refs/heads/{meta.branch}\n")
    _write(folder / "config", CONFIG)
    _write(folder / "refs" / "heads" / meta.branch, f"{meta.origin}\n")
    _write(folder / "objects" / "info" / "alternates", "../../../readable\n")
    shutil.copyfile(place.index, folder / "index")


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def may_hold_links(place: Place) -> bool:
    """False: no submodule is in the index. True: perhaps."""
    return LINK_MODE in place.index.read_bytes()


def remove_nested_git(tree: Path) -> None:
    """Every `.git` below the top, whatever its case and kind, so that git takes what is around it for plain files.

    git would open it, and for one that it knows as a submodule even start what its configuration names.
    """
    pending = [os.fspath(tree)]
    while pending:
        folder = pending.pop()
        with os.scandir(_opened(folder)) as entries:
            for entry in entries:
                if GIT_NAME.fullmatch(entry.name):
                    if folder != os.fspath(tree) or entry.name != ".git":
                        _remove(entry)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def lay_view(place: Place) -> None:
    """The same files, by hard links, in folders that are ours: what git looks at while the agent may be at work.

    In the tree itself a folder could become a link to anywhere between git's look at it and git's reading of it, and
    the bot's git would read there with the bot's rights.
    """
    remove_folder(place.view)
    top = os.open(place.tree, FOLDER)
    try:
        _mirror(top, os.fspath(place.view))
    except RecursionError:
        raise WorkspaceError("The folders of this run are nested too deeply to be looked at.") from None
    finally:
        os.close(top)


def _mirror(folder: int, to: str) -> None:
    """Nothing is reached by a path, only by what is open. What has gone or changed its kind meanwhile is left out."""
    os.mkdir(to)  # noqa: PTH102 - on the hot way
    with os.scandir(folder) as entries:
        for entry in entries:
            if GIT_NAME.fullmatch(entry.name):
                continue
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                if entry.is_dir(follow_symlinks=False):
                    _mirror_within(folder, entry.name, f"{to}/{entry.name}")
                elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                    os.link(entry.name, f"{to}/{entry.name}", src_dir_fd=folder, follow_symlinks=False)


def _mirror_within(folder: int, name: str, to: str) -> None:
    inner = os.open(name, FOLDER, dir_fd=folder)
    try:
        _mirror(inner, to)
    finally:
        os.close(inner)


def _opened(folder: str) -> str:
    """A folder that its owner may not read or change could hide one."""
    mode = os.lstat(folder).st_mode
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(folder, stat.S_IMODE(mode) | stat.S_IRWXU)  # noqa: PTH101 - os.scandir gives a str
    return folder


def _remove(entry: os.DirEntry[str]) -> None:
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.path)  # noqa: PTH108 - os.scandir gives a str
        return
    remove_folder(Path(entry.path))
