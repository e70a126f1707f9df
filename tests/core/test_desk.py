"""The desk of runs: who may work at once, who waits, and what a start finds of an earlier life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.model.chat import Cause, ThreadRef
from core.model.errors import Conflict, NotFound, StoreError
from core.model.events import TurnAsk, TurnEnd, TurnResult
from core.model.work import Run, RunId, RunState, Turn, Work, WorkId
from core.ports import FlowState, Note
from core.runs.desk import run_id
from core.runs.outcome import WordKind
from tests.fakes.agent import for_ever
from tests.whole import WholeBot, whole_bot

QUESTION = TurnResult("", end=TurnEnd.ASKED, question="Which one?")


@pytest.fixture
async def two_at_once(tmp_path: Path) -> AsyncIterator[WholeBot]:
    async with whole_bot(tmp_path, most_at_once=2) as bot:
        await bot.linked()
        yield bot


def inside(bot: WholeBot, root: str) -> ThreadRef:
    return replace(bot.platform.thread, root=root)


async def begun(bot: WholeBot, count: int) -> None:
    async with asyncio.timeout(5):
        while len(bot.agent.turns) < count:  # noqa: ASYNC110 - the agent is a guest, it tells nobody
            await asyncio.sleep(0.005)


def kept_run(bot: WholeBot, name: str, root: str = "") -> tuple[Run, Work, Turn]:
    """A run that an earlier life of the bot has stored."""
    cause = Cause(name)
    id_ = run_id(cause)
    thread = inside(bot, root)
    owner = bot.platform.owner
    work = Work(WorkId(id_), (bot.demo), f"patchbay/{id_[:8]}", thread)  # type: ignore[attr-defined]
    run = Run(id_, work.id, thread, "scripted", owner, name, bot.clock.now())
    return run, work, Turn(id_, 1, cause, name, owner)


# ---------------------------------------------------------------------------------------------- limits


async def test_no_more_work_at_once_than_is_allowed(two_at_once: WholeBot) -> None:
    bot = two_at_once
    most = 0

    async def play(turn: TurnAsk, note: Note) -> TurnResult:
        nonlocal most
        most = max(most, sum(each.state is RunState.RUNNING for each in await bot.store.open_runs()))
        await asyncio.sleep(0.01)
        return TurnResult("done")

    bot.agent.script = [play] * 8
    await asyncio.gather(*(bot.platform.say(f"Number {each}", thread=inside(bot, str(each))) for each in range(8)))
    await begun(bot, 8)
    await bot.quiet()

    assert most <= 2
    runs = await bot.store.runs_of(bot.platform.thread.room, 20)
    assert {run.state for run in runs} == {RunState.COMPLETED}


async def test_one_in_line_for_room_is_told_so(two_at_once: WholeBot) -> None:
    bot = two_at_once
    bot.agent.script = [for_ever, for_ever]
    for root in "abc":
        await bot.said(f"Thread {root}", thread=inside(bot, root))
    await begun(bot, 2)

    line = await bot.platform.shown("*Waits for its turn*")

    assert "Thread c" in line.text


async def test_who_waits_for_a_person_makes_room(two_at_once: WholeBot) -> None:
    bot = two_at_once
    bot.agent.script = [QUESTION, QUESTION]
    for root in "abc":
        await bot.said(f"Thread {root}", thread=inside(bot, root))
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Thread a", "Thread b", "Thread c"]


async def test_a_store_that_is_busy_when_lanes_are_free_is_tried_again(two_at_once: WholeBot) -> None:
    bot = two_at_once
    bot.agent.script = [for_ever]
    await bot.ask("/create_task DEMO Login")
    await bot.said("Mend it")
    await begun(bot, 1)
    await bot.said("/execute DEMO-1")
    whole, refused = bot.store.take_lanes, [StoreError("busy"), StoreError("busy")]

    async def busy(run: RunId) -> bool:
        if refused:
            raise refused.pop()
        return await whole(run)

    bot.store.take_lanes = busy  # type: ignore[method-assign]
    await bot.ask("/cancel")
    await bot.clock.forward(3)
    await begun(bot, 2)
    await bot.quiet()

    assert bot.agent.turns[-1].prompt == "Login"
    assert refused == []


async def test_a_run_in_line_that_shall_stop_is_not_begun(two_at_once: WholeBot) -> None:
    bot = two_at_once
    bot.agent.script = [for_ever]
    await bot.ask("/create_task DEMO Login")
    await bot.said("Mend it")
    await begun(bot, 1)
    await bot.said("/execute DEMO-1")
    line = next(each for each in await bot.store.open_runs() if each.state is RunState.PENDING)
    await bot.store.ask_stop(line.id, "Olga")

    await bot.ask("/cancel")

    assert len(bot.agent.turns) == 1


# --------------------------------------------------------------------------------------- stop and decide


async def test_what_is_over_or_unknown_cannot_be_stopped_or_decided(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    run = await bot.only_run()

    assert await bot.runs.stop(run.id, "Olga") is None
    assert await bot.runs.stop(RunId("nothing"), "Olga") is None
    with pytest.raises(Conflict, match="the run is COMPLETED"):
        await bot.runs.decide(run.id, WordKind.RESUME)
    with pytest.raises(NotFound):
        await bot.runs.decide(RunId("nothing"), WordKind.RESUME)


async def test_a_stop_of_a_run_whose_flow_has_just_begun(bot: WholeBot) -> None:
    async def slow(*_: object) -> str:
        await gate.wait()
        return "main"

    gate = asyncio.Event()
    await bot.linked()
    bot.forge.ensure = slow  # type: ignore[assignment, method-assign]
    await bot.said("Mend it")
    await bot.platform.shown("**PLANNING**")
    await bot.said("/cancel")
    gate.set()
    await bot.quiet()

    assert bot.agent.turns == []
    assert "Stopped by Olga." in bot.platform.posts[-1].text
    assert (await bot.only_run()).state is RunState.CANCELLED


# -------------------------------------------------------------------------------------------- recover


async def start_without_engine(bot: WholeBot, *names: str) -> list[Run]:
    await bot.linked()
    bot.demo = (await bot.store.projects())[0].key  # type: ignore[attr-defined]
    runs = []
    for name in names:
        run, work, first = kept_run(bot, name, name)
        runs.append(await bot.store.start_run(run, work, first))
    return runs


async def test_a_run_that_was_kept_but_never_begun_begins_at_the_start(bot: WholeBot) -> None:
    (run,) = await start_without_engine(bot, "one")

    await bot.restart()
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["one"]
    found = await bot.store.run(run.id)
    assert found is not None
    assert found.state is RunState.COMPLETED


@pytest.mark.parametrize("state", [FlowState.DONE, FlowState.BROKEN])
async def test_a_run_whose_flow_is_gone_is_told_and_its_lanes_are_freed(bot: WholeBot, state: FlowState) -> None:
    (run,) = await start_without_engine(bot, "one")
    assert await bot.store.take_lanes(run.id)
    await bot.runs.queue(Cause("more"), run.thread, "And the tests", run.asked_by)
    whole = bot.engine.state

    async def gone(id_: str) -> FlowState | None:
        return state if id_ == run.id else await whole(id_)

    bot.engine.state = gone  # type: ignore[method-assign, assignment]
    await bot.restart()
    await bot.platform.shown("The bot could not finish this run.")
    await bot.platform.shown("> And the tests")
    await bot.quiet()

    found = await bot.store.run(run.id)
    assert found is not None
    assert (found.state, found.error[:30]) == (RunState.FAILED, "The bot could not finish this ")
    answer = await bot.ask("Again", thread=run.thread)
    assert "done: Again" in answer.text


async def test_what_the_engine_goes_on_with_is_left_to_it(bot: WholeBot) -> None:
    bot.agent.can_repeat = True
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await begun(bot, 1)

    await bot.restart()
    await bot.runs.recover()
    await bot.quiet()

    assert [turn.is_retry for turn in bot.agent.turns] == [False, True]
    assert bot.engine.steps((await bot.only_run()).id).count("prepare") == 1


async def test_a_run_that_is_heard_again_while_it_waits_stays_in_line(two_at_once: WholeBot) -> None:
    bot = two_at_once
    bot.agent.script = [for_ever]
    await bot.ask("/create_task DEMO Login")
    await bot.said("Mend it")
    await begun(bot, 1)
    said = await bot.platform.say("/execute DEMO-1")
    await bot.inbox.until_quiet()

    await bot.conversation.hear(said)

    assert len(bot.agent.turns) == 1
    anchors = [each for each in bot.platform.posts if "DEMO-1 Login" in each.text and each.key.startswith("anchor")]
    assert len(anchors) <= 1
    assert await bot.engine.state(run_id(said.cause)) is None


async def test_a_queued_word_for_a_run_whose_flow_is_not_there(bot: WholeBot) -> None:
    (run,) = await start_without_engine(bot, "one")
    assert await bot.store.take_lanes(run.id)

    await bot.ask("And more", thread=run.thread)

    assert [turn.text for turn in await bot.store.queued_turns(run.id)] == ["one", "And more"]
