"""A process in bubblewrap: its worktree, the system's programs, and nothing else of this machine.

No network but a loopback of its own, no other processes, no home, no account, no environment of the bot. `/` is built
from nothing, so what is not named here is not there.
"""

from __future__ import annotations

import asyncio
import os
import py_compile
import re
import resource
import shutil
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

from adapters.sandbox.config import SandboxConfig
from adapters.sandbox.filters import build_filter
from adapters.sandbox.guards import find_guards
from adapters.sandbox.landlock import version
from adapters.sandbox.probe import Found, build_stage, judge, script
from adapters.sandbox.watch import LAUNCHER_INSIDE, MB, Sizes, Watch
from adapters.system import ProcessTimeoutError, run
from core.model.errors import SandboxError
from core.model.events import Readiness
from core.ports import Access, Wrapped

PROBE_SECONDS = 20.0
"""A busy machine is no reason to let no agent run."""

HOME = "/home/agent"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NAMESPACES = ("--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox")
"""A user of its own: tools that refuse root, or that as root change owners, then work under a bot that is root."""

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

ETC = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "pki/ca-trust",
    "pki/tls/certs",
    "ssl/certs",
    "ssl/openssl.cnf",
)
"""What programs need of /etc: libraries, certificates of authorities, the time zone. Never /etc/ssl/private."""

OWN_ETC = Path(__file__).parent / "etc"
"""passwd, group, hosts and nsswitch.conf for one user and no other host."""

FORBIDDEN = re.compile(r"LD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|PATH|HOME|LANG|TERM")
"""Would be read by bubblewrap itself, outside; the last four are ours."""


NESTING_REFUSED = re.compile(r"userns|user_namespaces|[Uu]nknown option")
"""What bubblewrap says where it cannot forbid namespaces within."""

BY_TIME = py_compile.PycInvalidationMode.TIMESTAMP
HEADER_BYTES = 16
"""Of a compiled file (PEP 552)."""

MASKED = ("/proc/kcore", "/proc/key-users", "/proc/keys", "/proc/sched_debug", "/proc/timer_list")
"""They tell of the whole machine, whoever asks."""

LAUNCHER = Path(__file__).parent / "launch.py"
SOCKET_INSIDE = "/run/gateway.sock"
"""Where a socket of the bot's appears that a command may use; there is no other way out."""

WRITTEN = ("/tmp", "/var/tmp", "/run", "/dev", HOME)  # noqa: S108 - in the sandbox
"""Beside the workspace; they are the command's own and go with it."""

LAYERS = frozenset({"limits", "watch", "guards", "landlock", "seccomp"})


class Bubblewrap:
    """`hidden`: never visible, whatever lies around it. `prefixes`: shown read-only; None: this Python's own.

    `without` names LAYERS that are left out: only a test does that, to see what they are good for. Made once: it looks
    at the disk then, and afterwards only for what is guarded in a workspace.
    """

    name = "bubblewrap"

    def __init__(
        self,
        program: Path,
        hidden: Sequence[Path],
        prefixes: Sequence[Path] | None = None,
        config: SandboxConfig | None = None,
        without: AbstractSet[str] = frozenset(),
    ) -> None:
        self._program = str(program)
        self._config = config or SandboxConfig()
        self._layers = LAYERS - without
        self._hidden = tuple(Path(os.path.realpath(path)) for path in hidden)
        self._prefixes = _own_prefixes() if prefixes is None else tuple(prefixes)
        self._profile = self._build_profile()
        self._path = ":".join((SYSTEM_PATH, *(f"{path}/bin" for path in self._prefixes)))
        self._no_nesting: tuple[str, ...] = ("--disable-userns",)
        self._landlock = version() if "landlock" in self._layers else 0
        self._launcher = self._build_launcher()
        self._sizes = Sizes()
        self.findings: tuple[Found, ...] = ()
        """What the last probe tried, and how it went."""

    async def probe(self) -> Readiness:
        """It runs a script inside that tries to get out; what the script finds decides."""
        about = f"bubblewrap ({self._program})"
        missing = await self._missing()
        if NESTING_REFUSED.search(missing) and self._no_nesting:
            self._no_nesting = ()  # before 0.8 bubblewrap has no such option; nested namespaces gain nothing by it
            missing = await self._missing()
        return Readiness(about, is_usable=not missing, missing=f"{self._program}: {missing}" if missing else "")

    def wrap(
        self,
        argv: Sequence[str],
        workspace: str,
        access: Access,
        environment: Mapping[str, str],
        *,
        project: str = "",
        opened: Sequence[str] = (),
        socket: str = "",
    ) -> Wrapped:
        """A neighbour `readable` of the workspace is shown read-only: history for the agent's own git.

        The environment is bubblewrap's own as well, which is why there is no `--clearenv`: /proc/1/environ of the
        sandbox is bubblewrap's, and values given by `--setenv` would stand in argv for everyone on the machine.
        """
        self._check(argv, workspace, environment)
        is_written = access is Access.WRITE
        tree = ["--bind" if is_written else "--ro-bind", workspace, workspace]
        shown = os.path.join(os.path.dirname(workspace), "readable")  # noqa: PTH118, PTH120 - on the hot way
        door = ("--ro-bind", socket, SOCKET_INSIDE) if socket else ()
        marks: list[str] = []
        if is_written and self._launcher and "guards" in self._layers:
            for guard in find_guards(workspace, (*self._config.opened(project), *opened)):
                tree += ["--bind" if guard.is_writable else "--ro-bind", guard.path, guard.path]
                marks += ["-g", guard.mark]
        return Wrapped(
            (
                *(self._program, *NAMESPACES, *self._no_nesting, *self._profile),
                *("--ro-bind-try", shown, shown, *tree, *door, "--remount-ro", "/"),
                *("--chdir", workspace, "--", *self._launched(workspace, shown, marks, is_written=is_written), *argv),
            ),
            {**environment, "PATH": self._path, "HOME": HOME, "LANG": "C.UTF-8", "TERM": "dumb"},
            Watch(self._config, workspace, self._sizes) if "watch" in self._layers else None,
        )

    def _launched(self, workspace: str, shown: str, marks: Sequence[str], *, is_written: bool) -> tuple[str, ...]:
        if not self._launcher:
            return ()
        return (*self._launcher, *marks, "-w" if is_written else "-r", workspace, "-r", shown, "--")

    def _build_launcher(self) -> tuple[str, ...]:
        """Empty where this Python cannot be seen inside: the second layers are missing then, and the probe says so."""
        python = Path(sys.executable)
        if not any(python.is_relative_to(each) for each in (*map(str, self._prefixes), *SYSTEM)):
            return ()
        words = [str(python), "-I", "-S", LAUNCHER_INSIDE]
        if "limits" in self._layers:
            words += ["-l", _limits(self._config)]
        if self._landlock:
            words += ["-L", str(self._landlock)]
            for path in (*SYSTEM, "/etc", "/proc", *map(str, self._prefixes), "/.sandbox"):
                words += ["-r", path]
            for path in WRITTEN:
                words += ["-w", path]
        if "seccomp" in self._layers and (program := build_filter(has_landlock=self._landlock > 0)):
            words += ["-s", program.hex()]
        return tuple(words)

    def _check(self, argv: Sequence[str], workspace: str, environment: Mapping[str, str]) -> None:
        if not argv or any("\0" in word for word in (*argv, workspace, *environment, *environment.values())):
            raise SandboxError("A command for the sandbox is empty or holds a NUL character.")
        if not workspace.startswith("/") or any(part in {"..", ""} for part in workspace[1:].split("/")):
            raise SandboxError(f"The workspace {workspace!r} is not a plain absolute path.")
        if any(path.is_relative_to(workspace) for path in self._hidden):
            raise SandboxError(f"The workspace {workspace} holds what agents must not see. Choose a folder inside it.")
        if bad := [name for name in environment if FORBIDDEN.fullmatch(name)]:
            raise SandboxError(f"{', '.join(bad)} cannot be set for an agent. Take it out of the agent's environment.")

    def _build_profile(self) -> tuple[str, ...]:
        """/proc is read-only: under a bot that is root, its settings of the kernel would be the agent's to write.

        So is /dev, so that nothing is laid in it: it lies in memory.
        """
        room = ("--size", str(self._config.tmp_mb * MB), "--tmpfs")
        words = ["--die-with-parent", "--new-session", "--proc", "/proc", "--remount-ro", "/proc"]
        for path in MASKED:
            words += ["--ro-bind", os.devnull, path] if Path(path).exists() else []
        words += ["--dev", "/dev", *room, "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108 - in the sandbox
        words += [*room, "/tmp", *room, "/run", *room, "/var/tmp", "--dir", HOME, *room, HOME]  # noqa: S108
        words += ["--size", str(MB), "--tmpfs", "/.sandbox", "--ro-bind", str(_compiled(LAUNCHER)), LAUNCHER_INSIDE]
        for folder in SYSTEM:
            words += _system(Path(folder))
        for name in ETC:
            words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
        for file in sorted(OWN_ETC.iterdir()):
            words += ["--ro-bind", str(file), f"/etc/{file.name}"]
        for prefix in self._prefixes:
            words += ["--ro-bind", str(prefix), str(prefix)]
        return (*words, *self._covers())

    def _covers(self) -> list[str]:
        """What is hidden, and lies in something that is shown, is covered by nothing."""
        shown = [Path("/usr"), *self._prefixes]
        inside = [path for path in self._hidden if any(path.is_relative_to(each) for each in shown) and path.exists()]
        covers = (["--tmpfs", str(path)] if path.is_dir() else ["--ro-bind", os.devnull, str(path)] for path in inside)
        return [word for cover in covers for word in cover]

    async def _missing(self) -> str:
        """Empty: it holds. Else why not."""
        try:
            stage = await asyncio.to_thread(build_stage, self._hidden)
        except OSError as error:
            return str(error)
        try:
            wrapped = self.wrap(script(stage, self._hidden), str(stage / "tree"), Access.WRITE, {})
            ended = await run(wrapped.argv, environment=wrapped.environment, seconds=PROBE_SECONDS, merge=True)
            self.findings = await asyncio.to_thread(judge, stage, ended, wrapped.environment)
        except (OSError, ProcessTimeoutError) as error:
            return str(error)
        finally:
            await asyncio.to_thread(shutil.rmtree, stage, ignore_errors=True)
        return "; ".join(each.text for each in self.findings if each.is_broken)


def _limits(config: SandboxConfig) -> str:
    """Of one process each. RLIMIT_DATA is what it may write to in its memory: twice what all may use together, since
    much that is asked for is never touched. RLIMIT_NPROC holds only where the bot is not root.
    """
    most = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: config.cpu_seconds,
        resource.RLIMIT_DATA: 2 * config.memory_mb * MB,
        resource.RLIMIT_FSIZE: config.file_mb * MB,
        resource.RLIMIT_MEMLOCK: MB,
        resource.RLIMIT_MSGQUEUE: MB,
        resource.RLIMIT_NOFILE: config.open_files,
        resource.RLIMIT_NPROC: config.processes,
        resource.RLIMIT_SIGPENDING: 1024,
    }
    return ",".join(f"{number}:{_at_most(number, value)}" for number, value in most.items())


def _at_most(number: int, value: int) -> int:
    """Nobody may raise what is limited already."""
    hard = resource.getrlimit(number)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _header(source: Path) -> bytes:
    """What begins a compiled file that belongs to exactly this source: Python looks at it only for modules."""
    found = source.stat()
    words = (0, int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)
    return MAGIC_NUMBER + b"".join(word.to_bytes(4, "little") for word in words)


def _compiled(source: Path) -> Path:
    """As Python keeps it beside the source, a millisecond faster; the source where nothing can be written."""
    made = Path(cache_from_source(str(source)))
    try:
        if not made.exists() or made.read_bytes()[:HEADER_BYTES] != _header(source):
            py_compile.compile(str(source), cfile=str(made), doraise=True, invalidation_mode=BY_TIME)
    except OSError:
        return source
    return made


def _system(path: Path) -> list[str]:
    """`/bin` is a link to `usr/bin` on most systems, a folder on others."""
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.is_dir() else []


def _own_prefixes() -> tuple[Path, ...]:
    """The virtual environment the bot runs in and the Python beneath it, for recipes such as ruff.

    Never a folder that holds a person's home, or everything.
    """
    found = dict.fromkeys(Path(prefix) for prefix in (sys.prefix, sys.base_prefix))
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises for an account without one
    found = {path: None for path in found if not home.is_relative_to(path)}
    return tuple(path for path in found if not path.is_relative_to("/usr") or path.is_relative_to("/usr/local"))
