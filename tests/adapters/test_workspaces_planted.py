"""What an evil agent can plant in its checkout: none of it runs, none of it turns the push elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.system import SystemClock
from adapters.workspaces import GitWorkspaces
from core.model.work import Project, ProjectKey, RepoRef, RunId
from core.ports import CommitMessage, Remote
from tests import repositories

Plant = Callable[[Path, Path], None]
"""(tree, trap): `trap` is a program that leaves a mark when it is run."""

BRANCH = "task/DEMO-1"
ALL_HOOKS = (
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "pre-receive",
    "update",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "fsmonitor-watchman",
    "post-index-change",
)


def config(*pairs: tuple[str, str], attributes: str = "") -> Plant:
    """In the config of the checkout's own `.git`; `{trap}` stands for the trap."""

    def plant(tree: Path, trap: Path) -> None:
        for key, value in pairs:
            repositories.git(tree, "config", "--add", key.format(trap=trap), value.format(trap=trap))
        if attributes:
            repositories.write(tree, {".gitattributes": attributes})

    return plant


def hook(name: str) -> Plant:
    def plant(tree: Path, trap: Path) -> None:
        (tree / ".git/hooks").mkdir(exist_ok=True)
        shutil.copy(trap, tree / ".git/hooks" / name)

    return plant


def evil_repository(folder: Path, trap: Path) -> Path:
    repositories.make_repository(folder, {"inside.txt": "1\n"})
    for key in ("core.fsmonitor", "core.sshCommand", "core.askPass", "diff.external", "core.editor"):
        repositories.git(folder, "config", key, str(trap))
    for name in ALL_HOOKS:
        hook(name)(folder, trap)
    return folder


def nested(name: str) -> Plant:
    def plant(tree: Path, trap: Path) -> None:
        evil_repository(tree / "sub", trap)
        if name != ".git":
            (tree / "sub/.git").rename(tree / "sub" / name)

    return plant


def nested_deep(tree: Path, trap: Path) -> None:
    evil_repository(tree / "one/two/three", trap)
    (tree / "one/two").chmod(0o500)


def nested_file(tree: Path, trap: Path) -> None:
    evil = evil_repository(trap.parent / "elsewhere", trap)
    repositories.write(tree, {"sub/x": "1", "sub/.git": f"gitdir: {evil}/.git\n"})


def nested_link(tree: Path, trap: Path) -> None:
    evil = evil_repository(trap.parent / "elsewhere", trap)
    repositories.write(tree, {"sub/x": "1"})
    (tree / "sub/.git").symlink_to(evil / ".git")


def in_submodule(tree: Path, trap: Path) -> None:
    """`module` is a submodule of the base: git would ask it for its status."""
    evil_repository(tree / "module", trap)


def top_link(tree: Path, trap: Path) -> None:
    evil = evil_repository(trap.parent / "elsewhere", trap)
    shutil.rmtree(tree / ".git")
    (tree / ".git").symlink_to(evil / ".git")


def top_file(tree: Path, trap: Path) -> None:
    evil = evil_repository(trap.parent / "elsewhere", trap)
    shutil.rmtree(tree / ".git")
    (tree / ".git").write_text(f"gitdir: {evil}/.git\n")


def top_other_case(tree: Path, trap: Path) -> None:
    evil_repository(tree / "x", trap)
    (tree / "x/.git").rename(tree / ".GIT")


def top_gone(tree: Path, trap: Path) -> None:
    shutil.rmtree(tree / ".git")


def common_directory(tree: Path, trap: Path) -> None:
    evil = evil_repository(trap.parent / "elsewhere", trap)
    (tree / ".git/commondir").write_text(f"{evil}/.git\n")


def worktree_config(tree: Path, trap: Path) -> None:
    repositories.git(tree, "config", "core.repositoryFormatVersion", "1")
    repositories.git(tree, "config", "extensions.worktreeConfig", "true")
    (tree / ".git/config.worktree").write_text(f"[core]\n\tfsmonitor = {trap}\n")


def info_attributes(tree: Path, trap: Path) -> None:
    config(("filter.evil.clean", "{trap}"), ("filter.evil.smudge", "{trap}"))(tree, trap)
    (tree / ".git/info/attributes").write_text("* filter=evil\n")


def alternates(tree: Path, trap: Path) -> None:
    (tree / ".git/objects/info/alternates").write_text("/\n")


def grafts(tree: Path, trap: Path) -> None:
    head = repositories.git(tree, "rev-parse", "HEAD")
    (tree / ".git/info/grafts").write_text(f"{head} {head}\n")


def modules(tree: Path, trap: Path) -> None:
    text = f'[submodule "a"]\n\tpath = a\n\turl = ext::{trap}\n\tupdate = !{trap}\n'
    repositories.write(tree, {".gitmodules": text})


def bare_inside(tree: Path, trap: Path) -> None:
    evil = evil_repository(trap.parent / "elsewhere", trap)
    shutil.copytree(evil / ".git", tree / "assets")


def home_files(tree: Path, trap: Path) -> None:
    text = f"[core]\n\tfsmonitor = {trap}\n\thooksPath = {trap.parent}\n"
    repositories.write(tree, {".gitconfig": text, ".config/git/config": text, "etc/gitconfig": text})


def programs(tree: Path, trap: Path) -> None:
    for name in ("git", "git-add", "git-receive-pack", "git-upload-pack", "sh"):
        shutil.copy(trap, tree / name)


def locks(tree: Path, trap: Path) -> None:
    for name in ("index.lock", "HEAD.lock", "config.lock"):
        (tree / ".git" / name).touch()
    os.mkfifo(tree / "pipe")


EVIL = "file:///nonexistent/{trap}"
PLANTED: dict[str, Plant] = {
    "fsmonitor": config(("core.fsmonitor", "{trap}")),
    "hooks path": config(("core.hooksPath", "{trap}s")),
    "ssh command": config(("core.sshCommand", "{trap}")),
    "editor": config(("core.editor", "{trap}"), ("sequence.editor", "{trap}")),
    "pager": config(("core.pager", "{trap}"), ("pager.diff", "{trap}"), ("pager.log", "{trap}")),
    "askpass": config(("core.askPass", "{trap}")),
    "credential helper": config(("credential.helper", "!{trap}")),
    "clean filter": config(("filter.evil.clean", "{trap}"), attributes="* filter=evil\n"),
    "smudge filter": config(("filter.evil.smudge", "{trap}"), attributes="* filter=evil\n"),
    "process filter": config(
        ("filter.evil.process", "{trap}"), ("filter.evil.required", "true"), attributes="* filter=evil\n"
    ),
    "large file storage": config(
        ("filter.lfs.clean", "{trap}"), ("filter.lfs.process", "{trap}"), attributes="* filter=lfs\n"
    ),
    "textconv": config(("diff.evil.textconv", "{trap}"), attributes="* diff=evil\n"),
    "diff command": config(("diff.evil.command", "{trap}"), ("diff.external", "{trap}"), attributes="* diff=evil\n"),
    "merge driver": config(("merge.evil.driver", "{trap}"), attributes="* merge=evil\n"),
    "receive pack": config(("remote.origin.receivepack", "{trap}"), ("remote.origin.url", EVIL)),
    "upload pack": config(("remote.origin.uploadpack", "{trap}"), ("remote.origin.url", EVIL)),
    "url": config(("remote.origin.url", EVIL)),
    "push url": config(("remote.origin.pushurl", EVIL), ("remote.pushDefault", "origin")),
    "instead of": config(("url.file:///nonexistent/.insteadOf", "/"), ("url.ext::{trap}.insteadOf", "https://")),
    "push instead of": config(("url.file:///nonexistent/.pushInsteadOf", "/")),
    "include": config(("include.path", "../planted"), attributes="* filter=evil\n"),
    "proxy": config(("http.proxy", "http://127.0.0.1:9"), ("core.gitProxy", "{trap}")),
    "signing": config(("gpg.program", "{trap}"), ("commit.gpgSign", "true"), ("push.gpgSign", "true")),
    "alternate refs": config(("core.alternateRefsCommand", "{trap}")),
    "worktree elsewhere": config(("core.worktree", "/")),
    "pack objects hook": config(("uploadpack.packObjectsHook", "{trap}")),
    "ext protocol": config(("protocol.ext.allow", "always"), ("remote.origin.url", "ext::{trap}")),
    "alias": config(("alias.add", "!{trap}"), ("alias.push", "!{trap}")),
    "promisor": config(("extensions.partialClone", "origin"), ("remote.origin.promisor", "true")),
    **{f"hook {name}": hook(name) for name in ALL_HOOKS},
    "config.worktree": worktree_config,
    "commondir": common_directory,
    "info/attributes": info_attributes,
    "alternates": alternates,
    "grafts": grafts,
    "locks and a pipe": locks,
    ".git is a link": top_link,
    ".git is a file": top_file,
    ".git is gone": top_gone,
    ".GIT at the top": top_other_case,
    "nested .git": nested(".git"),
    "nested .GIT": nested(".GIT"),
    "nested .Git": nested(".Git"),
    "nested git~1": nested("git~1"),
    "nested .git with a dot": nested(".git."),
    "nested deep": nested_deep,
    "nested .git is a file": nested_file,
    "nested .git is a link": nested_link,
    "in a submodule": in_submodule,
    ".gitmodules": modules,
    "a bare repository": bare_inside,
    "home files": home_files,
    "programs": programs,
}

SPRUNG_BY_HABIT = (
    "fsmonitor",
    "hooks path",
    "clean filter",
    "process filter",
    "hook pre-commit",
    "config.worktree",
    "info/attributes",
    "in a submodule",
)
"""Those that a plain `git add` and `git commit` in the checkout falls for."""


class Field:
    def __init__(self, tmp_path: Path) -> None:
        self.mark = tmp_path / "sprung"
        self.trap = tmp_path / "bait" / "trap"
        self.trap.parent.mkdir()
        self.trap.write_text(f'#!/bin/sh\necho "$0 $*" >> {self.mark}\ncat\n')
        self.trap.chmod(0o755)
        for name in ALL_HOOKS:
            repositories.write(tmp_path / "bait" / "traps", {name: self.trap.read_bytes()})
            (tmp_path / "bait" / "traps" / name).chmod(0o755)
        self.data = tmp_path / "data"
        source = repositories.make_repository(tmp_path / "source", {"a.py": "x = 1\n"})
        head = repositories.git(source, "rev-parse", "HEAD")
        repositories.git(source, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
        repositories.git(source, "commit", "--quiet", "--message", "A submodule")
        self.remote = tmp_path / "remote.git"
        repositories.git(source, "clone", "--quiet", "--bare", ".", str(self.remote))


@pytest.fixture
def field(tmp_path: Path) -> Field:
    return Field(tmp_path)


@pytest.mark.parametrize("name", PLANTED)
async def test_what_is_planted_is_inert(field: Field, name: str) -> None:
    workspaces = GitWorkspaces(field.data, SystemClock())
    project, remote = Project(ProjectKey("DEMO"), "Demo", RepoRef("local"), "main"), Remote(str(field.remote))
    run = RunId("run-1")
    checkout = await workspaces.prepare(run, project, BRANCH, remote)
    tree = Path(checkout.path)
    PLANTED[name](tree, field.trap)
    repositories.write(tree, {"a.py": "x = 2\n", "planted": f'[filter "evil"]\n\tclean = {field.trap}\n'})

    await workspaces.diff(checkout)
    change = await workspaces.publish(checkout, CommitMessage("Change", ""), remote)
    await workspaces.branch_diff(project, BRANCH, remote)
    await workspaces.prepare(run, project, BRANCH, remote)
    await workspaces.discard(run)

    assert change is not None
    assert repositories.files_on(field.remote, BRANCH)["a.py"] == b"x = 2\n"
    assert repositories.modes_on(field.remote, BRANCH)["module"] == "160000"
    assert [mode for mode in repositories.modes_on(field.remote, BRANCH).values() if mode == "160000"] == ["160000"]
    assert not field.mark.exists(), field.mark.read_text()


@pytest.mark.parametrize("name", SPRUNG_BY_HABIT)
async def test_the_traps_are_real(field: Field, name: str) -> None:
    workspaces = GitWorkspaces(field.data, SystemClock())
    project = Project(ProjectKey("DEMO"), "Demo", RepoRef("local"), "main")
    checkout = await workspaces.prepare(RunId("run-1"), project, BRANCH, Remote(str(field.remote)))
    tree = Path(checkout.path)
    PLANTED[name](tree, field.trap)
    repositories.write(tree, {"a.py": "x = 2\n"})

    by_habit(tree)

    assert field.mark.exists()


def by_habit(tree: Path) -> None:
    for words in (["add", "--all"], ["commit", "--message", "x"], ["status"]):
        subprocess.run(["git", "-C", tree, *words], check=False, capture_output=True, env=repositories.ENVIRONMENT)
