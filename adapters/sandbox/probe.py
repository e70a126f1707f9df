"""What is run inside a sandbox to see that it holds, and the verdict on what it found."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.system import Ended

NAMESPACES = ("net", "pid", "mnt", "ipc", "uts", "user")

SCRIPT = """\
echo began
touch made || echo "bad: the workspace cannot be written"
cd "$1"
( : > escaped ) 2>/dev/null
guarded="the agents' configuration in the workspace"
if ( : > tree/.claude/settings.json ) 2>/dev/null; then echo "open: $guarded"; else echo "held: $guarded"; fi
shift
python=$1
shift
for path in secret "$@"; do
  if [ -f "$path" ] && ( : < "$path" ) 2>/dev/null; then echo "bad: it can read $path"; fi
done
echo "held: what is hidden cannot be read"
if ( : > /usr/.probe ) 2>/dev/null; then echo "bad: it can write in /usr"; fi
if [ -w /proc/sys/kernel/core_pattern ]; then echo "bad: it can change the kernel's settings"; fi
echo "held: the system and the kernel's settings cannot be written"
while read -r name rest; do
  case "$name" in Inter-*|face*|lo:*) ;; *) echo "bad: it has the network interface $name" ;; esac
done < /proc/net/dev
for name in net pid mnt ipc uts user; do echo "space: $(readlink /proc/self/ns/$name)"; done
tr '\\0' '\\n' < /proc/1/environ | while IFS='=' read -r name rest; do echo "name: $name"; done
if ( : > /.sandbox/.probe ) 2>/dev/null; then echo "open: Landlock"; else echo "held: Landlock"; fi
if [ -x "$python" ]; then "$python" -I -S -c "$INSIDE" || echo "bad: what it tried did not end"; fi
echo ended
"""

# Nothing in it may do harm where there is no sandbox after all.
INSIDE = """\
import ctypes, errno, fcntl, resource, socket
libc = ctypes.CDLL(None, use_errno=True)
def refused(does):
    try:
        does()
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""
def call(name, *words):
    if getattr(libc, name)(*words) < 0:
        raise OSError(ctypes.get_errno(), name)
def tell(what, said, otherwise="bad: "):
    print(("held: " if said else otherwise) + what + (" (" + said + ")" if said else ""))
def udp(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.connect((address, 53))
tell("no way to another address", refused(lambda: udp("192.0.2.1")))
tell("no way to the cloud's metadata", refused(lambda: udp("169.254.169.254")))
tell("no raw packets", refused(lambda: socket.socket(17, socket.SOCK_RAW)))
tell("no new namespace of users", refused(lambda: call("unshare", 0x10000000)), "open: ")
tell("no mounts", refused(lambda: call("mount", b"none", b"/proc", b"no-such-kind", 0, None)))
tell("no tracing of its keeper", refused(lambda: call("ptrace", 0x4206, 1, None, None)), "open: ")
tried = [refused(lambda: socket.socket(40, 1)), refused(lambda: socket.socket(16, 3, 9)),
    refused(lambda: fcntl.ioctl(0, 0x5412, b"x")), refused(lambda: call("syscall", 425, 1, None))]
said = tried == ["EAFNOSUPPORT", "EAFNOSUPPORT", "EPERM", "ENOSYS"]
print("held: seccomp" if said else "open: seccomp")
print("limit:", resource.getrlimit(resource.RLIMIT_CORE)[1], resource.getrlimit(resource.RLIMIT_NOFILE)[1])
"""

HARMLESS = frozenset({"PWD", "OLDPWD", "SHLVL", "_", "INSIDE"})
"""Set by a shell, or by bubblewrap itself; the last is ours."""

ABOUT = {
    "Landlock": "Landlock, a second wall around files",
    "seccomp": "seccomp, which refuses system calls that nobody needs",
    "limits": "limits of the kernel for each process",
    "the agents' configuration in the workspace": "the agents' configuration in the workspace is read-only",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was tried. `is_broken`: nothing may run in it. Neither: a second layer that is not there."""

    text: str
    holds: bool = False
    is_broken: bool = False


def build_stage(hidden: Sequence[Path]) -> Path:
    """A worktree beside a secret, in the first hidden folder that there is: there the agents' own will be."""
    parent = next((path for path in hidden if path.is_dir()), None)
    stage = Path(tempfile.mkdtemp(prefix="probe-", dir=parent))
    (stage / "tree" / ".claude").mkdir(parents=True)
    (stage / "tree" / ".claude" / "settings.json").write_text("{}")
    (stage / "secret").write_text("x")
    return stage


def script(stage: Path, hidden: Sequence[Path]) -> tuple[str, ...]:
    """It tries to read the secret and what is `hidden`, to write beside the secret, and whatever else leads out."""
    begin = ("/usr/bin/env", f"INSIDE={INSIDE}", "/bin/sh", "-c", SCRIPT, "probe")
    return (*begin, str(stage), sys.executable, *(str(path) for path in hidden))


def judge(stage: Path, ended: Ended, environment: Mapping[str, str]) -> tuple[Found, ...]:
    """Everything that was tried. What is broken, or the layers that are not there, stand among it."""
    lines = ended.text.splitlines()
    if "began" not in lines or "ended" not in lines or ended.code:
        return (Found(" ".join(lines)[:300] or f"it ended with {ended.code}", is_broken=True),)
    bad = [line.removeprefix("bad: ") for line in lines if line.startswith("bad: ")]
    bad += ["it can write outside of its workspace"] if (stage / "escaped").exists() else []
    bad += [] if (stage / "tree" / "made").exists() else ["its workspace is not the real one"]
    names = {line.removeprefix("name: ") for line in lines if line.startswith("name: ")}
    if leaked := sorted(names - set(environment) - HARMLESS - {""}):
        bad.append(f"it sees {', '.join(leaked)} of the bot's environment")
    ours = {os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}  # noqa: PTH115 - not a path
    bad += [f"it shares {space}" for line in lines if (space := line.removeprefix("space: ")) in ours]
    held = [line.removeprefix("held: ") for line in lines if line.startswith("held: ")]
    held += ["limits"] if any(line.startswith("limit: 0 ") for line in lines) else []
    held += [] if leaked else ["nothing of the bot's environment"]
    held += ["network, processes, mounts, users of its own"]
    names_open = [line.removeprefix("open: ") for line in lines if line.startswith("open: ")]
    names_open += [each for each in ("seccomp", "limits") if each not in (*held, *names_open)]
    return (
        *(Found(each, is_broken=True) for each in bad),
        *(Found(ABOUT.get(each, each), holds=True) for each in held if not bad),
        *(Found(f"not there: {ABOUT.get(each, each)}") for each in names_open),
    )
