"""However a run ends badly: what happened, that the work is safe and where, and the one next step."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest

from core.model.errors import (
    AgentCapped,
    AgentError,
    AgentLimit,
    AgentUnready,
    BotError,
    ForgeError,
    SandboxError,
    WorkspaceError,
)
from core.model.events import TurnAsk, TurnEnd, TurnResult
from core.model.work import RunState
from core.ports import Note
from core.runs.flow import MOST_CAPS
from tests.fakes.agent import for_ever
from tests.whole import WholeBot

ON_ITS_BRANCH = (r"is kept on `patchbay/\w+`", r"Say how to go on, and I continue there\.")
UNCHANGED = (r"Nothing had been changed\.", r"Say how to go on, and I start again\.")
UNBEGUN = (r"Nothing was changed\.", r"Say it again to try once more\.")
KEPT_BACK = (r"It is safe in the bot's workspace", r"“Publish again” takes it from there\.")

AGENT_ERRORS = [
    AgentError("The model answered 529 six times."),
    AgentLimit("It was stopped after 100 steps."),
    AgentUnready("The key is refused."),
    SandboxError("The sandbox does not start."),
]


async def said(bot: WholeBot) -> None:
    await bot.ask("Mend it")


async def stopped(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.said("Mend it")
    await bot.agent.began.wait()
    await bot.ask("/cancel")


async def unanswered(bot: WholeBot) -> None:
    bot.agent.script = [TurnResult("", end=TurnEnd.ASKED, question="Red?")]
    await bot.ask("Mend it")
    await bot.clock.forward(25 * 3600)
    await bot.quiet()


async def unpublished(bot: WholeBot) -> None:
    async def play(turn: TurnAsk, note: Note) -> TurnResult:
        bot.workspaces.fault = WorkspaceError("The remote refused the push.")
        return TurnResult("done")

    bot.agent.script = [play]
    await bot.ask("Mend it")


async def without_pull_request(bot: WholeBot) -> None:
    async def refuse(*_: object) -> object:
        raise ForgeError("The forge is down.")

    bot.forge.open_pull_request = refuse  # type: ignore[assignment, method-assign]
    await bot.ask("Mend it")


async def unprepared(bot: WholeBot) -> None:
    bot.workspaces.fault = WorkspaceError("The repository cannot be cloned.")
    await bot.ask("Mend it")


async def broken(bot: WholeBot) -> None:
    async def play(turn: TurnAsk, note: Note) -> TurnResult:
        raise ZeroDivisionError

    bot.agent.script = [play]
    await bot.ask("Mend it")


async def agent_gone(bot: WholeBot) -> None:
    bot.agent.script = [TurnResult("", end=TurnEnd.ASKED, question="Red?")]
    await bot.ask("Mend it")
    del bot.agents["scripted"]
    await bot.ask("Yes")


async def capped_for_good(bot: WholeBot) -> None:
    bot.agent.script = [AgentCapped("The cap is reached.", bot.clock.now())] * (MOST_CAPS + 1)
    await bot.ask("Mend it")
    for _ in range(MOST_CAPS):
        await bot.clock.forward(60)
        await bot.quiet()


Way = Callable[[WholeBot], Awaitable[None]]
WAYS: list[tuple[Way, str, tuple[str, str], RunState]] = [
    (stopped, "Stopped by Olga", ON_ITS_BRANCH, RunState.CANCELLED),
    (unanswered, "Nobody answered for 24 hours", ON_ITS_BRANCH, RunState.CANCELLED),
    (unpublished, "The remote refused the push", KEPT_BACK, RunState.FAILED),
    (without_pull_request, "The forge is down", ON_ITS_BRANCH, RunState.FAILED),
    (unprepared, "The repository cannot be cloned", UNBEGUN, RunState.FAILED),
    (broken, "Something went wrong inside the bot", KEPT_BACK, RunState.FAILED),
    (agent_gone, "The agent `scripted` is no longer configured", ON_ITS_BRANCH, RunState.FAILED),
    (capped_for_good, "it was reached again each time", ON_ITS_BRANCH, RunState.FAILED),
]


def check(text: str, what: str, rest: tuple[str, str]) -> None:
    assert what in text
    for each in rest:
        assert re.search(each, text), text


@pytest.mark.parametrize(("way", "what", "rest", "state"), WAYS, ids=lambda each: getattr(each, "__name__", ""))
async def test_a_bad_end_says_what_happened_where_the_work_is_and_what_to_do(
    bot: WholeBot, way: Way, what: str, rest: tuple[str, str], state: RunState
) -> None:
    bot.workspaces.changes = {"half.py": "1"}
    await bot.linked()

    await way(bot)

    check(bot.platform.posts[-1].text, what, rest)
    assert (await bot.only_run()).state is state


@pytest.mark.parametrize("error", AGENT_ERRORS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("changed", [{}, {"half.py": "1"}], ids=["nothing", "something"])
async def test_so_does_every_error_of_an_agent(bot: WholeBot, error: BotError, changed: dict[str, str]) -> None:
    bot.workspaces.changes = dict(changed)
    bot.agent.script = [error]
    await bot.linked()

    await said(bot)

    check(bot.platform.posts[-1].text, str(error), ON_ITS_BRANCH if changed else UNCHANGED)
