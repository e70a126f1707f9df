"""How a test sees each call that reaches a fake, and may act on it: hold it, or end who made it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

IN = "in"
"""It has come; nothing is done yet."""
DONE = "done"
"""What it asked for is done; the answer is not on its way yet."""

Watch = Callable[[str, str], Awaitable[bool]]
"""Given the call's name (`telegram:sendMessage`, `git:git-receive-pack`) and IN or DONE. True: nobody is there any
more to hear an answer; the fake does nothing further and cuts the connection.
"""


async def nobody(name: str, phase: str) -> bool:
    """Nobody watches."""
    del name, phase
    return False
