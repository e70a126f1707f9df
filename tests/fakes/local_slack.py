"""`local-slack`, a Slack that someone else wrote, where nobody but the test can reach it.

It listens on every interface, so it runs in a network of its own, without one: this module is started in there too, and
carries connections through two unix sockets. Where the system grants no such network, it runs as it is.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import aiohttp

ROOT = Path(__file__).parents[2]
BINARY = ROOT / ".ci/counterparts/node_modules/local-slack-linux-x64/bin/local-slack"
START_SECONDS = 30.0
TEAM, BOT, ANA, CHANNEL, DIRECT = "T01TEST", "U0BOT", "U0ANA", "C0GENERAL", "D0ANA"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class LocalSlack:
    """`events_port`: where on this side the bot listens for HTTP deliveries; 0: Socket Mode."""

    def __init__(self, events_port: int = 0) -> None:
        self.events_port, self.port = events_port, free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="slack-"))  # short: a unix socket's path has 108 bytes
        self.bot_token, self.app_token, self.signing_secret = f"xoxb-{uuid4()}", f"xapp-{uuid4()}", uuid4().hex
        self._process: Process | None = None
        self._bridges: list[asyncio.Server] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    async def __aenter__(self) -> Self:
        app = {"appId": "A01APP", "botUserId": BOT, "botName": "patchbay", "botToken": self.bot_token}
        app |= {"appToken": self.app_token, "signingSecret": self.signing_secret}
        if self.events_port:
            app |= {"mode": "events", "requestUrl": f"http://127.0.0.1:{self.events_port}/slack/events"}
        room = {"id": CHANNEL, "name": "general", "members": [ANA, BOT]}
        direct = {"id": DIRECT, "name": "direct", "is_im": True, "is_channel": False, "members": [ANA, BOT]}
        config = {"workspace": {"teamId": TEAM}, "apps": [app], "users": [{"id": ANA, "name": "ana"}]}
        (self.folder / "slack.json").write_text(json.dumps(config | {"channels": [room, direct]}))
        fences = [word for word in fence() if word]
        argv = [
            *fences,
            sys.executable,
            "-m",
            "tests.fakes.local_slack",
            str(self.folder),
            str(self.port),
            str(self.events_port),
        ]
        if fences:
            self._bridges = await _bridge_here(self.folder, self.port, self.events_port)
        else:
            argv = _server(self.folder, self.port)
        self._process = await asyncio.create_subprocess_exec(
            *argv, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True, cwd=ROOT
        )
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        try:
            await self._wait()
        except TimeoutError:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        for bridge in self._bridges:
            bridge.close()
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _wait(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            while True:
                with suppress(aiohttp.ClientError):
                    async with self._session.get(f"http://127.0.0.1:{self.port}/_control/state") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.1)

    async def control(self, act: str, **fields: Any) -> dict[str, Any]:
        """What a person does: `message`, `command`, `interact`, `edit-message`."""
        url = f"http://127.0.0.1:{self.port}/_control/{act}"
        async with self._session.post(url, json=fields) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def messages(self, channel: str = CHANNEL) -> list[dict[str, Any]]:
        async with self._session.get(f"http://127.0.0.1:{self.port}/_control/messages/{channel}") as answer:
            found: list[dict[str, Any]] = (await answer.json())["messages"]
            return found


def fence() -> list[str]:
    """The words before a command that give it a network of its own; empty where that is not allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    for words in ([unshare, "-n"], [unshare, "-rn"]):
        if os.spawnv(os.P_WAIT, unshare, [*words, "true"]) == 0:
            return words
    return []


def _server(folder: Path, port: int) -> list[str]:
    config = ["--config", str(folder / "slack.json"), "--files-dir", str(folder / "files")]
    return [str(BINARY), *config, "--port", str(port), "--base-host", "127.0.0.1"]


# ------------------------------------------------------------------------------------------- bridges


async def _bridge_here(folder: Path, port: int, events_port: int) -> list[asyncio.Server]:
    inward = _carry(lambda: asyncio.open_unix_connection(str(folder / "in.sock")))
    bridges = [await asyncio.start_server(inward, "127.0.0.1", port)]
    if events_port:
        outward = _carry(lambda: asyncio.open_connection("127.0.0.1", events_port))
        bridges.append(await asyncio.start_unix_server(outward, str(folder / "out.sock")))
    return bridges


async def _bridge_there(folder: Path, port: int, events_port: int) -> None:
    _loopback_up()
    if events_port:
        outward = _carry(lambda: asyncio.open_unix_connection(str(folder / "out.sock")))
        await asyncio.start_server(outward, "127.0.0.1", events_port)
    inward = _carry(lambda: asyncio.open_connection("127.0.0.1", port))
    await asyncio.start_unix_server(inward, str(folder / "in.sock"))
    process = await asyncio.create_subprocess_exec(*_server(folder, port))
    await process.wait()


def _carry(
    connect: Callable[[], Awaitable[Streams]],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await connect()
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))

    return carry


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _loopback_up() -> None:
    """A new network has a loopback that is down. SIOCSIFFLAGS, IFF_UP | IFF_RUNNING."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))


if __name__ == "__main__":
    asyncio.run(_bridge_there(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
