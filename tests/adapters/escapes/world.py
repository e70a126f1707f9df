"""What an escape is after: secrets, files, traps and a process outside, and how it is told whether it got there."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from adapters.sandbox import Bubblewrap, Unsandboxed
from adapters.system import ProcessEndedError, run
from core.ports import Access, Sandbox
from tests.adapters.cells import alive, program, until
from tests.adapters.escapes.case import Escape
from tests.adapters.escapes.files import GUARDED

SECONDS = 60.0
PRELUDE = "import ctypes, os, socket, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"
FILES = (
    *("patchbay.db", "config.yaml", "engine.db-wal", "sessions/history.jsonl", "projects/P/git/config"),
    *("projects/P/git/objects/x", "runs/two/tree/secret.txt", "runs/two/index", "home/.netrc", "program/bot.py"),
)


class World:
    """In a folder of its own, made for one escape."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "data"
        self.run = self.out / "runs" / "one"
        self.tree = self.run / "tree"
        self.word = f"canary{uuid4().hex}"
        self.won, self.mark = f"won-{uuid4().hex}", f"mark-{uuid4().hex}"
        self.tree.mkdir(parents=True)
        for name in FILES:
            path = self.out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{self.word}\n")
        for name in GUARDED.values():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("as it was\n")
        base = sqlite3.connect(self.out / "engine.db")
        base.execute("create table t (word)")
        base.execute("insert into t values (?)", (self.word,))
        base.commit()
        base.close()
        self._before = self._snapshot()

    def sandbox(self) -> Sandbox:
        return Bubblewrap(program(), [self.out])

    async def tried(self, escape: Escape, sandbox: Sandbox, traps: Traps) -> str:
        """How it got out; empty: it did not."""
        traps.lay(self.out)
        with self._victim() as victim:
            output = await self._output(escape, sandbox, traps, victim.pid)
            hurt = self._hurt(victim, is_likely="kill" in escape.script or "signal" in escape.script)
        living = alive(self.mark) and (await self._lives_on())
        found = {
            "it read the secret": self.word in output,
            "it did what it should not": self.won in output,
            "it changed what is outside": self._snapshot() != self._before,
            "a trap heard it": traps.heard(),
            "it hurt a process": hurt,
            "it lives on": bool(living),
        }
        return ", ".join(how for how, is_so in found.items() if is_so)

    async def _output(self, escape: Escape, sandbox: Sandbox, traps: Traps, victim: int) -> str:
        script = PRELUDE + escape.script if escape.is_python else escape.script
        argv = [sys.executable, "-I", "-c", script] if escape.is_python else ["bash", "-c", script]
        given = {
            "OUT": str(self.out),
            "RUN": str(self.run),
            "MARK": self.mark,
            "PREFIX": "canary",
            "VICTIM": str(victim),
            "PREFIXES": sys.prefix,
            **traps.numbers,
            **({"WON": self.won} if "WON" in escape.script else {}),
        }
        wrapped = sandbox.wrap(argv, str(self.tree), Access.WRITE, given)
        try:
            ended = await run(
                wrapped.argv,
                environment=wrapped.environment,
                seconds=SECONDS,
                cwd=str(self.tree),
                merge=True,
                watch=wrapped.watch,
            )
        except ProcessEndedError as error:
            return error.output.decode(errors="replace")
        return ended.text

    @contextmanager
    def _victim(self) -> Iterator[subprocess.Popen[bytes]]:
        """A process of others: the secret stands in its environment, its input and its folder."""
        with (self.out / "patchbay.db").open("rb") as stdin:
            victim = subprocess.Popen(
                ["sleep", "600"], env={"WORD": self.word}, cwd=self.out, stdin=stdin, start_new_session=True
            )
        self._began = _state(victim.pid)
        try:
            yield victim
        finally:
            with suppress(ProcessLookupError):
                victim.kill()
            victim.wait()

    def _hurt(self, victim: subprocess.Popen[bytes], *, is_likely: bool) -> bool:
        if is_likely:  # a signal takes a moment
            with suppress(subprocess.TimeoutExpired):
                victim.wait(0.3)
        return victim.poll() is not None or _state(victim.pid) in {"T", "t"}

    async def _lives_on(self) -> bool:
        """What is being ended takes a moment."""
        with suppress(TimeoutError):
            await until(lambda: not alive(self.mark), 5)
        found = alive(self.mark)
        for number in found:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        return bool(found)

    def _snapshot(self) -> Mapping[str, tuple[int, bytes]]:
        """Everything outside of the worktree."""
        found: dict[str, tuple[int, bytes]] = {}
        for path in self.out.rglob("*"):
            if path.is_relative_to(self.tree) or path.name.startswith("trap"):
                continue
            is_file = path.is_file() and not path.is_symlink()
            found[str(path)] = (path.lstat().st_mode, path.read_bytes() if is_file else b"")
        return found


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return "gone"


class Traps:
    """Listeners on this machine, which should hear nothing."""

    def __init__(self) -> None:
        self._streams = [_listening(socket.AF_INET, ("127.0.0.1", 0))]
        with suppress(OSError):
            self._streams.append(_listening(socket.AF_INET6, ("::1", 0)))
        self.has_six = len(self._streams) == 2
        abstract = f"trap-{uuid4().hex}"
        self._streams.append(_listening(socket.AF_UNIX, f"\0{abstract}"))
        self._datagrams = [_bound(socket.AF_INET, ("127.0.0.1", 0))]
        self._laid: list[socket.socket] = []
        ports = [each.getsockname()[1] for each in (*self._streams[:-1], *self._datagrams)]
        self.numbers = {
            "TCP": str(ports[0]),
            "TCP6": str(ports[1] if self.has_six else 1),
            "UDP": str(ports[-1]),
            "ABSTRACT": abstract,
        }

    def lay(self, folder: Path) -> None:
        """Two in that folder as well."""
        for each in self._laid:
            each.close()
        self._laid = [
            _listening(socket.AF_UNIX, str(folder / "trap")),
            _bound(socket.AF_UNIX, str(folder / "trap-datagram")),
        ]

    def heard(self) -> bool:
        called = [_called(each) for each in (*self._streams, *self._datagrams, *self._laid)]
        return any(called)

    def close(self) -> None:
        for each in (*self._streams, *self._datagrams, *self._laid):
            each.close()


def _listening(family: int, address: object) -> socket.socket:
    made = _bound(family, address, socket.SOCK_STREAM)
    made.listen()
    return made


def _bound(family: int, address: object, kind: int = socket.SOCK_DGRAM) -> socket.socket:
    made = socket.socket(family, kind)
    made.bind(address)  # type: ignore[arg-type]
    made.setblocking(False)
    return made


def _called(trap: socket.socket) -> bool:
    """Somebody connected or sent something; all of it is taken, so that the next case begins with silence."""
    is_heard = False
    while True:
        try:
            if trap.type is socket.SOCK_DGRAM:
                trap.recv(99)
            else:
                trap.accept()[0].close()
        except BlockingIOError:
            return is_heard
        is_heard = True


@contextmanager
def world() -> Iterator[World]:
    """In a folder with a short name: the path of a socket has little room."""
    folder = Path(tempfile.mkdtemp(prefix="out-", dir="/tmp"))
    try:
        yield World(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def escaped(escape: Escape, traps: Traps, *, is_held: bool) -> str:
    """Tried in a world of its own, in the sandbox or without one."""
    with world() as one:
        return await one.tried(escape, one.sandbox() if is_held else Unsandboxed(), traps)


__all__ = ["Traps", "World", "escaped", "world"]
