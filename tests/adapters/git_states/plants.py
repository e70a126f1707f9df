"""How a state is planted, with no more than an agent has: its checkout, its git, and a place of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests import repositories
from tests.adapters.git_states.bait import Bait, Plant


def config(*pairs: tuple[str, str], attributes: str = "") -> Plant:
    """In the configuration of the checkout's own `.git`, each value besides those that stand there."""

    def plant(tree: Path, bait: Bait) -> None:
        for key, value in pairs:
            repositories.git(tree, "config", "--add", bait.fill(key), bait.fill(value))
        if attributes:
            repositories.write(tree, {".gitattributes": attributes})

    return plant


def instead(*pairs: tuple[str, str]) -> Plant:
    """In the configuration, in the place of what stood there."""

    def plant(tree: Path, bait: Bait) -> None:
        for key, value in pairs:
            repositories.git(tree, "config", "--replace-all", bait.fill(key), bait.fill(value))

    return plant


def inside(name: str, text: str, *pairs: tuple[str, str]) -> Plant:
    """A file in `.git`, and configuration beside it."""

    def plant(tree: Path, bait: Bait) -> None:
        config(*pairs)(tree, bait)
        path = tree / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(bait.fill(text))

    return plant


def files(**pairs: str) -> Plant:
    """In the checkout itself; `__` in a name stands for a slash."""

    def plant(tree: Path, bait: Bait) -> None:
        repositories.write(tree, {name.replace("__", "/"): bait.fill(text) for name, text in pairs.items()})

    return plant


def both(*plants: Plant) -> Plant:
    def plant(tree: Path, bait: Bait) -> None:
        for each in plants:
            each(tree, bait)

    return plant


def hook(name: str) -> Plant:
    return lambda tree, bait: bait.hook(tree, name)


# ------------------------------------------------------------------------------- repositories in the tree


def nested(name: str) -> Plant:
    def plant(tree: Path, bait: Bait) -> None:
        bait.evil_repository(tree / "sub")
        if name != ".git":
            (tree / "sub/.git").rename(tree / "sub" / name)

    return plant


def nested_deep(tree: Path, bait: Bait) -> None:
    bait.evil_repository(tree / "one/two/three")
    (tree / "one/two").chmod(0o500)


def nested_file(tree: Path, bait: Bait) -> None:
    evil = bait.evil_repository(bait.folder / "elsewhere")
    repositories.write(tree, {"sub/x": "1", "sub/.git": f"gitdir: {evil}/.git\n"})


def nested_link(tree: Path, bait: Bait) -> None:
    evil = bait.evil_repository(bait.folder / "elsewhere")
    repositories.write(tree, {"sub/x": "1"})
    (tree / "sub/.git").symlink_to(evil / ".git")


def in_submodule(tree: Path, bait: Bait) -> None:
    """`module` is a submodule of the base: git would ask it for its status."""
    bait.evil_repository(tree / "module")


def module_git_file(tree: Path, bait: Bait) -> None:
    evil = bait.evil_repository(bait.folder / "elsewhere")
    repositories.write(tree, {"module/x": "1", "module/.git": f"gitdir: {evil}/.git\n"})


def kept_module(tree: Path, bait: Bait) -> None:
    """What `git submodule` keeps of a submodule, in the checkout's own `.git`."""
    evil = bait.evil_repository(bait.folder / "elsewhere")
    shutil.copytree(evil / ".git", tree / ".git/modules/module")
    repositories.write(tree, {"module/.git": "gitdir: ../.git/modules/module\n"})
    repositories.write(tree, {".gitmodules": '[submodule "module"]\n\tpath = module\n\turl = ./module\n'})


def bare_inside(tree: Path, bait: Bait) -> None:
    evil = bait.evil_repository(bait.folder / "elsewhere")
    shutil.copytree(evil / ".git", tree / "assets")


def linked_worktree(tree: Path, bait: Bait) -> None:
    """A worktree that belongs to another repository, in the place of a folder of ours."""
    evil = bait.evil_repository(bait.folder / "elsewhere")
    repositories.git(evil, "worktree", "add", "--quiet", "--no-checkout", str(tree / "sub"))
    repositories.write(tree, {"sub/x": "1"})


# ------------------------------------------------------------------------------------- `.git` itself


def top_link(tree: Path, bait: Bait) -> None:
    evil = bait.evil_repository(bait.folder / "elsewhere")
    shutil.rmtree(tree / ".git")
    (tree / ".git").symlink_to(evil / ".git")


def top_file(tree: Path, bait: Bait) -> None:
    evil = bait.evil_repository(bait.folder / "elsewhere")
    shutil.rmtree(tree / ".git")
    (tree / ".git").write_text(f"gitdir: {evil}/.git\n")


def top_other_case(tree: Path, bait: Bait) -> None:
    bait.evil_repository(tree / "x")
    (tree / "x/.git").rename(tree / ".GIT")


def top_gone(tree: Path, bait: Bait) -> None:
    """git then looks for a repository in the folders above, where an agent may have one too."""
    shutil.rmtree(tree / ".git")


def top_pipe(tree: Path, bait: Bait) -> None:
    shutil.rmtree(tree / ".git")
    os.mkfifo(tree / ".git")


def common_directory(tree: Path, bait: Bait) -> None:
    evil = bait.evil_repository(bait.folder / "elsewhere")
    (tree / ".git/commondir").write_text(f"{evil}/.git\n")


def locks(tree: Path, bait: Bait) -> None:
    for name in ("index.lock", "HEAD.lock", "config.lock"):
        (tree / ".git" / name).touch()
    os.mkfifo(tree / "pipe")


# ------------------------------------------------------------------------- objects, references, the index


def private_objects(tree: Path, bait: Bait) -> None:
    """The branch is that of a repository which the bot can read, and nobody should."""
    private = repositories.make_repository(bait.folder / "private", {"private.txt": "mine\n"})
    head = repositories.git(private, "rev-parse", "HEAD")
    (tree / ".git/objects/info/alternates").write_text(
        f"{private}/.git/objects\n" + _given(tree / ".git/objects/info/alternates")
    )
    (tree / ".git/refs/heads/task/DEMO-1").write_text(f"{head}\n")


def _given(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def objects_elsewhere(tree: Path, bait: Bait) -> None:
    (tree / ".git/objects").rename(bait.folder / "objects")
    (tree / ".git/objects").symlink_to(bait.folder / "objects")


def grafts(tree: Path, bait: Bait) -> None:
    head = repositories.git(tree, "rev-parse", "HEAD")
    (tree / ".git/info").mkdir(exist_ok=True)
    (tree / ".git/info/grafts").write_text(f"{head}\n")


def shallow(tree: Path, bait: Bait) -> None:
    (tree / ".git/shallow").write_text(repositories.git(tree, "rev-parse", "HEAD") + "\n")


def replaced(tree: Path, bait: Bait) -> None:
    """`a.py` of the last commit is another file for everybody who reads it through this repository."""
    was = repositories.git(tree, "rev-parse", "HEAD:a.py")
    repositories.write(tree, {"evil": "evil\n"})
    evil = repositories.git(tree, "hash-object", "-w", "evil")
    (tree / "evil").unlink()
    repositories.git(tree, "replace", was, evil)


def replaced_commit(tree: Path, bait: Bait) -> None:
    """The last commit stands for one that has no parent and other files."""
    head, empty = repositories.git(tree, "rev-parse", "HEAD"), repositories.git(tree, "mktree", "--missing")
    other = repositories.git(tree, "commit-tree", empty, "-m", "Nothing was here")
    repositories.git(tree, "replace", head, other)


def packed_branch(tree: Path, bait: Bait) -> None:
    """The branch begins somewhere else: a push would carry a history that nobody has seen."""
    empty = repositories.git(tree, "mktree", "--missing")
    other = repositories.git(tree, "commit-tree", empty, "-m", "Another history")
    shutil.rmtree(tree / ".git/refs/heads")
    (tree / ".git/refs/heads").mkdir()
    (tree / ".git/packed-refs").write_text(f"{other} refs/heads/task/DEMO-1\n")


def head_of_another(tree: Path, bait: Bait) -> None:
    (tree / ".git/HEAD").write_text("ref: refs/heads/main\n")


def head_link(tree: Path, bait: Bait) -> None:
    (bait.folder / "HEAD").write_text("ref: refs/heads/../../../outside\n")
    (tree / ".git/HEAD").unlink()
    (tree / ".git/HEAD").symlink_to(bait.folder / "HEAD")


def branch_link(tree: Path, bait: Bait) -> None:
    """git writes its references through links: another file of the machine becomes a commit's name."""
    bait.victim.write_text("mine\n")
    branch = tree / ".git/refs/heads/task/DEMO-1"
    branch.unlink()
    branch.symlink_to(bait.victim)


def unseen(flag: str) -> Plant:
    """The index says of `a.py` that nobody need look whether it has changed."""

    def plant(tree: Path, bait: Bait) -> None:
        repositories.git(tree, "update-index", flag, "a.py")

    return plant


def index_link(tree: Path, bait: Bait) -> None:
    """git writes its index through links, over whatever is there."""
    (tree / ".git/index").rename(bait.victim)
    (tree / ".git/index").symlink_to(bait.victim)


def index_with_git_path(tree: Path, bait: Bait) -> None:
    """Staged by hand: a link in the place of a folder, and a hook below it."""
    blob = repositories.git(tree, "hash-object", "-w", str(bait.trap))
    repositories.git(tree, "update-index", "--add", "--cacheinfo", f"120000,{blob},staged")


def index_garbage(tree: Path, bait: Bait) -> None:
    (tree / ".git/index").write_bytes(b"DIRC\0\0\0\2\xff\xff\xff\xff" + b"\0" * 64)


def missing_promised(tree: Path, bait: Bait) -> None:
    """The branch names a commit that is not there: git asks the promisor for it."""
    config(
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "evil"),
        ("remote.evil.promisor", "true"),
        ("remote.evil.url", "ext::{trap} %S"),
        ("protocol.ext.allow", "always"),
    )(tree, bait)
    (tree / ".git/refs/heads/task/DEMO-1").write_text("1" * 40 + "\n")


def programs(tree: Path, bait: Bait) -> None:
    for name in ("git", "git-add", "git-receive-pack", "git-upload-pack", "sh"):
        shutil.copy(bait.trap, tree / name)


def home_files(tree: Path, bait: Bait) -> None:
    text = f"[core]\n\tfsmonitor = {bait.trap}\n\thooksPath = {bait.folder}/traps\n"
    repositories.write(tree, {".gitconfig": text, ".config/git/config": text, "etc/gitconfig": text})
