"""What is run inside a sandbox to see that it holds, and the verdict on what it found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.system import Ended

NAMESPACES = ("net", "pid", "mnt", "ipc", "uts", "user")

SCRIPT = """\
echo began
touch made || echo "bad: the workspace cannot be written"
cd "$1"
( : > escaped ) 2>/dev/null
shift
for path in secret "$@"; do
  if [ -f "$path" ] && ( : < "$path" ) 2>/dev/null; then echo "bad: it can read $path"; fi
done
if ( : > /usr/.probe ) 2>/dev/null; then echo "bad: it can write in /usr"; fi
if [ -w /proc/sys/kernel/core_pattern ]; then echo "bad: it can change the kernel's settings"; fi
while read -r name rest; do
  case "$name" in Inter-*|face*|lo:*) ;; *) echo "bad: it has the network interface $name" ;; esac
done < /proc/net/dev
for name in net pid mnt ipc uts user; do echo "space: $(readlink /proc/self/ns/$name)"; done
tr '\\0' '\\n' < /proc/1/environ | while IFS='=' read -r name rest; do echo "name: $name"; done
echo ended
"""

HARMLESS = frozenset({"PWD", "OLDPWD", "SHLVL", "_"})
"""Set by a shell, or by bubblewrap itself."""


def build_stage(hidden: Sequence[Path]) -> Path:
    """A worktree beside a secret, in the first hidden folder that there is: there the agents' own will be."""
    parent = next((path for path in hidden if path.is_dir()), None)
    stage = Path(tempfile.mkdtemp(prefix="probe-", dir=parent))
    (stage / "tree").mkdir()
    (stage / "secret").write_text("x")
    return stage


def script(stage: Path, hidden: Sequence[Path]) -> tuple[str, ...]:
    """It tries to read the secret and what is `hidden`, and to write beside the secret."""
    return ("/bin/sh", "-c", SCRIPT, "probe", str(stage), *(str(path) for path in hidden))


def judge(stage: Path, ended: Ended, environment: Mapping[str, str]) -> str:
    """Empty: it holds. Else what is wrong with it, in a few words."""
    lines = ended.text.splitlines()
    if "began" not in lines or "ended" not in lines or ended.code:
        return " ".join(lines)[:300] or f"it ended with {ended.code}"
    bad = [line.removeprefix("bad: ") for line in lines if line.startswith("bad: ")]
    bad += ["it can write outside of its workspace"] if (stage / "escaped").exists() else []
    bad += [] if (stage / "tree" / "made").exists() else ["its workspace is not the real one"]
    names = {line.removeprefix("name: ") for line in lines if line.startswith("name: ")}
    if leaked := sorted(names - set(environment) - HARMLESS - {""}):
        bad.append(f"it sees {', '.join(leaked)} of the bot's environment")
    ours = {os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}  # noqa: PTH115 - not a path
    bad += [f"it shares {space}" for line in lines if (space := line.removeprefix("space: ")) in ours]
    return "; ".join(bad)
