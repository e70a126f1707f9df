"""A run whose data folder was moved, or restored elsewhere, while it was under way."""

from __future__ import annotations

from dataclasses import replace

from core.model.errors import WorkspaceError
from core.model.work import Checkout, Project, RunId, RunState
from core.ports import Remote
from tests.fakes.agent import for_ever
from tests.fakes.code import FakeWorkspaces
from tests.whole import WholeBot


class Moved(FakeWorkspaces):
    async def prepare(self, run: RunId, project: Project, branch: str, remote: Remote) -> Checkout:
        return replace(await super().prepare(run, project, branch, remote), path=f"/elsewhere/{run}")


async def test_the_agent_works_where_the_checkout_is_now(bot: WholeBot) -> None:
    bot.agent.can_repeat = True
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    bot.workspaces = Moved()
    bot.workspaces.changes = {"a.py": "1"}

    await bot.restart()
    await bot.quiet()

    run = await bot.only_run()
    assert [turn.checkout.path for turn in bot.agent.turns] == [f"/work/{run.id}", f"/elsewhere/{run.id}"]
    assert run.state is RunState.COMPLETED
    assert len(bot.forge.pulls) == 1


async def test_a_checkout_that_cannot_be_made_again_ends_the_run_with_the_reason(bot: WholeBot) -> None:
    bot.agent.can_repeat = True
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    bot.workspaces.fault = WorkspaceError("The disk is full.")

    await bot.restart()
    await bot.quiet()

    run = await bot.only_run()
    assert (run.state, run.error) == (RunState.FAILED, "The disk is full.")
    assert len(bot.agent.turns) == 1
