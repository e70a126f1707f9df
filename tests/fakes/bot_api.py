"""As much of the Bot API as connecting needs, in a thread of its own: for commands that run a loop of their own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[str, Mapping[str, str]], tuple[int, dict[str, Any]]]
"""Path and headers to status and JSON."""


class BotApi:
    """Knows one token; `calls` are the methods it was asked for."""

    def __init__(self, token: str, name: str = "patch_bot") -> None:
        self.token, self.name = token, name
        self.calls: list[str] = []
        self.address = ""

    def answer(self, path: str, _headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        head, _, method = path.partition("?")[0].rpartition("/")
        if head != f"/bot{self.token}":
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        self.calls.append(method)
        me = {"id": int(self.token.partition(":")[0]), "is_bot": True, "first_name": "Bot", "username": self.name}
        return 200, {"ok": True, "result": me if method == "getMe" else True}


@contextmanager
def bot_api(token: str) -> Iterator[BotApi]:
    api = BotApi(token)
    with answering(api.answer) as api.address:
        yield api


@contextmanager
def answering(answer: Answer, headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """Listens on the loopback while inside; its address. `headers` go with every answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answer(self.path, dict(self.headers.items()))
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST  # noqa: N815 - the base class's name

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
