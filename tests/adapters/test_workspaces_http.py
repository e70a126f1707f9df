"""Workspaces over HTTP with a token: it reaches the one server it is for, and is seen nowhere else."""

from __future__ import annotations

import asyncio
import base64
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web

from adapters.sandbox import choose
from adapters.system import SystemClock, run
from adapters.workspaces import GitWorkspaces
from core.model.errors import WorkspaceError
from core.model.work import Checkout, Project, ProjectKey, RepoRef, RunId
from core.ports import Access, CommitMessage, Remote
from tests import repositories
from tests.fakes.git_http import GitHttp

BRANCH = "task/DEMO-1"
PROJECT = Project(ProjectKey("DEMO"), "Demo", RepoRef("github", "ada/demo"), "main")
WORDS = CommitMessage("Change", "")
OUR_GIT = {"git", "git-remote-http", "git-remote-https"}
"""The one header is in their environment, bound to the one address."""


def header(token: str) -> str:
    return f"Basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}"


@dataclass
class Desk:
    server: GitHttp
    bare: Path
    data: Path
    workspaces: GitWorkspaces

    @property
    def remote(self) -> Remote:
        return Remote(f"{self.server.base}/ada/demo.git", header(self.server.token))

    async def changed(self) -> Checkout:
        checkout = await self.workspaces.prepare(RunId("run-1"), PROJECT, BRANCH, self.remote)
        repositories.write(Path(checkout.path), {"a.py": "x = 1\n"})
        return checkout


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with GitHttp(tmp_path / "served", uuid4().hex) as server:
        bare = await server.create("ada/demo")
        yield Desk(server, bare, tmp_path / "data", GitWorkspaces(tmp_path / "data", SystemClock()))


@dataclass
class Watch:
    """The command lines of all processes, and the environments of our children, looked at again and again."""

    seen: set[bytes] = field(default_factory=set)
    environments: dict[bytes, set[bytes]] = field(default_factory=dict)
    """By the program's command line."""
    is_over: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        while not self.is_over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                    self.seen.add(line)
                    environment = path.with_name("environ").read_bytes()
                    if path.read_bytes() == line:  # else it has become another program meanwhile
                        self.environments.setdefault(line, set()).add(environment)
                except OSError:
                    continue


@contextmanager
def watched() -> Iterator[Watch]:
    watch = Watch()
    thread = threading.Thread(target=watch.look)
    thread.start()
    try:
        yield watch
    finally:
        watch.is_over.set()
        thread.join()


async def test_the_token_is_neither_in_argv_nor_on_disk_nor_with_the_agent(desk: Desk) -> None:
    with watched() as watch:
        checkout = await desk.changed()
        change = await desk.workspaces.publish(checkout, WORDS, desk.remote)
        await desk.workspaces.branch_diff(PROJECT, BRANCH, desk.remote)

    assert change is not None
    assert repositories.files_on(desk.bare, BRANCH) == {"a.py": b"x = 1\n"}
    secrets = {desk.server.token.encode(), desk.remote.authorization.split()[1].encode()}
    assert any(b"remote-http" in line for line in watch.seen)
    assert not [line for line in watch.seen if any(secret in line for secret in secrets)]
    knowing = {
        line for line, found in watch.environments.items() if any(each in word for each in secrets for word in found)
    }
    assert knowing
    assert {Path(os.fsdecode(line.split(b"\0")[0])).name for line in knowing} <= OUR_GIT
    files = await asyncio.to_thread(lambda: [path for path in desk.data.rglob("*") if path.is_file()])
    assert len(files) > 10
    assert not [path for path in files if any(secret in path.read_bytes() for secret in secrets)]


SEARCH = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; env; grep -rs . ."


async def test_an_agent_at_work_during_a_push_finds_no_token(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The push is held open on its way, and the sandbox is searched meanwhile. The control sees it from outside."""
    checkout = await desk.changed()
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold(name: str, phase: str) -> bool:
        if name == "git:git-receive-pack" and phase == "in":
            reached.set()
            await go_on.wait()
        return False

    desk.server.watch = hold
    push = asyncio.ensure_future(desk.workspaces.publish(checkout, WORDS, desk.remote))
    await reached.wait()
    try:
        outside = await run(("/bin/sh", "-c", SEARCH), environment={"PATH": os.environ["PATH"]}, seconds=60)
        sandbox = await choose("auto", [desk.data])
        wrapped = sandbox.wrap(("/bin/sh", "-c", SEARCH), checkout.path, Access.WRITE, {})
        inside = await run(wrapped.argv, environment=wrapped.environment, seconds=60, merge=True)
    finally:
        go_on.set()
    change = await push

    secrets = (desk.server.token, desk.remote.authorization.split()[1])
    assert change is not None
    assert any(secret in outside.text for secret in secrets)
    assert "cmdline" in inside.text or "PATH=" in inside.text
    assert not [secret for secret in secrets if secret in inside.text or secret in caplog.text]
    assert not [call for call in desk.server.served if any(secret in call for secret in secrets)]


async def test_another_token_is_told_as_such_and_never_shown(desk: Desk) -> None:
    checkout = await desk.changed()
    wrong = uuid4().hex

    with pytest.raises(WorkspaceError, match="did not accept the bot's credentials") as raised:
        await desk.workspaces.publish(checkout, WORDS, Remote(desk.remote.url, header(wrong)))

    assert wrong not in str(raised.value)
    assert header(wrong) not in str(raised.value)
    assert await desk.workspaces.publish(checkout, WORDS, desk.remote)


async def test_a_repository_that_is_not_there(desk: Desk) -> None:
    elsewhere = Remote(f"{desk.server.base}/ada/none.git", desk.remote.authorization)

    with pytest.raises(WorkspaceError, match="no repository at"):
        await desk.workspaces.prepare(RunId("run-1"), PROJECT, BRANCH, elsewhere)


async def test_a_push_that_is_not_permitted(desk: Desk) -> None:
    checkout = await desk.changed()
    repositories.git(desk.bare, "config", "http.receivepack", "false")

    with pytest.raises(WorkspaceError, match="write access"):
        await desk.workspaces.publish(checkout, WORDS, desk.remote)


async def test_a_server_that_is_gone(desk: Desk) -> None:
    checkout = await desk.changed()
    gone = Remote("http://127.0.0.1:1/ada/demo.git", desk.remote.authorization)

    with pytest.raises(WorkspaceError, match="cannot be reached"):
        await desk.workspaces.publish(checkout, WORDS, gone)


@dataclass
class Thief:
    """Sends everyone on to itself, and keeps what they bring."""

    base: str = ""
    brought: list[str] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.Response:
        self.brought.append(request.path + request.headers.get("Authorization", ""))
        raise web.HTTPFound(f"{self.base}/stolen{request.path_qs}")


@pytest.fixture
async def thief() -> AsyncIterator[Thief]:
    made = Thief()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_nobody_is_sent_on(desk: Desk, thief: Thief) -> None:
    remote = Remote(f"{thief.base}/ada/demo.git", header(uuid4().hex))

    with pytest.raises(WorkspaceError, match="no repository at"):
        await desk.workspaces.prepare(RunId("run-1"), PROJECT, BRANCH, remote)

    assert thief.brought
    assert not [path for path in thief.brought if path.startswith("/stolen")]


async def test_the_header_is_for_this_repository_alone(desk: Desk, thief: Thief) -> None:
    """A submodule of the base points elsewhere: it is not fetched, and gets no header."""
    clone = desk.data.with_name("clone")
    repositories.git(desk.bare, "clone", "--quiet", str(desk.bare), str(clone))
    modules = f'[submodule "m"]\n\tpath = m\n\turl = {thief.base}/evil/m.git\n'
    repositories.commit(clone, {".gitmodules": modules})
    repositories.git(clone, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},m")
    repositories.git(clone, "commit", "--quiet", "--message", "A submodule")
    repositories.git(clone, "push", "--quiet", "origin", "main")

    checkout = await desk.changed()
    await desk.workspaces.publish(checkout, WORDS, desk.remote)

    assert repositories.modes_on(desk.bare, BRANCH)["m"] == "160000"
    assert thief.brought == []
