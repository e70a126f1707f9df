"""Which version of Landlock the kernel has; 0: none, or not for us."""

from __future__ import annotations

import ctypes
import platform

CREATE_RULESET, ASK_VERSION = 444, 1


def version() -> int:
    if platform.system() != "Linux":
        return 0
    found: int = ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION)
    return max(found, 0)
