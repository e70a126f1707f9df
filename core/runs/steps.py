"""The steps of a run. One that is done twice, after a crash, is done once: every effect is named by the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog

from core.alerts import AlertKind, Alerts
from core.approvals.desk import ApprovalDesk
from core.budgets.charged import Charging, Free
from core.files import bounded
from core.guard import GuardPolicy
from core.meter import NoMeter
from core.model.chat import Post, PostKey, Priority, SignKind
from core.model.errors import AgentCapped, AgentUnready, BotError, CutTooOften
from core.model.events import TurnAsk, TurnEnd
from core.model.spend import Account, Door
from core.model.work import (
    Change,
    Checkout,
    Project,
    PullRequest,
    Run,
    RunId,
    RunState,
    TaskState,
    Turn,
    TurnState,
    Work,
)
from core.ports import Agent, Clock, Forge, Meter, PullDraft, Redact, Store, Workspaces
from core.posts import Posts
from core.runs.answer import UNBEGUN, UNPUBLISHED, final_post, kept, publish_button
from core.runs.cards import CutCards, asking, quarantined_words
from core.runs.commits import commit_message, cut, pull_body
from core.runs.guarded import Guarded
from core.runs.held import NO_VERDICT, Verdict, kept_back, left_words
from core.runs.known import Known
from core.runs.live import Live, StoppedError, anchor_key
from core.runs.outcome import Outcome, OutcomeKind, Published, ask_key, end_state, words
from core.runs.progress import anchor_post
from core.runs.turn import Nobody, arguments, failed, is_asked_for, measure, say_left
from core.signs import Signs

log = structlog.get_logger()

MOST_CUTS = 3
"""Restarts that may cut one step of a run; after these it is not begun again by itself."""
LEAST_PARKED_SECONDS = 60.0
"""So that a reset in the past does not make a loop."""


@dataclass(frozen=True, slots=True)
class RunSteps(Known):
    """`on_end` is called when lanes have become free."""

    store: Store
    posts: Posts
    agents: Mapping[str, Agent]
    forges: Mapping[str, Forge]
    workspaces: Workspaces
    live: Live
    signs: Signs
    clock: Clock
    on_end: Callable[[], None]
    alerts: Alerts
    turn_seconds: float = 3600.0
    answer_seconds: float = 24 * 3600.0
    language: str = "en"
    zone: str = "UTC"
    """Of chats that chose none."""
    redact: Redact = str
    """For commits and pull requests, which are read by more people than the chat."""
    meter: Meter = field(default_factory=NoMeter)
    cut_cards: CutCards = field(default_factory=CutCards)
    approvals: ApprovalDesk | Nobody = field(default_factory=Nobody)
    charging: Charging = field(default_factory=Free)
    guard: GuardPolicy = field(default_factory=GuardPolicy)

    @property
    def guarded(self) -> Guarded:
        """How anything is published."""
        needs = (self.store, self.posts, self.workspaces, self.live, self.clock, self.on_end)
        return Guarded(*needs, self.guard, self.redact)

    # ----------------------------------------------------------------------------------------- steps

    async def prepare(self, run_id: RunId) -> Checkout:
        """The workspace, ready. What goes wrong is raised for the flow to tell."""
        run = await self.store.move(run_id, RunState.PLANNING, self.clock.now())
        self._progress(run)
        await self._begin(run, "prepare", "prepared its workspace")
        work = await self.work_of(run)
        project = await self._project(work)
        forge = self.forge(project)
        base = await forge.ensure(project)
        if project.base != base and not project.base:
            project = replace(project, base=base)
            await self.store.put_project(project)
        if work.task is not None:
            await self.store.put_task_state(work.task, TaskState.IN_PROGRESS)
        return await self.workspaces.prepare(run_id, project, work.branch, forge.remote(project))

    async def turn(self, run_id: RunId, checkout: Checkout, again: bool, attempt: int) -> Outcome:  # noqa: FBT001 - kept by the engine
        """The agent's turn, unless an earlier attempt was cut and may not simply be repeated.

        `again`: a person has said that it may, for this `attempt` (counted in the run) and no other.
        """
        run = await self._run(run_id)
        turn = await self.store.next_turn(run_id)
        if run.stop_asked_by:
            return Outcome(OutcomeKind.STOPPED, turn.number if turn and is_asked_for(turn) else 0)
        if turn is None:
            return Outcome(OutcomeKind.IDLE)
        agent = self.agents.get(run.agent)
        if agent is None:
            return failed(turn, AgentUnready(f"The agent `{run.agent}` is no longer configured; /agents lists them."))
        attempts = await self.store.begin_step(run_id, f"turn-{attempt}")
        # Before the attempt: each question about a cut turn then has a history of its own, which names its answer.
        run = await self.store.move(run_id, RunState.RUNNING, self.clock.now())
        is_new = await self.store.begin_turn(run_id, turn.number, attempt)
        is_first = is_new and turn.state is TurnState.QUEUED
        if not (is_first or (is_new and again)):
            if attempts > MOST_CUTS:
                return Outcome(OutcomeKind.QUARANTINED, turn.number, cuts=attempts - 1)
            if not agent.can_repeat:
                return Outcome(OutcomeKind.CUT, turn.number)
        # Asked for again: what the engine keeps is where it stood when the run began, perhaps in another data folder.
        stands = await self._checkout(run, await self.work_of(run))
        began = self.clock.now()
        here, is_resumed = replace(checkout, path=stands.path), attempts > 1
        outcome = await self.charging.take(
            Account(run.id, here.project, turn.person, run.thread),
            run.agent,
            lambda door: self._take(run, turn, agent, here, door, is_retry=not is_first, is_resumed=is_resumed),
        )
        measure(self.meter, run.agent, outcome, self.clock.now() - began)
        await self.approvals.end(run)
        return outcome

    async def ask(self, run_id: RunId, outcome: Outcome, attempt: int) -> float:
        """Say what it waits for, each time it does; it waits from now on. The most seconds that it does so."""
        card = self.cut_cards.take(run_id) if outcome.kind is OutcomeKind.CUT else None
        key = card or ask_key(run_id, outcome.kind, attempt)
        now = self.clock.now()
        run = await self.store.park(run_id, now, key, outcome.resets_at)
        self.cut_cards.parked(run_id)
        self.live.rest(run_id)
        self.on_end()
        if outcome.kind is OutcomeKind.ASKED:
            await self.store.finish_turn(run_id, outcome.number, outcome.usage)
        zone = (await self.store.settings(run.thread.room)).zone or self.zone
        post, shown = asking(run, outcome, now, zone)
        if card is None:
            await self.posts.say(key, run.thread, post, Priority.APPROVAL)
        await self._show(run, shown)
        if outcome.kind is OutcomeKind.QUARANTINED:
            self.alerts.raise_(AlertKind.RUN_QUARANTINED, quarantined_words(run, outcome.cuts), run_id)
        return await self.left(outcome, LEAST_PARKED_SECONDS)

    async def left(self, outcome: Outcome, least: float = 1.0) -> float:
        """Seconds that a run waits from now on."""
        if outcome.resets_at is None:
            return self.answer_seconds
        return max(least, (outcome.resets_at - self.clock.now()).total_seconds())

    def worn_out(self, outcome: Outcome, caps: int) -> Outcome:
        """The cap was reached again as often as it had reset."""
        text = f"{outcome.answer}\n\nI waited for its reset {caps} times, and it was reached again each time."
        return replace(outcome, kind=OutcomeKind.FAILED, answer=text)

    def unanswered(self, outcome: Outcome) -> Outcome:
        """Nobody answered for as long as a person may take: silence is no."""
        hours = self.answer_seconds / 3600
        return replace(outcome, kind=OutcomeKind.STOPPED, answer=f"Nobody answered for {hours:g} hours.")

    async def publish(
        self, run_id: RunId, checkout: Checkout, outcome: Outcome, attempt: str, verdict: Verdict = NO_VERDICT
    ) -> Published:
        """Commit and push what changed and is allowed, and open the pull request when the agent is done."""
        run = await self._run(run_id)
        try:
            await self._begin(run, f"publish-{attempt}", "published what it did")
        except CutTooOften as error:
            return Published(problem=str(error))
        return await self._publish(run, checkout, outcome, verdict)

    async def _publish(self, run: Run, checkout: Checkout, outcome: Outcome, verdict: Verdict) -> Published:
        work = await self.work_of(run)
        change: Change | None = None
        left: tuple[str, ...] = ()
        try:
            project = await self._project(work)
            forge = self.forge(project)
            remote = forge.remote(project)
            message = replace(commit_message(run, work, outcome, self.redact), email=remote.email)
            passed = await self.guarded.publish(checkout, message, remote, verdict)
            change, left = passed.change, passed.left_out
            if passed.held is not None:
                return Published(None, work.pull, kept_back(passed.held, NO_VERDICT), passed.held)
            if change is None or outcome.kind is not OutcomeKind.DONE or work.pull is not None:
                return Published(change, work.pull, left_out=left)
            pull = await self.open_pull(work, project, run)
        except BotError as error:
            return Published(change, work.pull, str(error), left_out=left)
        return Published(change, pull, left_out=left)

    async def finish(self, run_id: RunId, outcome: Outcome, published: Published) -> bool:
        """Say how the turn ended. True: the run is over; False: something was said meanwhile, and is next."""
        run = await self._run(run_id)
        if outcome.number:
            await self.store.finish_turn(run_id, outcome.number, outcome.usage)
        state = end_state(outcome, published)
        queued = await self.store.queued_turns(run_id)
        more = bool(queued) and state is not RunState.CANCELLED
        await self._say_end(run, outcome, published, state, more=more)
        if more:
            return False
        await say_left(self.posts, run, queued)
        error = words(outcome, published) if state is RunState.FAILED else ""
        if not await self.store.end_run(run_id, state, self.clock.now(), error):
            return False
        await self._after_end(run_id, keep=published.keeps)
        return True

    async def fail(self, run_id: RunId, error: str) -> bool:
        """The run cannot go on: say why, and end it."""
        run = await self._run(run_id)
        has_worked = run.started_at is not None and run.state is not RunState.PLANNING
        buttons = ((publish_button(run),),) if has_worked else ()
        post = Post(f"❌ **{run.title}** · {run.agent}\n\n{error}\n\n{UNPUBLISHED if has_worked else UNBEGUN}", buttons)
        await self.posts.say(PostKey(f"fail:{run_id}"), run.thread, post, Priority.FINAL)
        await say_left(self.posts, run, await self.store.queued_turns(run_id))
        await self.store.end_run(run_id, RunState.FAILED, self.clock.now(), error)
        await self._after_end(run_id, keep=has_worked)
        return True

    async def discard(self, run_id: RunId) -> bool:
        """The person wants nothing of it."""
        run = await self._run(run_id)
        post = Post(f"⏹ **{run.title}**\n\nDiscarded. What was published before is still on its branch.")
        await self.posts.say(PostKey(f"discard:{run_id}"), run.thread, post, Priority.FINAL)
        await say_left(self.posts, run, await self.store.queued_turns(run_id))
        await self.store.end_run(run_id, RunState.CANCELLED, self.clock.now())
        await self._after_end(run_id)
        return True

    async def publish_again(self, run: Run, work: Work, verdict: Verdict = NO_VERDICT) -> Published:
        """What a run could not publish, from the checkout that was kept for it; the pull request is another's ask."""
        checkout = await self._checkout(run, work)
        published = await self._publish(run, checkout, Outcome(OutcomeKind.STOPPED), verdict)
        if not (published.problem or published.keeps):
            await self.workspaces.discard(run.id)
        return published

    async def open_pull(self, work: Work, project: Project, run: Run) -> PullRequest:
        """The pull request of a work: found or made, kept, and its task in review. Named after the task it is for."""
        task = await self.store.task(work.task) if work.task is not None else None
        title = cut(self.redact(f"{task.key}: {task.title}" if task else run.title))
        body = self.redact(pull_body(run, work))
        draft = PullDraft(work.branch, project.base, title, body, str(run.id))
        pull = await self.forge(project).open_pull_request(project, draft)
        await self.store.put_pull(work.id, pull)
        if work.task is not None:
            await self.store.put_task_state(work.task, TaskState.IN_REVIEW)
        return pull

    # --------------------------------------------------------------------------------------- helpers

    async def _take(
        self,
        run: Run,
        turn: Turn,
        agent: Agent,
        checkout: Checkout,
        door: Door | None,
        *,
        is_retry: bool,
        is_resumed: bool,
    ) -> Outcome:
        self.signs.put(run.thread, run.message, SignKind.WORKING)
        work = await self.work_of(run)
        settings = await self.store.settings(run.thread.room)
        ask = TurnAsk(
            run=run.id,
            prompt=turn.text,
            checkout=checkout,
            session=work.session if work.session_agent == run.agent else "",
            model=run.model,
            language=settings.language or self.language,
            is_retry=is_retry,
            words=arguments(run, turn, work),
            seconds=self.turn_seconds,
            door=door,
        )
        try:
            take, approve = self.live.take, self.approvals.approve_for(run, turn, checkout)
            result = await take(run, lambda note: agent.take_turn(ask, note, approve), is_resumed=is_resumed)
        except StoppedError:
            await self._keep_session(run, self.live.progress(run.id).session)
            return Outcome(OutcomeKind.STOPPED, turn.number, usage=self.live.progress(run.id).usage)
        except AgentCapped as cap:
            await self._keep_session(run, self.live.progress(run.id).session)
            usage = self.live.progress(run.id).usage
            return Outcome(OutcomeKind.CAPPED, turn.number, str(cap), usage=usage, resets_at=cap.resets_at)
        except BotError as error:
            await self._keep_session(run, self.live.progress(run.id).session)
            return replace(failed(turn, error), usage=self.live.progress(run.id).usage)
        await self._keep_session(run, result.session)
        return Outcome(
            OutcomeKind.ASKED if result.end is TurnEnd.ASKED else OutcomeKind.DONE,
            turn.number,
            bounded(result.answer),
            bounded(result.question),
            tuple(result.options),
            result.subject,
            result.usage,
        )

    async def _begin(self, run: Run, step: str, doing: str) -> None:
        """CutTooOften: restarts have cut this step again and again, so it may be what makes them."""
        attempts = await self.store.begin_step(run.id, step)
        if attempts <= MOST_CUTS:
            return
        self.alerts.raise_(AlertKind.RUN_QUARANTINED, quarantined_words(run, attempts - 1), run.id)
        raise CutTooOften(
            f"I was restarted {attempts - 1} times while I {doing}, so I don't try it again by myself. The owner knows."
        )

    async def _checkout(self, run: Run, work: Work) -> Checkout:
        """The one that stands; where it is gone, a new one of what is published."""
        project = await self._project(work)
        return await self.workspaces.prepare(run.id, project, work.branch, self.forge(project).remote(project))

    async def _keep_session(self, run: Run, session: str) -> None:
        if session:
            await self.store.put_session(run.work, run.agent, session)

    async def _say_end(self, run: Run, outcome: Outcome, published: Published, state: RunState, *, more: bool) -> None:
        work = await self.work_of(run)
        by = left = ""
        if state is not RunState.COMPLETED:
            by = f"Stopped by {run.stop_asked_by}." if run.stop_asked_by and state is RunState.CANCELLED else ""
            left = UNPUBLISHED if published.is_kept_back else kept(published.change, work.branch)
        post = final_post(
            run,
            work,
            state,
            self.clock.now(),
            said=outcome.answer,
            by=by,
            left="\n\n".join(part for part in (published.problem, left, left_words(published.left_out)) if part),
            change=published.change,
            pull=published.pull,
            usage=outcome.usage,
            more=more,
            is_kept_back=published.is_kept_back,
        )
        await self.posts.say(PostKey(f"answer:{run.id}:{outcome.number}"), run.thread, post, Priority.FINAL)

    async def _after_end(self, run_id: RunId, *, keep: bool = False) -> None:
        """`keep`: the checkout holds what could not be published."""
        run = await self._run(run_id)
        await self.approvals.end(run)
        await self._show(run)
        self.live.forget(run_id)
        self.cut_cards.parked(run_id)
        self.signs.put(run.thread, run.message, SignKind.DONE if run.state is RunState.COMPLETED else SignKind.FAILED)
        self.on_end()
        if keep:
            return
        with suppress(BotError):
            await self.workspaces.discard(run_id)

    async def _show(self, run: Run, waiting_for: str = "") -> None:
        """A state that stays for a while must be shown even if the bot dies now."""
        post = anchor_post(run, self.live.progress(run.id), self.clock.now(), waiting_for=waiting_for)
        await self.posts.show(anchor_key(run.id), post)

    def _progress(self, run: Run) -> None:
        post = anchor_post(run, self.live.progress(run.id), self.clock.now())
        self.posts.progress(anchor_key(run.id), run.thread.room, post)
