"""A bare git directory made by plain file writes: no template, so no hook is ever in it."""

from __future__ import annotations

from pathlib import Path

CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\thooksPath = /dev/null
\tfsmonitor = false
[gc]
\tautoDetach = false
[receive]
\tdenyDeleteCurrent = true
"""


def make_bare(directory: Path, head: str) -> None:
    """`head`: the branch that HEAD names, there or not. Making it twice is making it once."""
    for name in ("objects/info", "objects/pack", "refs/heads"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    (directory / "config").write_text(CONFIG)
    if not (directory / "HEAD").exists():
        (directory / "HEAD").write_text(f"ref: refs/heads/{head}\n")
