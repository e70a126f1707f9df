"""What the tests of the gateway share: one that stands before a scripted model, and a guest at its socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from adapters.gateway import Api, GatewayConfig, LlmGateway, upstream
from adapters.gateway.upstreams import Upstream
from adapters.metrics import Tally
from adapters.secrets import Redactor
from adapters.straight import NoCircuits
from core.model.chat import Person, ThreadRef
from core.model.spend import Account, Door
from core.model.work import ProjectKey, RunId
from core.ports import Circuits
from tests.fakes.books import Books
from tests.fakes.llm import FakeLLM

AGENT = "sam"
PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions", "ollama": "/api/chat"}


def account(run: str = "") -> Account:
    return Account(
        RunId(run or uuid4().hex), ProjectKey("DEMO"), Person("fake", "home", "ada"), ThreadRef("fake", "", "1")
    )


def asking(api: str, *, stream: bool = True, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "Do it."}], **more}
    return {**body, "stream": stream, **({"max_tokens": 100} if api == "anthropic" else {})}


@dataclass
class Gate:
    """A gateway with one upstream for each API of the scripted model; agent `sam` may reach them all."""

    llm: FakeLLM
    data: Path
    key: str = field(default_factory=lambda: f"key-{uuid4()}")
    books: Books = field(default_factory=Books)
    tally: Tally = field(default_factory=Tally)
    circuits: Circuits = field(default_factory=NoCircuits)
    config: GatewayConfig = field(default_factory=GatewayConfig)
    more: Mapping[str, Any] = field(default_factory=dict)

    def upstreams(self) -> list[Upstream]:
        bases = {
            Api.ANTHROPIC: self.llm.anthropic_base,
            Api.OPENAI: self.llm.openai_base,
            Api.OLLAMA: self.llm.ollama_base,
        }
        return [upstream(f"my-{api}", api, base, self.key) for api, base in bases.items()]

    @asynccontextmanager
    async def opened(self, upstreams: Sequence[Upstream] | None = None) -> AsyncIterator[LlmGateway]:
        agents = {AGENT: self.upstreams() if upstreams is None else upstreams}
        gateway = LlmGateway(
            self.data,
            agents,
            self.books,
            self.circuits,
            self.tally,
            Redactor([self.key]),
            self.config,
            **self.more,
        )
        await gateway.open()
        try:
            yield gateway
        finally:
            await gateway.close()

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[Guest]:
        async with self.opened() as gateway, gateway.admit(account(), AGENT) as door:
            assert door is not None
            async with guest(door) as came:
                yield came


@dataclass
class Guest:
    """Who is at the socket with a token."""

    door: Door
    session: aiohttp.ClientSession

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.door.token}"}

    async def ask(self, api: str, headers: Mapping[str, str] | None = None, **body: Any) -> tuple[int, str]:
        return await self.post(f"/my-{api}{PATHS[api]}", headers, asking(api, **body))

    async def post(self, path: str, headers: Mapping[str, str] | None = None, body: Any = None) -> tuple[int, str]:
        wanted = self.bearer if headers is None else headers
        async with self.session.post(f"http://gateway{path}", json=body, headers=wanted) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def guest(door: Door) -> AsyncIterator[Guest]:
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=door.socket)) as session:
        yield Guest(door, session)


async def raw(door: Door, head: str | bytes, seconds: float = 30.0) -> bytes:
    """What comes back for these very bytes, until the gateway closes."""
    reader, writer = await asyncio.open_unix_connection(door.socket)
    try:
        writer.write(head.encode("utf-8", "surrogateescape") if isinstance(head, str) else head)
        async with asyncio.timeout(seconds):
            return await reader.read()
    finally:
        writer.close()
