"""Where runs are asked for, queued, woken and stopped. One at a time in a thread, one writer for a branch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

import structlog

from core.model.chat import Cause, ChatRef, Person, Post, PostKey, Priority, ThreadRef
from core.model.errors import AgentUnready, BotError, Conflict, NotFound
from core.model.work import Project, Run, RunId, RunState, Task, Turn, TurnState, Work, WorkId
from core.ports import Agent, Clock, Engine, FlowState, Store
from core.posts import Posts
from core.runs.cards import CutCards
from core.runs.flow import RUN_FLOW, WORD
from core.runs.held import Verdict
from core.runs.live import Live, anchor_key
from core.runs.outcome import BUDGET_ASK, WordKind
from core.runs.progress import Progress, anchor_post
from core.runs.turn import say_left

log = structlog.get_logger()

LOST = "The bot could not finish this run. What was published so far is safe; say it again to go on."


@dataclass(frozen=True, slots=True)
class RunAsk:
    """What a person wants done. `text` is the first prompt, `title` the line that is shown.

    `task` None: a plain message. `message`: the platform's id of what was said, for signs.
    """

    cause: Cause
    thread: ThreadRef
    person: Person
    project: Project
    agent: str
    text: str
    title: str
    task: Task | None = None
    model: str = ""
    message: str = ""


class Taken(StrEnum):
    """What became of something that was said to a run."""

    NEXT = "next"
    ANSWER = "answer"
    PARKED = "parked"
    """The run waits for a usage cap to reset; this comes after the turn that it takes again then."""
    HELD = "held"
    """The run waits for an admin to allow more than a budget; this comes after the turn that it takes again then."""
    RESUMES = "resumes"
    """The run waited because a turn of it was cut: saying anything takes that turn again, then what was said."""


def run_id(cause: Cause) -> RunId:
    """The same cause is the same run, whenever it is heard again."""
    return RunId(str(uuid5(NAMESPACE_URL, f"patchbay:run:{cause}")))


class RunDesk:
    """`recover` once at start; `free` whenever lanes may have become free."""

    def __init__(  # noqa: PLR0913 - what a run touches
        self,
        store: Store,
        engine: Engine,
        posts: Posts,
        live: Live,
        agents: Mapping[str, Agent],
        clock: Clock,
        *,
        most_at_once: int = 8,
        default_agent: str = "",
        cut_cards: CutCards | None = None,
    ) -> None:
        self._store, self._engine, self._posts, self._live = store, engine, posts, live
        self._agents, self._clock = agents, clock
        self._most_at_once, self._default_agent = most_at_once, default_agent
        self._cut_cards = cut_cards or CutCards()
        self._freed = asyncio.Event()

    # ---------------------------------------------------------------------------------------- asking

    async def agent_for(self, *wishes: str) -> str:
        """The first that is named; none: the configured default, else the first that is usable."""
        return self._named(wishes) or await self._first_usable()

    async def usable_agent(self, *wishes: str) -> str:
        """As `agent_for`, before anything is begun. AgentUnready with what is missing; each is asked once."""
        name = self._named(wishes)
        if not name:
            return await self._first_usable()
        readiness = await self._agents[name].ready()
        if not (readiness.is_usable or readiness.may_try):
            raise AgentUnready(f"The agent `{name}` is not usable: {readiness.missing}")
        return name

    def _named(self, wishes: tuple[str, ...]) -> str:
        """Empty: none is."""
        named = next((each for each in (*wishes, self._default_agent) if each), "")
        if named and named not in self._agents:
            raise NotFound(f"There is no agent `{named}`. /agents lists them.")
        return named

    async def _first_usable(self) -> str:
        worth_trying = []
        for name, agent in self._agents.items():
            ready = await agent.ready()
            if ready.is_usable:
                return name
            worth_trying += [name] if ready.may_try else []
        if worth_trying:
            return worth_trying[0]
        raise AgentUnready("No agent is usable yet. /agents says what each of them lacks.")

    async def queue(self, cause: Cause, thread: ThreadRef, text: str, person: Person) -> Taken | None:
        """Said to the run that works in this thread: its next turn. None: no run works here."""
        turn = await self._store.add_turn(thread, cause, text, person)
        if turn is None:
            return None
        taken = await self._taken(turn.run)
        if taken in {Taken.PARKED, Taken.HELD}:
            return taken
        await self._wake(turn.run, WordKind.RESUME if taken is Taken.RESUMES else WordKind.TURN, str(cause))
        return taken

    async def ask(self, ask: RunAsk) -> Run:
        """Start a run, or put it in line behind the one that works in this thread or on this branch."""
        if await self.begun(ask.cause):
            return await self._must_find(run_id(ask.cause))
        work = await self._work_for(ask)
        await self._refuse_elsewhere(ask, work)
        run = Run(
            id=run_id(ask.cause),
            work=work.id,
            thread=ask.thread,
            agent=ask.agent,
            asked_by=ask.person,
            title=ask.title,
            created_at=self._clock.now(),
            model=ask.model,
            message=ask.message,
        )
        first = Turn(run.id, 1, ask.cause, ask.text, ask.person)
        run = await self._store.start_run(run, work, first)
        await self._begin_or_wait(run)
        return run

    async def begun(self, cause: Cause) -> bool:
        """This cause has started a run. One that was cut short of beginning begins now."""
        run = await self._store.run(run_id(cause))
        if run is not None and run.state is RunState.PENDING and not run.stop_asked_by:
            await self._begin_or_wait(run)
        return run is not None

    async def answer(self, asked: RunId, cause: Cause, text: str, person: Person) -> None:
        """One of the answers that a question offered. Conflict: it was answered before, or the run is over.

        Heard again, it wakes the run again: the bot may have died between the two.
        """
        if await self._store.has_turn(cause):
            await self._wake(asked, WordKind.TURN, str(cause))
            return
        run = await self._must_find(asked)
        if run.state is not RunState.WAITING or await self._store.next_turn(asked) is not None:
            raise Conflict(f"That question was settled before: “{run.title}” is {run.state}.")
        await self.queue(cause, run.thread, text, person)

    async def stop(self, run: RunId, by: str) -> Run | None:
        """A person wants it to end. None: it is over already."""
        asked = await self._store.ask_stop(run, by)
        if asked is None:
            return None
        if self._live.stop(run):
            return asked
        if not await self._wake(run, WordKind.STOP, f"stop:{run}"):
            await self._end(asked, RunState.CANCELLED)
        return asked

    async def decide(self, run_id: RunId, kind: WordKind) -> Run:
        """Resume or discard a run that was cut. Conflict: it does not wait for that (any more)."""
        await self._cut_cards.waits(run_id)
        run = await self._must_find(run_id)
        if run.state is not RunState.WAITING:
            raise Conflict(f"That was settled before: the run is {run.state}.")
        changes = await self._store.changes(run_id)
        await self._wake(run_id, kind, f"decide:{run_id}:{len(changes)}")
        return run

    async def rule(self, run_id: RunId, verdict: Verdict) -> None:
        """About what the guard holds back of a run that waits. Conflict: that was settled, or shown anew, before."""
        run = await self._must_find(run_id)
        if run.state is not RunState.WAITING or not run.asks.rpartition(":")[2].startswith(verdict.hash):
            raise Conflict("That was settled before, or the files have changed since; the newest post about it counts.")
        await self._wake(run_id, WordKind.VERDICT, run.asks, hash=verdict.hash, verdict=verdict.kind, by=verdict.by)

    async def resume_all(self, room: ChatRef) -> int:
        """All runs of a chat that wait because they were cut; their number."""
        for run in await self._store.open_runs(room):
            await self._cut_cards.waits(run.id)
        waiting = [run for run in await self._store.open_runs(room) if run.state is RunState.WAITING]
        count = 0
        for run in waiting:
            if await self._taken(run.id) is Taken.RESUMES:
                await self.decide(run.id, WordKind.RESUME)
                count += 1
        return count

    # ------------------------------------------------------------------------------------ life of runs

    def free(self) -> None:
        """Lanes may have become free: whoever waits for them is looked at soon."""
        self._freed.set()

    async def work(self) -> None:
        """Begin runs that waited, as lanes become free, until cancelled."""
        while True:
            await self._freed.wait()
            self._freed.clear()
            try:
                await self._begin_waiting()
            except BotError as error:
                log.warning("runs.begin", reason=str(error))
                await self._clock.sleep(1)
                self._freed.set()

    async def recover(self) -> None:
        """After a start: what the engine goes on with is left to it; what it does not know is begun again."""
        for run in await self._store.open_runs():
            state = await self._engine.state(run.id)
            if state is FlowState.OPEN:
                continue
            if state is None:
                await self._begin_or_wait(run)
                continue
            post = Post(f"❌ **{run.title}** · {run.agent}\n\n{LOST}")
            await self._posts.say(PostKey(f"fail:{run.id}"), run.thread, post, Priority.FINAL)
            await self._end(run, RunState.FAILED, LOST)

    async def _end(self, run: Run, state: RunState, error: str = "") -> None:
        """End a run that no flow will end."""
        now = self._clock.now()
        await say_left(self._posts, run, await self._store.queued_turns(run.id))
        ended = replace(run, state=state, ended_at=now)
        # First, so that a crash in between leaves no anchor behind that says it goes on.
        await self._posts.show(anchor_key(run.id), anchor_post(ended, Progress(), now))
        await self._store.end_run(run.id, state, now, error)
        self._live.forget(run.id)
        self.free()

    async def _begin_waiting(self) -> None:
        for run in await self._store.open_runs():
            if run.state is RunState.PENDING and not run.stop_asked_by:
                await self._begin(run)

    async def _begin_or_wait(self, run: Run) -> None:
        begun = await self._can_begin(run)
        waiting = "" if begun else await self._waits_for(run)
        post = anchor_post(run, Progress(), self._clock.now(), waiting_for=waiting)
        await self._posts.say(anchor_key(run.id), run.thread, post, Priority.PROGRESS)
        if begun:
            await self._start(run)

    async def _begin(self, run: Run) -> None:
        if await self._can_begin(run):
            await self._start(run)

    async def _can_begin(self, run: Run) -> bool:
        """Room is taken before anything is awaited: others ask at the same moment."""
        if not self._live.has_room(run.id, self._most_at_once):
            return False
        self._live.expect(run.id)
        has_lanes = False
        try:
            has_lanes = await self._store.take_lanes(run.id)
        finally:
            if not has_lanes:
                self._live.rest(run.id)
        return has_lanes

    async def _start(self, run: Run) -> None:
        await self._engine.start(RUN_FLOW, run.id, {"run": run.id})

    async def _waits_for(self, run: Run) -> str:
        holder = await self._store.run_in(run.thread)
        if holder is not None and holder.id != run.id:
            return f"Waits until “{holder.title}” is over in this thread"
        return "Waits for its turn"

    async def _taken(self, run_id: RunId) -> Taken:
        run = await self._must_find(run_id)
        if run.state is not RunState.WAITING:
            return Taken.NEXT
        if run.parked_until is not None:
            return Taken.PARKED
        if run.asks.startswith(f"{BUDGET_ASK}:"):
            return Taken.HELD
        turn = await self._store.next_turn(run_id)
        return Taken.RESUMES if turn is not None and turn.state is TurnState.OPEN else Taken.ANSWER

    async def _must_find(self, run_id: RunId) -> Run:
        run = await self._store.run(run_id)
        if run is None:
            raise NotFound("That run is not known any more.")
        return run

    async def _wake(self, run: RunId, kind: WordKind, key: str, **facts: str) -> bool:
        try:
            await self._engine.signal(run, WORD, {"kind": kind, **facts}, key)
        except NotFound:
            return False
        return True

    # ------------------------------------------------------------------------------------------ work

    async def _work_for(self, ask: RunAsk) -> Work:
        """The open work of the task, or of this thread; else a new one on a branch of its own."""
        new = run_id(ask.cause)
        if ask.task is None:
            here = await self._store.open_work_in(ask.thread)
            if here is not None and here.project == ask.project.key:
                return here
            return Work(WorkId(new), ask.project.key, f"patchbay/{new[:8]}", ask.thread)
        open_work = await self._store.open_work(ask.task.key)
        if open_work is not None:
            return open_work
        count = len(await self._store.works(ask.task.key))
        suffix = f"-{count + 1}" if count else ""
        return Work(WorkId(new), ask.project.key, f"task/{ask.task.key}{suffix}", ask.thread, ask.task.key)

    async def _refuse_elsewhere(self, ask: RunAsk, work: Work) -> None:
        """A task that is being worked on in another thread is not begun twice."""
        last = await self._store.last_run(work.id)
        if last is not None and not last.state.is_over and last.thread != ask.thread:
            where = f"in another thread of {last.thread.platform.capitalize()}"
            is_near = last.thread.room == ask.thread.room
            hint = f", or say `/cancel {last.id[:8]}` first" if is_near else ", or wait until it is over"
            raise Conflict(
                f"“{last.title}” is being worked on by {last.agent} {where} (run `{last.id[:8]}`, {last.state}). "
                f"Go on there{hint}."
            )


def task_prompt(task: Task, extra: str) -> str:
    """The first prompt of a task: its title, and what was said beside it."""
    return f"{task.title}\n\n{extra}".strip()
