"""A bot that says back what it hears, for tests of the terminal: `python -m tests.adapters.console.echo FOLDER`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from adapters.chat.console.config import ConsoleConfig
from adapters.chat.console.platform import Console
from core.model.chat import Button, ButtonToken, Delivery, Post, PostKey, Pressed, Said, Style
from core.ports import CommandWord


class Echo:
    """`run NAME` shows an anchor, and a press on its button ends it."""

    def __init__(self, folder: Path) -> None:
        self.ended = asyncio.Event()
        words = [CommandWord("help", "/help", "what I understand")]
        self.console = Console(ConsoleConfig(), words, folder, on_end=self.ended.set)

    async def take(self, deliveries: Sequence[Delivery], cursor: str | None = None) -> None:
        for each in deliveries:
            event = self.console.read(each.raw)
            if isinstance(event, Said):
                await self._answer(event)
            elif isinstance(event, Pressed):
                await self.console.edit(event.post, Post("**COMPLETED** all done"))

    async def _answer(self, said: Said) -> None:
        word, _, rest = said.text.partition(" ")
        if word == "run":
            button = Button("⏹ Stop", style=Style.DANGER, token=ButtonToken(f"t-{said.cause}"))
            await self.console.post(said.thread, Post(f"**RUNNING** {rest}", ((button,),)), PostKey(f"anchor:{rest}"))
        else:
            await self.console.post(said.thread, Post(f"You said *{said.text}*."), PostKey(f"reply:{said.cause}"))

    async def run(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.ended.set)
        await self.console.connect()
        task = asyncio.create_task(self.console.listen(self.take, None))
        await self.ended.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await self.console.close()


if __name__ == "__main__":
    asyncio.run(Echo(Path(sys.argv[1])).run())
