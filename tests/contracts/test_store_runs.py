"""Work, runs, their turns and lanes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters.store import DatabaseStore
from core.model.chat import Cause, ChatRef, Person, PostKey, ThreadRef
from core.model.errors import NotFound
from core.model.work import (
    ProjectKey,
    PullRequest,
    PullState,
    Run,
    RunChange,
    RunId,
    RunState,
    TaskKey,
    Turn,
    TurnState,
    Usage,
    Work,
    WorkId,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
ROOM = ChatRef("slack", "T1", "C1")
THREAD = ThreadRef("slack", "T1", "C1", "1700.1")
OTHER = ThreadRef("slack", "T1", "C1", "1700.2")
ELSEWHERE = ThreadRef("telegram", "42", "-100")
DEMO = ProjectKey("DEMO")
TASK = TaskKey("DEMO-1")
ANNA = Person("slack", "T1", "U1", "Anna")
PULL = PullRequest(7, "https://x.test/7", "Tidy", "task/DEMO-1", "main")


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def work_of(run: Run, branch: str = "task/DEMO-1", **fields: Any) -> Work:
    return replace(Work(run.work, DEMO, branch, run.thread, TASK), **fields)


async def begin(store: DatabaseStore, thread: ThreadRef = THREAD, branch: str = "task/DEMO-1", **fields: Any) -> Run:
    """A run that is started, with its first turn; on work of its own unless `work` is given."""
    run_id = RunId(str(uuid4()))
    run = replace(Run(run_id, WorkId(run_id), thread, "claude", ANNA, "Tidy", NOW), **fields)
    return await store.start_run(run, work_of(run, branch), first_turn(run))


def first_turn(run: Run) -> Turn:
    return Turn(run.id, 1, Cause(f"cause-{run.id}"), "tidy \x00 \U0001f9f9", ANNA)


# ----------------------------------------------------------------------------------------------- runs


async def test_a_run_comes_back_as_it_was_started(store: DatabaseStore) -> None:
    run = Run(
        id=RunId(str(uuid4())),
        work=WorkId("w"),
        thread=THREAD,
        agent="claude",
        asked_by=ANNA,
        title="Tidy",
        created_at=NOW,
        model="opus",
        usage=Usage(1, 2, 0.25),
        message="1700.1",
    )
    turn = replace(first_turn(run), text="tidy")

    assert await store.start_run(run, work_of(run, session="s"), turn) == run
    assert await store.run(run.id) == run
    assert await store.next_turn(run.id) == turn
    assert await store.work(run.work) == work_of(run, session="s")
    assert await store.changes(run.id) == [RunChange(RunState.PENDING, NOW)]


async def test_a_repeated_cause_starts_nothing(store: DatabaseStore) -> None:
    run = await begin(store)
    moved = await store.move(run.id, RunState.RUNNING, at(1))
    again = await store.start_run(replace(run, title="Other"), work_of(run, "other"), first_turn(run))

    assert again == moved
    assert await store.works(TASK) == [work_of(run)]
    assert len(await store.queued_turns(run.id)) == 1


async def test_of_many_starts_of_one_run_one_stands(store: DatabaseStore) -> None:
    run_id = RunId(str(uuid4()))
    many = [Run(run_id, WorkId(run_id), THREAD, "claude", ANNA, f"T{n}", NOW) for n in range(10)]
    stood = await asyncio.gather(*(store.start_run(run, work_of(run), first_turn(run)) for run in many))

    assert len({run.title for run in stood}) == 1
    assert await store.open_runs() == [stood[0]]
    assert len(await store.changes(run_id)) == 1


async def test_a_second_run_on_the_same_work_adds_no_work(store: DatabaseStore) -> None:
    first = await begin(store)
    await store.put_session(first.work, "claude", "s-1")
    second = await begin(store, work=first.work)

    assert [work.session for work in await store.works(TASK)] == ["s-1"]
    assert await store.last_run(first.work) == second
    assert await store.last_run(WorkId("none")) is None


async def test_a_run_is_found_by_how_its_id_begins(store: DatabaseStore) -> None:
    run = await begin(store, id=RunId("abcd1111-0000"))
    await begin(store, id=RunId("abcd2222-0000"))

    assert await store.find_run("abcd1") == run
    assert await store.find_run("ABCD1111-0000") == run
    assert await store.find_run("abcd") is None
    assert await store.find_run("abc") is None
    assert await store.find_run("ffff") is None
    assert await store.find_run("%%%%") is None
    assert await store.find_run("abcd____") is None


async def test_a_run_that_never_was_is_none(store: DatabaseStore) -> None:
    nobody = RunId(str(uuid4()))

    assert await store.run(nobody) is None
    assert await store.ask_stop(nobody, "Anna") is None
    assert await store.changes(nobody) == []
    assert await store.next_turn(nobody) is None
    with pytest.raises(NotFound):
        await store.move(nobody, RunState.RUNNING, NOW)
    with pytest.raises(NotFound):
        await store.end_run(nobody, RunState.FAILED, NOW)
    with pytest.raises(NotFound):
        await store.take_lanes(nobody)


async def test_open_runs_are_those_not_over_oldest_first(store: DatabaseStore) -> None:
    first, second, third = [await begin(store, thread) for thread in (THREAD, ELSEWHERE, OTHER)]
    await store.move(first.id, RunState.WAITING, at(1))

    assert [run.id for run in await store.open_runs()] == [first.id, second.id, third.id]
    assert [run.id for run in await store.open_runs(ROOM)] == [first.id, third.id]
    await store.end_run(first.id, RunState.FAILED, at(2))
    assert [run.id for run in await store.open_runs(ROOM)] == [third.id]


async def test_runs_are_counted_by_state_also_those_that_are_over(store: DatabaseStore) -> None:
    assert await store.count_runs() == {}
    first, *_ = [await begin(store, thread) for thread in (THREAD, ELSEWHERE, OTHER)]
    await store.end_run(first.id, RunState.FAILED, at(2))

    assert await store.count_runs() == {RunState.PENDING: 2, RunState.FAILED: 1}


async def test_runs_of_a_chat_are_listed_newest_first(store: DatabaseStore) -> None:
    runs = [await begin(store, thread) for thread in (THREAD, OTHER, ELSEWHERE, THREAD)]
    await store.end_run(runs[0].id, RunState.CANCELLED, at(1))

    assert [run.id for run in await store.runs_of(ROOM, 2)] == [runs[3].id, runs[1].id]
    assert [run.id for run in await store.runs_of(ROOM, 9)] == [runs[3].id, runs[1].id, runs[0].id]


async def test_runs_since_are_those_that_began_or_ended_since(store: DatabaseStore) -> None:
    old = await begin(store, created_at=at(-60))
    ended = await begin(store, OTHER, created_at=at(-50))
    young = await begin(store, created_at=at(5))
    await begin(store, ELSEWHERE, created_at=at(5))
    await store.end_run(ended.id, RunState.FAILED, at(1))
    await store.end_run(old.id, RunState.FAILED, at(-30))

    assert [run.id for run in await store.runs_since(ROOM, NOW)] == [ended.id, young.id]
    assert [run.id for run in await store.runs_since(ROOM, at(5))] == [young.id]
    assert await store.runs_since(ROOM, at(5.01)) == []


# --------------------------------------------------------------------------------------------- states


async def test_every_change_is_kept_with_its_time(store: DatabaseStore) -> None:
    run = await begin(store)
    steps = [(RunState.PLANNING, 1), (RunState.RUNNING, 2), (RunState.RUNNING, 3), (RunState.WAITING, 4)]
    for state, minute in steps:
        await store.move(run.id, state, at(minute))
    await store.move(run.id, RunState.RUNNING, at(5))
    assert await store.end_run(run.id, RunState.FAILED, at(6), "boom")

    assert [(change.state, change.at) for change in await store.changes(run.id)] == [
        (RunState.PENDING, NOW),
        (RunState.PLANNING, at(1)),
        (RunState.RUNNING, at(2)),
        (RunState.WAITING, at(4)),
        (RunState.RUNNING, at(5)),
        (RunState.FAILED, at(6)),
    ]
    over = await store.run(run.id)
    assert over is not None
    assert (over.started_at, over.ended_at, over.error, over.state) == (at(1), at(6), "boom", RunState.FAILED)


async def test_a_run_that_is_parked_says_what_asks_and_until_when_and_a_change_ends_that(store: DatabaseStore) -> None:
    run = await begin(store)

    parked = await store.park(run.id, at(1), PostKey("ask:1"), at(9))
    assert (parked.state, parked.asks, parked.parked_until) == (RunState.WAITING, "ask:1", at(9))
    assert await store.park(run.id, at(2), PostKey("ask:1"), at(9)) == parked
    again = await store.park(run.id, at(3), PostKey("ask:2"))
    assert (again.asks, again.parked_until) == ("ask:2", None)
    assert await store.run(run.id) == again
    assert len(await store.changes(run.id)) == 2

    moved = await store.move(run.id, RunState.RUNNING, at(4))
    assert (moved.asks, moved.parked_until) == ("", None)
    await store.park(run.id, at(5), PostKey("ask:3"), at(9))
    await store.end_run(run.id, RunState.CANCELLED, at(6))
    over = await store.run(run.id)
    assert over is not None
    assert (over.asks, over.parked_until) == ("", None)
    assert await store.park(run.id, at(7), PostKey("ask:4")) == over


async def test_how_often_a_step_was_begun_is_counted_until_another_begins(store: DatabaseStore) -> None:
    run = await begin(store)

    counts = [await store.begin_step(run.id, step) for step in ("prepare", "turn-1", "turn-1", "turn-1", "turn-2")]

    assert counts == [1, 1, 2, 3, 1]
    known = await store.run(run.id)
    assert known is not None
    assert (known.step, known.attempts) == ("turn-2", 1)
    with pytest.raises(NotFound):
        await store.begin_step(RunId(str(uuid4())), "prepare")


async def test_what_is_over_stays_as_it_is(store: DatabaseStore) -> None:
    run = await begin(store)
    await store.end_run(run.id, RunState.CANCELLED, at(1), "stopped")
    over = await store.run(run.id)

    assert await store.move(run.id, RunState.RUNNING, at(2)) == over
    assert await store.end_run(run.id, RunState.FAILED, at(2), "boom")
    assert await store.ask_stop(run.id, "Anna") is None
    assert await store.run(run.id) == over
    assert len(await store.changes(run.id)) == 2


async def test_states_that_end_are_for_the_end_and_the_others_are_not(store: DatabaseStore) -> None:
    run = await begin(store)

    with pytest.raises(ValueError, match="end_run"):
        await store.move(run.id, RunState.COMPLETED, NOW)
    with pytest.raises(ValueError, match="no end"):
        await store.end_run(run.id, RunState.RUNNING, NOW)


async def test_who_asked_first_to_stop_is_remembered(store: DatabaseStore) -> None:
    run = await begin(store)
    asked = await store.ask_stop(run.id, "Anna")
    again = await store.ask_stop(run.id, "Ben")

    assert asked == replace(run, stop_asked_by="Anna")
    assert again == asked
    assert await store.run(run.id) == asked


async def test_moves_at_the_same_time_are_one_change_each(store: DatabaseStore) -> None:
    run = await begin(store)
    await asyncio.gather(*(store.move(run.id, RunState.RUNNING, at(1)) for _ in range(10)))

    assert [change.state for change in await store.changes(run.id)] == [RunState.PENDING, RunState.RUNNING]


# ---------------------------------------------------------------------------------------------- lanes


async def test_a_thread_is_one_runs_until_it_ends(store: DatabaseStore) -> None:
    first, second = await begin(store), await begin(store, branch="task/DEMO-2")

    assert await store.take_lanes(first.id)
    assert await store.take_lanes(first.id)
    assert not await store.take_lanes(second.id)
    await store.end_run(first.id, RunState.FAILED, at(1))
    assert await store.take_lanes(second.id)


async def test_a_branch_is_one_runs_in_whatever_thread(store: DatabaseStore) -> None:
    first, second = await begin(store), await begin(store, OTHER)
    third = await begin(store, ELSEWHERE, "task/DEMO-2")

    assert await store.take_lanes(first.id)
    assert not await store.take_lanes(second.id)
    assert await store.take_lanes(third.id)


async def test_a_branch_of_the_same_name_in_another_project_is_another(store: DatabaseStore) -> None:
    first = await begin(store)
    run_id = RunId(str(uuid4()))
    other = Run(run_id, WorkId(run_id), OTHER, "claude", ANNA, "Tidy", NOW)
    await store.start_run(other, work_of(other, project=ProjectKey("SIDE")), first_turn(other))

    assert await store.take_lanes(first.id)
    assert await store.take_lanes(other.id)


async def test_who_cannot_have_both_lanes_takes_neither(store: DatabaseStore) -> None:
    first, second = await begin(store), await begin(store, OTHER)
    third = await begin(store, OTHER, "task/DEMO-2")
    await store.take_lanes(first.id)

    assert not await store.take_lanes(second.id)
    assert await store.take_lanes(third.id)


async def test_of_many_who_want_the_same_lanes_one_has_them(store: DatabaseStore) -> None:
    runs = [await begin(store) for _ in range(8)]
    told = await asyncio.gather(*(store.take_lanes(run.id) for run in runs))

    assert sum(told) == 1
    assert await store.run_in(THREAD) == runs[told.index(True)]


async def test_a_run_that_is_over_takes_no_lane(store: DatabaseStore) -> None:
    run = await begin(store)
    await store.end_run(run.id, RunState.CANCELLED, at(1))

    assert not await store.take_lanes(run.id)
    assert await store.run_in(THREAD) is None


async def test_the_run_in_a_thread_holds_its_lane_or_waits_for_it_longest(store: DatabaseStore) -> None:
    assert await store.run_in(THREAD) is None
    first, second = await begin(store), await begin(store, branch="task/DEMO-2")
    assert await store.run_in(THREAD) == first

    await store.take_lanes(second.id)

    assert await store.run_in(THREAD) == second
    await store.end_run(second.id, RunState.FAILED, at(1))
    assert await store.run_in(THREAD) == first
    assert await store.run_in(OTHER) is None


# ---------------------------------------------------------------------------------------------- turns


async def test_what_is_said_is_queued_behind_the_run_that_holds_the_thread(store: DatabaseStore) -> None:
    run = await begin(store)
    assert await store.add_turn(THREAD, Cause("c2"), "more", ANNA) is None
    await store.take_lanes(run.id)

    turn = await store.add_turn(THREAD, Cause("c2"), "more", ANNA)

    assert turn == Turn(run.id, 2, Cause("c2"), "more", ANNA)
    assert await store.add_turn(OTHER, Cause("c3"), "more", ANNA) is None
    assert [each.number for each in await store.queued_turns(run.id)] == [1, 2]


async def test_the_same_cause_twice_is_one_turn_also_after_the_end(store: DatabaseStore) -> None:
    run = await begin(store)
    await store.take_lanes(run.id)
    turn = await store.add_turn(THREAD, Cause("c2"), "more", ANNA)
    assert await store.add_turn(THREAD, Cause("c2"), "other", ANNA) == turn
    await store.end_run(run.id, RunState.FAILED, at(1))

    assert turn is not None
    assert await store.add_turn(THREAD, Cause("c2"), "other", ANNA) == replace(turn, state=TurnState.OVER)
    assert await store.has_turn(Cause("c2"))
    assert await store.has_turn(first_turn(run).cause)
    assert not await store.has_turn(Cause("c3"))


async def test_turns_added_at_once_have_numbers_of_their_own(store: DatabaseStore) -> None:
    run = await begin(store)
    await store.take_lanes(run.id)
    turns = await asyncio.gather(*(store.add_turn(THREAD, Cause(f"c{n % 7}"), "x", ANNA) for n in range(21)))

    assert {turn.number for turn in turns if turn} == set(range(2, 9))
    assert len(await store.queued_turns(run.id)) == 8


async def test_a_turn_begins_once_and_the_next_follows_its_end(store: DatabaseStore) -> None:
    run = await begin(store)
    await store.take_lanes(run.id)
    await store.add_turn(THREAD, Cause("c2"), "more", ANNA)

    assert await store.begin_turn(run.id, 1)
    assert not await store.begin_turn(run.id, 1)
    opened = await store.next_turn(run.id)
    assert opened is not None
    assert (opened.number, opened.state) == (1, TurnState.OPEN)
    assert [turn.number for turn in await store.queued_turns(run.id)] == [2]

    await store.finish_turn(run.id, 1, Usage(10, 5, 0.5))
    following = await store.next_turn(run.id)
    assert following is not None
    assert (following.number, following.state) == (2, TurnState.QUEUED)
    assert not await store.begin_turn(run.id, 1)


async def test_each_attempt_of_a_turn_begins_once_until_it_is_over(store: DatabaseStore) -> None:
    run = await begin(store)

    assert [await store.begin_turn(run.id, 1, attempt) for attempt in (1, 1, 2, 2, 1, 4)] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]
    await store.finish_turn(run.id, 1, Usage())
    assert not await store.begin_turn(run.id, 1, 5)


async def test_usage_is_added_once_for_each_turn(store: DatabaseStore) -> None:
    run = await begin(store)
    await store.take_lanes(run.id)
    await store.add_turn(THREAD, Cause("c2"), "more", ANNA)
    for number, usage in [(1, Usage(10, 5)), (1, Usage(10, 5)), (2, Usage(1, 2, 0.5)), (2, Usage(9, 9, 9.0))]:
        await store.begin_turn(run.id, number)
        await store.finish_turn(run.id, number, usage)

    used = await store.run(run.id)
    assert used is not None
    assert used.usage == Usage(11, 7, 0.5)
    assert await store.next_turn(run.id) is None


async def test_of_many_who_begin_a_turn_one_takes_it(store: DatabaseStore) -> None:
    run = await begin(store)
    told = await asyncio.gather(*(store.begin_turn(run.id, 1) for _ in range(8)))

    assert sum(told) == 1


async def test_a_turn_that_never_was_can_neither_begin_nor_end(store: DatabaseStore) -> None:
    run = await begin(store)

    with pytest.raises(NotFound, match="turn 9"):
        await store.begin_turn(run.id, 9)
    with pytest.raises(NotFound, match="turn 9"):
        await store.finish_turn(run.id, 9, Usage())


async def test_the_words_of_a_turn_are_corrected_while_it_is_queued(store: DatabaseStore) -> None:
    run = await begin(store)
    await store.take_lanes(run.id)
    await store.add_turn(THREAD, Cause("c2"), "moer", ANNA)
    assert await store.amend_turn(Cause("c2"), "more")
    assert [turn.text for turn in await store.queued_turns(run.id)][1] == "more"

    await store.begin_turn(run.id, 2)

    assert not await store.amend_turn(Cause("c2"), "most")
    assert await store.amend_turn(Cause("c2"), "more")
    assert not await store.amend_turn(Cause("c9"), "most")


async def test_a_run_is_not_completed_while_a_turn_is_queued(store: DatabaseStore) -> None:
    run = await begin(store)
    await store.take_lanes(run.id)
    await store.begin_turn(run.id, 1)
    await store.finish_turn(run.id, 1, Usage())
    await store.add_turn(THREAD, Cause("c2"), "more", ANNA)

    assert not await store.end_run(run.id, RunState.COMPLETED, at(1))
    still = await store.run(run.id)
    assert still is not None
    assert still.state is RunState.PENDING
    assert await store.run_in(THREAD) == still
    await store.begin_turn(run.id, 2)
    await store.finish_turn(run.id, 2, Usage())
    assert await store.end_run(run.id, RunState.COMPLETED, at(2))


async def test_a_turn_queued_while_the_run_ends_is_taken_or_refused_never_lost(store: DatabaseStore) -> None:
    for round_ in range(10):
        run = await begin(store)
        await store.take_lanes(run.id)
        await store.begin_turn(run.id, 1)
        await store.finish_turn(run.id, 1, Usage())
        cause = Cause(f"late-{round_}")
        asks = [store.end_run(run.id, RunState.COMPLETED, at(1)), store.add_turn(THREAD, cause, "x", ANNA)]
        ended, turn = await asyncio.gather(*(asks if round_ % 2 else reversed(asks)))
        ended, turn = (ended, turn) if round_ % 2 else (turn, ended)

        assert bool(ended) != (turn is not None)
        await store.end_run(run.id, RunState.CANCELLED, at(2))


@pytest.mark.parametrize("end", [RunState.FAILED, RunState.CANCELLED])
async def test_other_ends_leave_no_turn_waiting(store: DatabaseStore, end: RunState) -> None:
    run = await begin(store)
    await store.take_lanes(run.id)
    await store.add_turn(THREAD, Cause("c2"), "more", ANNA)
    await store.begin_turn(run.id, 1)

    assert await store.end_run(run.id, end, at(1))
    assert await store.next_turn(run.id) is None
    assert await store.queued_turns(run.id) == []
    assert await store.add_turn(THREAD, Cause("c3"), "more", ANNA) is None


# ----------------------------------------------------------------------------------------------- work


async def test_work_goes_on_with_its_session_and_pull_request(store: DatabaseStore) -> None:
    run = await begin(store)
    await store.put_session(run.work, "claude", "s-1")
    await store.put_pull(run.work, PULL)

    assert await store.work(run.work) == work_of(run, session="s-1", session_agent="claude", pull=PULL)
    assert await store.work(WorkId("none")) is None


async def test_the_newest_open_work_of_a_task_and_of_a_thread(store: DatabaseStore) -> None:
    assert await store.open_work(TASK) is None
    first, second = await begin(store), await begin(store, branch="task/DEMO-1-2")
    assert await store.open_work(TASK) == work_of(second, "task/DEMO-1-2")
    assert await store.open_work_in(THREAD) == work_of(second, "task/DEMO-1-2")

    await store.close_work(second.work)

    assert await store.open_work(TASK) == work_of(first)
    assert await store.open_work_in(THREAD) == work_of(first)
    assert await store.open_work_in(OTHER) is None
    assert [work.id for work in await store.works(TASK)] == [first.work, second.work]


async def test_work_without_a_task_belongs_to_none(store: DatabaseStore) -> None:
    run_id = RunId(str(uuid4()))
    run = Run(run_id, WorkId(run_id), THREAD, "claude", ANNA, "Tidy", NOW)
    await store.start_run(run, work_of(run, task=None), first_turn(run))

    assert await store.work(run.work) == work_of(run, task=None)
    assert await store.works(TASK) == []


async def test_open_pull_requests_of_a_chat(store: DatabaseStore) -> None:
    first, second, third = [await begin(store, thread) for thread in (THREAD, OTHER, ELSEWHERE)]
    await begin(store)
    for run in (first, second, third):
        await store.put_pull(run.work, PULL)
    assert [work.id for work in await store.open_pulls(ROOM)] == [first.work, second.work]

    await store.put_pull(first.work, replace(PULL, state=PullState.MERGED))

    assert [work.id for work in await store.open_pulls(ROOM)] == [second.work]


async def test_work_that_never_was_cannot_change(store: DatabaseStore) -> None:
    nobody = WorkId("none")
    for change in (store.put_session(nobody, "a", "s"), store.put_pull(nobody, PULL), store.close_work(nobody)):
        with pytest.raises(NotFound, match="none"):
            await change
