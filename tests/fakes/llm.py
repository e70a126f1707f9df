"""A language model that says what a script tells it, over the Anthropic, OpenAI and Ollama APIs, with their faults.

    async with FakeLLM() as llm:
        llm.script([Use("edit", path="a.py", old="1", new="2"), Words("Done.")])
        config = AnthropicConfig(model="m", api_key=..., base_url=llm.anthropic_base)

Each request takes the next entry. An entry may be a function from the request to an entry. When the script is over,
`always` answers, if it is set; else the request is refused with a status that nobody retries.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from aiohttp import web

from tests.fakes.watch import DONE, IN, Watch, nobody

MOST_BYTES = 50_000_000


@dataclass(frozen=True)
class ToolUse:
    """`raw`: the arguments as they are sent, when they are no JSON."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    raw: str | None = None

    @property
    def text(self) -> str:
        return json.dumps(self.arguments) if self.raw is None else self.raw


@dataclass(frozen=True)
class Reply:
    """`is_cut`: at the most that one reply may have."""

    text: str = ""
    uses: tuple[ToolUse, ...] = ()
    input_tokens: int = 100
    output_tokens: int = 10
    is_cut: bool = False


def Words(text: str, **rest: Any) -> Reply:  # noqa: N802 - reads as a value in a script
    return Reply(text, **rest)


def Use(name: str, **arguments: Any) -> Reply:  # noqa: N802 - reads as a value in a script
    return Reply(uses=(ToolUse(name, arguments),))


class Fault(StrEnum):
    """What goes wrong after the head of the answer was sent well."""

    TRUNCATED = "truncated"
    """The stream ends properly, before the reply does."""
    MALFORMED = "malformed"
    """A chunk is no JSON."""
    DISCONNECT = "disconnect"
    """The connection breaks in the middle."""
    HANG = "hang"
    """Nothing more comes."""


@dataclass(frozen=True)
class Status:
    """An error instead of an answer."""

    status: int
    message: str = "scripted"
    retry_after: str = ""
    type: str = "scripted_error"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """`api`: anthropic, openai or ollama."""

    api: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def last_words(self) -> str:
        """What the newest message holds, as JSON: to look for a word in it."""
        return json.dumps(self.body["messages"][-1], ensure_ascii=False)


Entry = Reply | Fault | Status
Scripted = Entry | Callable[[Request], Entry]


class FakeLLM:
    """`delay`: seconds before each answer. `models`: what Ollama says it has. `requests`: all that came, in order."""

    def __init__(self, *, delay: float = 0.0, models: Sequence[str] = ("scripted",)) -> None:
        self.delay, self.models = delay, tuple(models)
        self.requests: list[Request] = []
        self.always: Scripted | None = None
        self.watch: Watch = nobody
        self._script: list[Scripted] = []
        self._ids = 0
        self._freed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._url = ""

    def script(self, entries: Sequence[Scripted]) -> None:
        self._script = list(entries)

    @property
    def left(self) -> int:
        """Entries that nobody has asked for."""
        return len(self._script)

    @property
    def anthropic_base(self) -> str:
        return self._url

    @property
    def openai_base(self) -> str:
        return f"{self._url}/v1"

    @property
    def ollama_base(self) -> str:
        return self._url

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_post("/v1/messages", self._anthropic)
        app.router.add_post("/v1/chat/completions", self._openai)
        app.router.add_post("/api/chat", self._ollama)
        app.router.add_get("/api/tags", self._tags)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0]
        self._url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._freed.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _tags(self, _: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": each, "model": each} for each in self.models]})

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "anthropic", self._anthropic_chunks, "text/event-stream")

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "openai", self._openai_chunks, "text/event-stream")

    async def _ollama(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "ollama", self._ollama_chunks, "application/x-ndjson")

    async def _answer(
        self,
        request: web.Request,
        api: str,
        chunks: Callable[[Reply], AsyncIterator[str]],
        content_type: str,
    ) -> web.StreamResponse:
        asked = Request(api, dict(request.headers), await request.json())
        self.requests.append(asked)
        if await self.watch(f"llm:{api}", IN):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        entry = self._next(asked)
        await asyncio.sleep(self.delay)
        if isinstance(entry, Status):
            return _refusal(api, entry)
        response = web.StreamResponse(headers={"content-type": content_type})
        await response.prepare(request)
        if isinstance(entry, Fault):
            await self._fail(request, response, entry, chunks)
        else:
            async for chunk in chunks(entry):
                await response.write(chunk.encode())
            await self.watch(f"llm:{api}", DONE)
        return response

    def _next(self, asked: Request) -> Entry:
        if not self._script and self.always is None:
            return Status(418, "the script is over")
        entry = self._script.pop(0) if self._script else self.always
        assert entry is not None
        return entry(asked) if callable(entry) else entry

    async def _fail(
        self,
        request: web.Request,
        response: web.StreamResponse,
        fault: Fault,
        chunks: Callable[[Reply], AsyncIterator[str]],
    ) -> None:
        whole = [chunk async for chunk in chunks(Reply("half of the answer"))]
        for chunk in whole[: len(whole) // 2]:
            await response.write(chunk.encode())
        match fault:
            case Fault.TRUNCATED:
                pass
            case Fault.MALFORMED:
                await response.write(whole[-1].replace("{", "{{", 1).encode())
            case Fault.DISCONNECT:
                assert request.transport is not None
                request.transport.abort()
            case Fault.HANG:
                await self._freed.wait()

    def _id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{self._ids}"

    async def _anthropic_chunks(self, reply: Reply) -> AsyncIterator[str]:
        def event(kind: str, **fields: Any) -> str:
            return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"

        usage = {"input_tokens": reply.input_tokens, "output_tokens": 1}
        message = {"id": self._id("msg"), "type": "message", "role": "assistant", "model": "scripted", "content": []}
        yield event("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": usage})
        yield event("ping")
        index = 0
        if reply.text:
            yield event("content_block_start", index=index, content_block={"type": "text", "text": ""})
            for piece in _pieces(reply.text):
                yield event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece})
            yield event("content_block_stop", index=index)
            index += 1
        for use in reply.uses:
            block = {"type": "tool_use", "id": self._id("toolu"), "name": use.name, "input": {}}
            yield event("content_block_start", index=index, content_block=block)
            for piece in _pieces(use.text):
                yield event(
                    "content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": piece}
                )
            yield event("content_block_stop", index=index)
            index += 1
        stop = "max_tokens" if reply.is_cut else "tool_use" if reply.uses else "end_turn"
        delta = {"stop_reason": stop, "stop_sequence": None}
        yield event("message_delta", delta=delta, usage={"output_tokens": reply.output_tokens})
        yield event("message_stop")

    async def _openai_chunks(self, reply: Reply) -> AsyncIterator[str]:
        head = {"id": self._id("chatcmpl"), "object": "chat.completion.chunk", "created": 0, "model": "scripted"}

        def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
            choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
            return f"data: {json.dumps({**head, 'choices': choices})}\n\n"

        yield chunk({"role": "assistant", "content": ""})
        for piece in _pieces(reply.text):
            yield chunk({"content": piece})
        for index, use in enumerate(reply.uses):
            function = {"name": use.name, "arguments": ""}
            first = {"index": index, "id": self._id("call"), "type": "function", "function": function}
            yield chunk({"tool_calls": [first]})
            for piece in _pieces(use.text):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        yield chunk({}, "length" if reply.is_cut else "tool_calls" if reply.uses else "stop")
        usage = {"prompt_tokens": reply.input_tokens, "completion_tokens": reply.output_tokens, "total_tokens": 0}
        yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
        yield "data: [DONE]\n\n"

    async def _ollama_chunks(self, reply: Reply) -> AsyncIterator[str]:
        head = {"model": "scripted", "created_at": "2026-01-01T00:00:00Z"}

        def line(message: dict[str, Any], **fields: Any) -> str:
            whole = {**head, "message": {"role": "assistant", **message}, "done": False, **fields}
            text = json.dumps(whole, ensure_ascii=False)  # as a server does that is not Ollama itself
            return text.encode(errors="backslashreplace").decode() + "\n"  # a lone surrogate can only be escaped

        for piece in _pieces(reply.text):
            yield line({"content": piece})
        for use in reply.uses:
            arguments = dict(use.arguments) if use.raw is None else use.raw
            yield line({"content": "", "tool_calls": [{"function": {"name": use.name, "arguments": arguments}}]})
        yield line(
            {"content": ""},
            done=True,
            done_reason="length" if reply.is_cut else "stop",
            prompt_eval_count=reply.input_tokens,
            eval_count=reply.output_tokens,
        )


def _refusal(api: str, entry: Status) -> web.Response:
    headers = {**entry.headers, **({"retry-after": entry.retry_after} if entry.retry_after else {})}
    error = {"type": entry.type, "message": entry.message}
    bodies = {
        "anthropic": {"type": "error", "error": error},
        "openai": {"error": {**error, "code": None, "param": None}},
        "ollama": {"error": entry.message},
    }
    return web.json_response(bodies[api], status=entry.status, headers=headers)


def _pieces(text: str) -> list[str]:
    """Small enough to cut words, numbers and escapes in the middle, and not too many of them."""
    size = max(7, len(text) // 1000)
    return [text[start : start + size] for start in range(0, len(text), size)]
