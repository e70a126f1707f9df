"""One way out of the sandbox, as data: a script, and how a control run shows that it works where nothing holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Escape:
    """`script` runs in bash, or in Python when it begins with `#py`. It wins when it prints $WON or the secret word,
    when anything in the folder $OUT changed, when a trap heard something, or when a process of others was hurt.

    `is_harmless`: it is also let off without a sandbox, in a folder made for it, and must win there.
    """

    kind: str
    name: str
    script: str
    is_harmless: bool = True

    @property
    def is_python(self) -> bool:
        return self.script.startswith("#py")
