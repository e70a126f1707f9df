"""A GitHub of our own, for the faults that a good one does not show: refusals, 5xx, lost answers, rate limits.

`async with FakeGithub(token) as github`: then `github.base` is `api_base`. A fault is planted for one request:
`github.faults.append(Fault("POST", 502, accepts=True))`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.fakes.watch import DONE, IN, Watch, nobody


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the next request of `method`, once. `status` 0: the connection is cut instead of an answer.

    `accepts`: what was asked is done before that.
    """

    method: str
    status: int = 0
    accepts: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def rate_limited(method: str, seconds: int) -> Fault:
    reset = str(int(time.time()) + seconds)
    body = {"message": "API rate limit exceeded for user ID 1."}
    return Fault(method, 403, body=body, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset})


@dataclass(slots=True)
class Repo:
    default_branch: str = "main"
    branches: set[str] = field(default_factory=lambda: {"main"})
    can_push: bool = True
    archived: bool = False
    pulls: list[dict[str, Any]] = field(default_factory=list)
    conflicts: set[int] = field(default_factory=set)
    """Numbers of pull requests that cannot be merged."""


class FakeGithub:
    """`has_branch` may ask a real repository whether a head is there; without it every branch is."""

    def __init__(self, token: str, *, has_branch: Callable[[str, str], bool] | None = None) -> None:
        self.token = token
        self.repos: dict[str, Repo] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        """`POST /repos/o/r/pulls`, in order."""
        self.watch: Watch = nobody
        self._has_branch = has_branch or (lambda _repo, _branch: True)

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._with_faults])
        app.add_routes(
            [
                web.get("/repos/{owner}/{name}", self._repo),
                web.get("/repos/{owner}/{name}/branches/{branch:.+}", self._branch),
                web.get("/repos/{owner}/{name}/pulls", self._pulls),
                web.post("/repos/{owner}/{name}/pulls", self._create),
                web.get(r"/repos/{owner}/{name}/pulls/{number:\d+}", self._pull),
                web.put(r"/repos/{owner}/{name}/pulls/{number:\d+}/merge", self._merge),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def count(self, method: str) -> int:
        return sum(each.startswith(f"{method} ") for each in self.requests)

    # ------------------------------------------------------------------------------------- answers

    @web.middleware
    async def _with_faults(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization") != f"token {self.token}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        name = f"github:{request.method} {request.path.rpartition('/')[2]}"
        if await self.watch(name, IN):
            return _cut(request)
        fault = next((each for each in self.faults if each.method == request.method), None)
        if fault is None:
            answer: web.StreamResponse = await handler(request)
            return _cut(request) if await self.watch(name, DONE) else answer
        self.faults.remove(fault)
        if fault.accepts:
            await handler(request)
        if fault.status == 0:
            assert request.transport
            request.transport.abort()
            await asyncio.sleep(0)
        return web.json_response(
            dict(fault.body) or {"message": "oops"}, status=fault.status or 500, headers=fault.headers
        )

    def _found(self, request: web.Request) -> tuple[str, Repo]:
        path = f"{request.match_info['owner']}/{request.match_info['name']}"
        if path not in self.repos:
            raise web.HTTPNotFound(text='{"message": "Not Found"}', content_type="application/json")
        return path, self.repos[path]

    async def _repo(self, request: web.Request) -> web.Response:
        path, repo = self._found(request)
        return web.json_response(
            {
                "full_name": path,
                "name": path.partition("/")[2],
                "url": f"{self.base}/repos/{path}",
                "default_branch": repo.default_branch,
                "archived": repo.archived,
                "permissions": {"admin": False, "push": repo.can_push, "pull": True},
            }
        )

    async def _branch(self, request: web.Request) -> web.Response:
        _, repo = self._found(request)
        name = request.match_info["branch"]
        if name not in repo.branches:
            return web.json_response({"message": "Branch not found"}, status=404)
        return web.json_response({"name": name})

    async def _pulls(self, request: web.Request) -> web.Response:
        path, repo = self._found(request)
        owner = path.partition("/")[0]
        state, head = request.query.get("state", "open"), request.query.get("head")
        return web.json_response(
            [
                each
                for each in repo.pulls
                if state in {"all", each["state"]} and head in {None, f"{owner}:{each['head']['ref']}"}
            ]
        )

    async def _create(self, request: web.Request) -> web.Response:
        path, repo = self._found(request)
        asked = await request.json()
        head = asked["head"]
        if not self._has_branch(path, head):
            return _invalid({"field": "head", "code": "invalid", "message": f"No such branch: {head}"})
        if any(each["head"]["ref"] == head and each["state"] == "open" for each in repo.pulls):
            owner = path.partition("/")[0]
            return _invalid({"code": "custom", "message": f"A pull request already exists for {owner}:{head}."})
        pull = self._made(path, len(repo.pulls) + 1, asked)
        repo.pulls.append(pull)
        return web.json_response(pull, status=201)

    def _made(self, path: str, number: int, asked: Mapping[str, str]) -> dict[str, Any]:
        return {
            "number": number,
            "url": f"{self.base}/repos/{path}/pulls/{number}",
            "html_url": f"{self.base}/{path}/pull/{number}",
            "title": asked["title"],
            "body": asked["body"],
            "state": "open",
            "merged": False,
            "merged_at": None,
            "head": {"ref": asked["head"]},
            "base": {"ref": asked["base"]},
        }

    def _numbered(self, request: web.Request) -> tuple[Repo, dict[str, Any]]:
        _, repo = self._found(request)
        number = int(request.match_info["number"])
        if number > len(repo.pulls):
            raise web.HTTPNotFound(text='{"message": "Not Found"}', content_type="application/json")
        return repo, repo.pulls[number - 1]

    async def _pull(self, request: web.Request) -> web.Response:
        return web.json_response(self._numbered(request)[1])

    async def _merge(self, request: web.Request) -> web.Response:
        repo, pull = self._numbered(request)
        if pull["state"] != "open" or pull["number"] in repo.conflicts:
            return web.json_response({"message": "Pull Request is not mergeable"}, status=405)
        pull.update(state="closed", merged=True, merged_at="2026-11-20T12:00:00Z")
        return web.json_response({"merged": True, "sha": "0" * 40, "message": "Pull Request successfully merged"})


def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def _invalid(error: Mapping[str, str]) -> web.Response:
    return web.json_response({"message": "Validation Failed", "errors": [dict(error)]}, status=422)


def run_marker(body: str) -> str | None:
    """The run that a pull request's body names, unseen by a reader."""
    found = re.search(r"<!-- patchbay:run:(\S+) -->", body)
    return found[1] if found else None
