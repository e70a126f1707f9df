"""The first reply of a provider's package builds its parsers, and reads the price list: a tenth of a second and more.

So each is rehearsed once, off the loop, over a canned answer: no network is asked for anything.
"""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from adapters.agents.model import Call, CallResult, Model, Role, Said
from adapters.agents.tools import TOOLS
from adapters.prices import PricedTokens, price

if TYPE_CHECKING:
    import httpx2

log = structlog.get_logger()

HISTORY = (
    Said(Role.USER, "words"),
    Said(Role.MODEL, "words", (Call("call", "bash", "{}"),)),
    Said(Role.TOOLS, results=(CallResult("call", "bash", "words"),)),
)

_DONE: set[str] = set()
_ALONE = threading.Lock()


def rehearse(provider: str, make: Callable[[], Model]) -> None:
    """Once in a process for each provider; who comes meanwhile waits. It blocks: call it in a thread."""
    with _ALONE:
        if provider in _DONE:
            return
        _DONE.add(provider)
        gc.disable()  # the packages stay; looking through them for garbage holds the loop for a tenth of a second
        try:
            price(PricedTokens(1, 1), "any", provider=provider)
            asyncio.run(_rehearse(make))
        except Exception as error:  # noqa: BLE001 - the real reply tells what is wrong, to whom it concerns
            log.warning("agent.not_rehearsed", provider=provider, error=repr(error))
        finally:
            gc.freeze()
            gc.enable()


def canned(events: Sequence[tuple[str, Mapping[str, Any]]]) -> httpx2.AsyncClient:
    """Answers whatever it is asked with these server-sent events, each with its name (or empty)."""
    import httpx2  # noqa: PLC0415 - imported when used

    lines = [f"{f'event: {name}' if name else ':'}\ndata: {json.dumps(fields)}\n\n" for name, fields in events]
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content="".join(lines).encode())
    return httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: answer))


async def _rehearse(make: Callable[[], Model]) -> None:
    await make().reply(HISTORY, TOOLS, lambda _: None)
