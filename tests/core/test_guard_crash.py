"""A crash around every step of a run that the guard holds back: asked once, done once, as it was answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.model.work import RunState
from tests.fakes.engine import CrashAt, Moment
from tests.whole import WholeBot, whole_bot

STEPS = 7
"""prepare, turn, publish, hold, settle, publish again, finish."""
WORKFLOW = ".github/workflows/ci.yml"


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize(
    ("label", "files"), [("Publish all", {"a.py", WORKFLOW}), ("Without these", {"a.py"}), ("Deny", set[str]())]
)
async def test_a_crash_around_any_step_changes_no_answer(
    tmp_path: Path, step: int, moment: Moment, label: str, files: set[str]
) -> None:
    async with whole_bot(tmp_path) as bot:
        bot.agent.can_repeat = True
        bot.workspaces.changes = {"a.py": "1", WORKFLOW: "on: push"}
        await bot.linked()
        bot.engine.crash_at = CrashAt(step, moment)
        await bot.said("Mend it")
        await _over(bot)
        await bot.platform.press(label)
        await bot.inbox.until_quiet()
        await _over(bot)

        run = await bot.only_run()
        published = next(iter(bot.workspaces.branches.values()), {})
        assert set(published) == files
        assert run.state is (RunState.COMPLETED if files else RunState.FAILED)
        assert len(bot.forge.pulls) == bool(files)
        keys = [each.key for each in bot.platform.posts]
        assert len(keys) == len(set(keys))
        assert len([key for key in keys if key.startswith("guard:")]) == 1
        assert len([key for key in keys if key.startswith("answer:")]) == 1


async def _over(bot: WholeBot) -> None:
    """It is over or waits; a bot that died meanwhile is started again."""
    await bot.engine.settled()
    if bot.engine.is_dead:
        await bot.restart()
    await bot.quiet()
