"""git over HTTP with a token, on loopback: `git http-backend` behind aiohttp.

`async with GitHttp(folder, token) as server`: serves the bare repositories in `folder` at `server.base/owner/name.git`
to who brings `Basic base64(x-access-token:TOKEN)`. `server.refused` counts who did not, `server.watch` sees each call.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
from pathlib import Path
from typing import Self

from aiohttp import web

from tests.fakes.watch import DONE, IN, Watch, nobody

GIT_SECONDS = 60.0
LARGEST = 200_000_000


class GitHttp:
    def __init__(self, folder: Path, token: str) -> None:
        self.folder, self.token = folder, token
        self.refused = 0
        self.watch: Watch = nobody
        self.read_only: set[str] = set()
        """`acme/shop`: who may read may not push."""
        self.served: list[str] = []
        """`POST /acme/shop.git/git-receive-pack`, in order."""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST)
        app.router.add_route("*", "/{owner}/{name}.git/{rest:.+}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def create(self, path: str, *, branch: str = "main") -> Path:
        """A bare repository at owner/name with one commit on `branch`; where it lies."""
        bare = self.folder / f"{path}.git"
        await _git("init", "-q", "--bare", f"--initial-branch={branch}", str(bare))
        await _git("-C", str(bare), "config", "http.receivepack", "true")
        tree = await _git("-C", str(bare), "mktree", stdin=b"")
        commit = await _git("-C", str(bare), "commit-tree", tree, "-m", "begin")
        await _git("-C", str(bare), "update-ref", f"refs/heads/{branch}", commit)
        return bare

    async def _serve(self, request: web.Request) -> web.Response:
        if not self._is_known(request.headers.get("Authorization", "")):
            self.refused += 1
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        if self._is_push(request) and f"{request.match_info['owner']}/{request.match_info['name']}" in self.read_only:
            return web.Response(status=403, text="Permission to it denied to ann.")
        self.served.append(f"{request.method} {request.path}")
        name, body = f"git:{request.match_info['rest']}", await request.read()
        if await self.watch(name, IN):
            return _cut(request)
        out = await _run(["git", "http-backend"], body, self._environment(request))
        if await self.watch(name, DONE):
            return _cut(request)
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, body=body, headers=headers)

    def _is_push(self, request: web.Request) -> bool:
        return "git-receive-pack" in (request.match_info["rest"], request.query.get("service"))

    def _is_known(self, authorization: str) -> bool:
        wanted = f"Basic {base64.b64encode(f'x-access-token:{self.token}'.encode()).decode()}"
        return hmac.compare_digest(authorization, wanted)

    def _environment(self, request: web.Request) -> dict[str, str]:
        """CGI, as https://git-scm.com/docs/git-http-backend asks for it; what was packed aiohttp has unpacked."""
        found = request.match_info
        return {
            **_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "PATH_INFO": f"/{found['owner']}/{found['name']}.git/{found['rest']}",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "REMOTE_USER": "x-access-token",
            "REMOTE_ADDR": "127.0.0.1",
        }


def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _git(*argv: str, stdin: bytes = b"") -> str:
    return (await _run(["git", *argv], stdin, _ENVIRONMENT)).decode().strip()


async def _run(argv: list[str], stdin: bytes, environment: dict[str, str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(GIT_SECONDS):
            out, error = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{argv}: {error.decode(errors='replace')}")
    return out


_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
}
