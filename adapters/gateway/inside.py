"""How a program in the sandbox reaches its models: a command before its own, and the variables that it reads."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from adapters.gateway.upstreams import Api, Upstream

PORT = 8484
"""Inside, where nothing else listens."""
SOCKET_INSIDE = "/run/gateway.sock"
"""Where the sandbox shows the socket that it is given."""


def forwarded(argv: Sequence[str], socket: str = SOCKET_INSIDE, port: int = PORT) -> tuple[str, ...]:
    """The command with the forwarder before it; its text goes along, for the sandbox shows no files of the bot."""
    return (sys.executable, "-I", "-S", "-c", _forwarder(), socket, str(port), "--", *argv)


def variables(upstreams: Sequence[Upstream], token: str, port: int = PORT) -> Mapping[str, str]:
    """By which programs customarily learn where their model is, and with which key. The first of each API counts."""
    found: dict[str, str] = {}
    for each in reversed(upstreams):
        base = f"http://127.0.0.1:{port}/{each.name}"
        if each.api is Api.ANTHROPIC:
            found |= {"ANTHROPIC_BASE_URL": base, "ANTHROPIC_API_KEY": token}
        elif each.api is Api.OPENAI:
            found |= {"OPENAI_BASE_URL": f"{base}/v1", "OPENAI_API_BASE": f"{base}/v1", "OPENAI_API_KEY": token}
        else:
            found |= {"OLLAMA_HOST": base, "OLLAMA_API_KEY": token}
    return found


@cache
def _forwarder() -> str:
    return (Path(__file__).parent / "forward.py").read_text(encoding="utf-8")
