"""What a planted state reaches for: a program that leaves a mark, a repository of a thief, a port that counts calls."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests import repositories

HOOKS = (
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
    "proc-receive",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "sendemail-validate",
    "fsmonitor-watchman",
    "post-index-change",
)


class Listener:
    """Takes every connection on a loopback port, says nothing, and counts them."""

    def __init__(self) -> None:
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            caller.close()


@dataclass
class Bait:
    """`trap` is the program; it writes to `mark`, and passes on what it is given. `thief` is a bare repository,
    `victim` a file of the machine that is none of the agent's business, `origin` where the checkout came from.
    """

    folder: Path
    port: int
    origin: str
    mark: Path = field(init=False)
    trap: Path = field(init=False)
    thief: Path = field(init=False)
    victim: Path = field(init=False)

    def __post_init__(self) -> None:
        self.mark, self.trap, self.thief = self.folder / "mark", self.folder / "trap", self.folder / "thief.git"
        self.victim = self.folder / "victim"
        self.folder.mkdir()
        self.trap.write_text(f'#!/bin/sh\necho "$0 $*" >> {self.mark}\ncat\n')
        self.trap.chmod(0o755)
        for name in HOOKS:
            (self.folder / "traps").mkdir(exist_ok=True)
            shutil.copy(self.trap, self.folder / "traps" / name)
        repositories.make_bare(self.thief, {})

    def fill(self, text: str) -> str:
        """`{trap}`, `{thief}`, `{port}`, `{folder}` and `{origin}` stand for themselves."""
        return text.format(trap=self.trap, thief=self.thief, port=self.port, folder=self.folder, origin=self.origin)

    def evil_repository(self, folder: Path) -> Path:
        """A repository in which nearly everything runs the trap."""
        repositories.make_repository(folder, {"inside.txt": "1\n"})
        for key in ("core.fsmonitor", "core.sshCommand", "core.askPass", "diff.external", "core.editor"):
            repositories.git(folder, "config", key, str(self.trap))
        for name in HOOKS:
            self.hook(folder, name)
        return folder

    def hook(self, tree: Path, name: str) -> None:
        (tree / ".git/hooks").mkdir(exist_ok=True)
        shutil.copy(self.trap, tree / ".git/hooks" / name)


Plant = Callable[[Path, Bait], None]
"""(tree, bait): what the agent does in its checkout."""
