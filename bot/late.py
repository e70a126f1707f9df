"""An engine that may be asked before it is launched: its import takes a second, and the first answers need none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from core.model.codec import Json
from core.ports import Engine, FlowFunction, FlowState


class LateEngine:
    """Whoever asks waits until `launch` is through. If it fails, so does everything that waits."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._launched: asyncio.Future[None] | None = None

    async def launch(self, flows: Mapping[str, FlowFunction]) -> None:
        launched = self._ready()
        try:
            await self._engine.launch(flows)
        except BaseException as error:
            launched.set_exception(
                error if isinstance(error, Exception) else RuntimeError("the engine was not launched")
            )
            launched.exception()
            raise
        launched.set_result(None)

    async def start(self, flow: str, id: str, args: Json) -> None:  # noqa: A002 - the port's word
        await asyncio.shield(self._ready())
        await self._engine.start(flow, id, args)

    async def signal(self, id: str, topic: str, value: Json, key: str) -> None:  # noqa: A002
        await asyncio.shield(self._ready())
        await self._engine.signal(id, topic, value, key)

    async def state(self, id: str) -> FlowState | None:  # noqa: A002
        await asyncio.shield(self._ready())
        return await self._engine.state(id)

    async def prune(self, before: datetime) -> int:
        await asyncio.shield(self._ready())
        return await self._engine.prune(before)

    async def close(self, seconds: float) -> None:
        if self._ready().done() and self._ready().exception() is None:
            await self._engine.close(seconds)

    def _ready(self) -> asyncio.Future[None]:
        if self._launched is None:
            self._launched = asyncio.get_running_loop().create_future()
        return self._launched
