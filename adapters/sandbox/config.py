"""What the configuration says about the sandbox: whether there is one, how much a command may use, what is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

EVERY = "*"
"""Stands for every project in `writable`."""


def _as_mapping(value: Any) -> Any:  # noqa: ANN401 - as it was written
    """A list is meant for every project."""
    return {EVERY: value} if isinstance(value, list | tuple) else value


class SandboxConfig(BaseModel):
    """Limits hold for one command with all that it starts: a tool call, a step of a recipe, an agent's turn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto", "bubblewrap", "off"] = "auto"
    memory_mb: int = Field(default=4096, ge=16)
    """Of all its processes together, with what it holds in /tmp and the like."""
    processes: int = Field(default=1024, ge=4)
    """Threads count too."""
    open_files: int = Field(default=4096, ge=16)
    """Of one process."""
    file_mb: int = Field(default=2048, ge=1)
    """The largest file that one may write."""
    disk_mb: int = Field(default=10_240, ge=1)
    """What the checkout may take on the disk, with the repository's own files."""
    files: int = Field(default=500_000, ge=100)
    """How many files and folders the checkout may hold, and each of the folders in memory."""
    tmp_mb: int = Field(default=1024, ge=1)
    """What each of /tmp, /var/tmp, /dev/shm and the home may hold; they lie in memory."""
    cpu_seconds: int = Field(default=3600, ge=1)
    """Of one process."""
    seconds: float = Field(default=3600, gt=0)
    """From its start to its end; what asked for it may give it less."""
    output_mb: int = Field(default=256, ge=1)
    """What it may write to its output; the reader is shown little of it in any case."""
    writable: Annotated[Mapping[str, tuple[str, ...]], BeforeValidator(_as_mapping)] = Field(default_factory=dict)
    """Guarded paths that agents may change after all, by project or for every one; see adapters/sandbox/guards.py."""

    def opened(self, project: str) -> Sequence[str]:
        return (*self.writable.get(EVERY, ()), *self.writable.get(project, ()))


def as_section(value: Any) -> Any:  # noqa: ANN401 - as it was written
    """`sandbox: off` is short for `sandbox: {mode: off}`."""
    return {"mode": value} if isinstance(value, str) else value
