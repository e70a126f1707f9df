"""What fails below a bot: a disk that is full, one that cannot keep, a database server that goes, too few files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.local_slack import free_port

TOOL_SECONDS = 60
DISK_MB = 48

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int is_broken(void) {
    const char *sign = getenv("BROKEN_FSYNC");
    return sign && access(sign, F_OK) == 0;
}
int fsync(int fd) {
    if (is_broken()) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd);
}
int fdatasync(int fd) {
    if (is_broken()) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"""


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own, for `folder`."""

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """To the last block."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12):
                try:
                    while ballast.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def empty(self) -> None:
        self._ballast.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Root alone can mount it."""
    folder.mkdir(parents=True)
    made = _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "tmpfs", str(folder))
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        _run("umount", "-l", str(folder))


@dataclass(frozen=True)
class Fsync:
    """Give `environment` to a process: while it is broken, fsync and fdatasync fail there with EIO."""

    library: Path
    sign: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "BROKEN_FSYNC": str(self.sign)}

    def break_(self) -> None:
        self.sign.touch()

    def mend(self) -> None:
        self.sign.unlink()


def breakable_fsync(folder: Path) -> Fsync:
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here, which makes an fsync that fails")
    source, library = folder / "fsync.c", folder / "fsync.so"
    source.write_text(SHIM)
    made = _run("gcc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl")
    assert made.returncode == 0, made.stderr
    return Fsync(library, folder / "fsync-is-broken")


@dataclass(frozen=True)
class OwnServer:
    """A PostgreSQL of the test's own."""

    programs: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgres://patchbay@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        log = str(self.folder / "log")
        self._control("-l", log, "-w", "-o", options, "start")

    def stop(self) -> None:
        """As a crash does it: nobody is asked to finish."""
        self._control("-m", "immediate", "stop")

    def _control(self, *words: str) -> None:
        done = _run(*_as_postgres(), str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), *words)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def own_postgres() -> Iterator[OwnServer]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no initdb here, which makes a PostgreSQL that may be stopped")
    folder = Path(tempfile.mkdtemp(prefix="patchbay-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    server = OwnServer(found[-1].parent, folder, free_port())
    made = _run(
        *_as_postgres(),
        str(found[-1]),
        *("-D", str(folder / "data"), "-A", "trust", "-U", "patchbay", "--locale=C", "--encoding=UTF8", "--no-sync"),
    )
    assert made.returncode == 0, made.stderr
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def limit_files(pid: int, most: int | None) -> None:
    """Of a process that runs: no more than it has open now, or `most`."""
    import resource  # noqa: PLC0415 - not on every system

    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    now = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (now if most is None else most, hard))


def _as_postgres() -> tuple[str, ...]:
    """initdb refuses to work for root."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=TOOL_SECONDS, cwd="/")
