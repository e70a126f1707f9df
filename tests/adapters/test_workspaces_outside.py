"""git's host has a circuit as any outside service: one that is away is left alone, and who asks hears so at once."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.workspaces import GitWorkspaces
from core.circuits import OUTAGES, AllCircuits
from core.model.errors import WorkspaceError
from core.model.work import Project, ProjectKey, RepoRef, RunId
from core.ports import CommitMessage, Remote
from tests.fakes.clock import FakeClock
from tests.fakes.git_http import GitHttp
from tests.repositories import files_on, make_bare, write

BRANCH = "task/DEMO-1"
PROJECT = Project(ProjectKey("DEMO"), "Demo", RepoRef("github", "ada/demo"), "main")
CHANGE = CommitMessage("Change", "")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitHttp]:
    async with GitHttp(tmp_path / "served", uuid4().hex) as made:
        await made.create("ada/demo")
        yield made


async def down(_name: str, _phase: str) -> bool:
    """Every connection is cut."""
    return True


async def up(_name: str, _phase: str) -> bool:
    return False


def remote_of(server: GitHttp, token: str = "") -> Remote:
    word = base64.b64encode(f"x-access-token:{token or server.token}".encode()).decode()
    return Remote(f"{server.base}/ada/demo.git", f"Basic {word}")


async def test_a_host_that_does_not_answer_is_left_alone_for_a_while(server: GitHttp, tmp_path: Path) -> None:
    clock = FakeClock()
    circuits = AllCircuits(clock)
    workspaces = GitWorkspaces(tmp_path / "data", clock, circuits)
    remote, run = remote_of(server), RunId("run-1")
    checkout = await workspaces.prepare(run, PROJECT, BRANCH, remote)
    write(Path(checkout.path), {"a.py": "x = 1\n"})
    server.watch = down

    for _ in range(OUTAGES):
        with pytest.raises(WorkspaceError, match="cannot be reached"):
            await workspaces.publish(checkout, CHANGE, remote)
    served = len(server.served)
    with pytest.raises(WorkspaceError, match=r"git at .* does not answer .* What was done is safe"):
        await workspaces.publish(checkout, CHANGE, remote)

    assert len(server.served) == served
    assert len(circuits.troubles()) == 1
    server.watch = up
    await clock.forward(5)
    assert await workspaces.publish(checkout, CHANGE, remote)
    assert circuits.troubles() == []
    assert "a.py" in files_on(tmp_path / "served/ada/demo.git", BRANCH)


async def test_what_it_refuses_is_an_answer(server: GitHttp, tmp_path: Path) -> None:
    circuits = AllCircuits(FakeClock())
    workspaces = GitWorkspaces(tmp_path / "data", FakeClock(), circuits)

    for number in range(OUTAGES + 1):
        with pytest.raises(WorkspaceError, match="credentials"):
            await workspaces.prepare(RunId(f"run-{number}"), PROJECT, BRANCH, remote_of(server, "wrong"))

    assert circuits.troubles() == []


async def test_a_repository_on_this_machine_needs_none(tmp_path: Path) -> None:
    circuits = AllCircuits(FakeClock())
    workspaces = GitWorkspaces(tmp_path / "data", FakeClock(), circuits)
    bare = make_bare(tmp_path / "bare.git", {"a.py": b"1\n"})

    await workspaces.prepare(RunId("run-1"), PROJECT, BRANCH, Remote(str(bare)))

    assert circuits.all() == []
