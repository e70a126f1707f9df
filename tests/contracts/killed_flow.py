"""A process with one flow, to be killed at a moment of the test's choice: `killed_flow.py DATA [PAUSE]`.

It writes what it does to DATA/log, a word a line, and stops for good at the word PAUSE.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from adapters.engine import DbosEngine
from core.model.codec import Json
from core.ports import Flow, FlowState

FLOW = "flow-1"


class Teller:
    def __init__(self, path: Path, pause: str) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._pause = pause

    async def tell(self, word: str) -> None:
        os.write(self._file, f"{word}\n".encode())
        if word == self._pause:
            await asyncio.Event().wait()


async def main(data: Path, pause: str) -> None:
    teller = Teller(data / "log", pause)
    tell = teller.tell
    engine = DbosEngine(None, data)

    async def step(name: str) -> str:
        await tell(f"{name}-begins")
        await tell(f"{name}-called")
        return name

    async def flow(flow: Flow, args: Json) -> Json:
        for name in ("a", "b"):
            await flow.step(name, str, step, name)
            await tell(f"{name}-kept")
        if pause == "waiting":
            asyncio.get_running_loop().call_later(0.3, lambda: asyncio.ensure_future(tell("waiting")))
        await tell(f"got-{await flow.wait('go', 60)}")
        await flow.step("c", str, step, "c")
        return None

    await engine.launch({"flow.v1": flow})
    await engine.start("flow.v1", FLOW, None)
    if pause != "waiting":
        await engine.signal(FLOW, "go", "signal", "key")
        await tell("signalled")
    while await engine.state(FLOW) is FlowState.OPEN:  # noqa: ASYNC110 - it ends when it ends
        await asyncio.sleep(0.02)
    await tell(str(await engine.state(FLOW)))
    await engine.close(1)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
