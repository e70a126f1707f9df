"""GitWorkspaces as the daily tidying sees them: what stands, what of it was never pushed, what is given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.system import SystemClock
from adapters.workspaces import GitWorkspaces
from core.model.errors import WorkspaceError
from core.model.work import Project, RepoRef
from tests import repositories
from tests.adapters.test_workspaces import BRANCH, KEY, WORDS, Desk, names_in, new_run


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    bare = repositories.make_bare(tmp_path / "remote.git", {"a.py": "x = 1\n"})
    data = tmp_path / "data"
    return Desk(data, bare, GitWorkspaces(data, SystemClock()), Project(KEY, "Demo", RepoRef("local"), base="main"))


async def test_what_was_not_pushed_is_seen_and_left_as_it_is(desk: Desk, tmp_path: Path) -> None:
    checkout = await desk.prepare()
    repositories.write(Path(checkout.path), {"a.py": "x = 2\n"})
    before = names_in(checkout.path)

    assert await desk.workspaces.kept() == [checkout.run]
    assert await desk.workspaces.has_unpublished(checkout.run)
    assert await desk.restarted().workspaces.has_unpublished(checkout.run)
    assert names_in(checkout.path) == before
    await desk.workspaces.publish(checkout, WORDS, desk.remote)
    assert not await desk.workspaces.has_unpublished(checkout.run)
    repositories.write(Path(checkout.path), {"new.py": "n\n"})
    assert await desk.workspaces.has_unpublished(checkout.run)
    (Path(checkout.path) / "new.py").unlink()
    assert not await desk.workspaces.has_unpublished(checkout.run)
    repositories.write(Path(checkout.path), {"c.py": "c\n"})
    desk.bare.rename(tmp_path / "away")
    with pytest.raises(WorkspaceError):
        await desk.workspaces.publish(checkout, WORDS, desk.remote)
    assert await desk.workspaces.has_unpublished(checkout.run), "committed, and not pushed"


async def test_a_run_without_a_whole_checkout_has_nothing_to_publish(desk: Desk) -> None:
    half, whole = await desk.prepare(), await desk.prepare(branch="task/DEMO-2")
    (Path(half.path).parent / "meta.json").unlink()

    assert set(await desk.workspaces.kept()) == {half.run, whole.run}
    assert not await desk.workspaces.has_unpublished(half.run)
    assert not await desk.workspaces.has_unpublished(whole.run)
    assert not await desk.workspaces.has_unpublished(new_run())


async def test_what_was_only_looked_at_is_given_up_by_the_housekeeping(desk: Desk, tmp_path: Path) -> None:
    repositories.push_as_another(desk.bare, BRANCH, {"c.py": "new\n"}, tmp_path / "one")
    await desk.workspaces.branch_diff(desk.project, BRANCH, desk.remote)
    checkout = await desk.prepare()
    store = desk.data / "workspaces" / "DEMO" / "git"
    assert repositories.git(store, "for-each-ref", "refs/runs/view") != ""

    await desk.workspaces.tidy()

    assert repositories.git(store, "for-each-ref", "refs/runs/view") == ""
    assert repositories.git(store, "for-each-ref", f"refs/runs/{checkout.run}") != ""
    assert "+new" in await desk.workspaces.branch_diff(desk.project, BRANCH, desk.remote)
    await GitWorkspaces(tmp_path / "nothing-here", SystemClock()).tidy()
