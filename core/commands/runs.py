"""/status, /cancel, /history, /new, and what the buttons of a cut run say: what is going on, and stopping it."""

from __future__ import annotations

from dataclasses import dataclass

from core.commands.base import About, Command, Desk, Line, Reply, Scene, say
from core.commands.here import active_run, label, must_be_theirs, run_by_id
from core.commands.welcome import parse_nothing
from core.model.chat import Button, Style
from core.model.errors import BadAsk, Conflict
from core.model.people import Role
from core.model.work import Run, RunId, RunState
from core.runs.outcome import WordKind
from core.runs.progress import elapsed

SHOWN = 10
_MARKS = {
    RunState.PENDING: "🕓",
    RunState.PLANNING: "▸",
    RunState.RUNNING: "▸",
    RunState.WAITING: "❓",
    RunState.COMPLETED: "✅",
    RunState.FAILED: "❌",
    RunState.CANCELLED: "⏹",
}


async def status(_ask: str, scene: Scene, desk: Desk) -> Reply:
    runs = await desk.store.open_runs(scene.thread.room)
    project = f"This chat talks about **{scene.link.project}**." if scene.link else "This chat is not linked; /link."
    troubles = [f"⚠️ {each}" for each in desk.troubles()]
    if not runs:
        return say("\n\n".join([f"Nothing is running here. {project}", *troubles]))
    now = desk.clock.now()
    lines = [f"- {_line(run)} · {elapsed((now - run.created_at).total_seconds())}" for run in runs[:SHOWN]]
    if len(runs) > SHOWN:
        lines.append(f"- … {len(runs) - SHOWN} more")
    rows = [(Button(f"⏹ {label(run)}"[:40], f"/cancel {run.id}", Style.DANGER),) for run in runs[:5]]
    return say("\n\n".join([project, *troubles, "\n".join(lines)]), *rows)


def parse_id(line: Line) -> str:
    """A run's id or the first characters of it, or nothing: the one that works here."""
    if len(line.words) > 1:
        raise BadAsk("Say it alone, or with the id of a run. /history lists them.")
    return line.words[0] if line.words else ""


async def cancel(ask: str, scene: Scene, desk: Desk) -> Reply:
    run = await run_by_id(ask, scene, desk) if ask else await active_run(scene, desk, "cancel")
    if run is None:
        return say("Nothing is running here that could be stopped.")
    must_be_theirs(run, scene)
    name = scene.person.name or scene.person.id
    if await desk.runs.stop(run.id, name) is None:
        return say(f"“{run.title}” is over already: {run.state}.")
    if run.state is RunState.PENDING:
        return say(f"⏹ “{run.title}” is taken out of the line. Nothing had been changed.")
    return say(f"⏹ Stopping “{run.title}” …")


async def history(_ask: str, scene: Scene, desk: Desk) -> Reply:
    runs = await desk.store.runs_of(scene.thread.room, SHOWN)
    if not runs:
        return say("No run yet in this chat. Say what you want done, or `/execute DEMO-1`.")
    lines = []
    for run in runs:
        changes = await desk.store.changes(run.id)
        states = " → ".join(each.state for each in changes)
        took = elapsed(((run.ended_at or desk.clock.now()) - run.created_at).total_seconds())
        lines.append(f"- {_line(run)} · {run.created_at:%d %b %H:%M} UTC · {took} · `{run.id[:8]}`  \n  {states}")
    return say("\n".join(["**The last runs of this chat**", "", *lines]))


async def new(_ask: str, scene: Scene, desk: Desk) -> Reply:
    work = await desk.store.open_work_in(scene.thread)
    if work is None:
        return say("There is nothing to leave behind here. Say what you want done.")
    run = await desk.store.last_run(work.id)
    if run is not None and not run.state.is_over:
        raise Conflict(f"“{run.title}” is still {run.state} on `{work.branch}`. Stop it with /cancel first.")
    await desk.store.close_work(work.id)
    return say(f"Left behind: `{work.branch}`. What you say next begins on a branch of its own.")


async def resume(ask: str, scene: Scene, desk: Desk) -> Reply:
    if ask == "all":
        count = await desk.runs.resume_all(scene.thread.room)
        return say(f"▸ Going on with {count} of them." if count else "None of them waits any more.")
    run = await run_by_id(ask, scene, desk)
    await desk.runs.decide(run.id, WordKind.RESUME)
    return say("▸ Going on.")


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the answers that the question of a run offered."""

    run: RunId
    text: str


def parse_answer(line: Line) -> Answer:
    if len(line.words) < 2:
        raise BadAsk("Say your answer in plain words.")
    return Answer(RunId(line.words[0]), line.rest(1))


async def answer(ask: Answer, scene: Scene, desk: Desk) -> Reply | None:
    run = await run_by_id(ask.run, scene, desk)
    await desk.runs.answer(run.id, scene.cause, ask.text, scene.person)
    return None


async def discard(ask: str, scene: Scene, desk: Desk) -> Reply | None:
    run = await run_by_id(ask, scene, desk)
    must_be_theirs(run, scene)
    await desk.runs.decide(run.id, WordKind.DISCARD)
    return None


def _line(run: Run) -> str:
    return f"{_MARKS[run.state]} {run.title} · {run.agent} · {run.state}"


def _named(name: str) -> About:
    return About(name=name)


STATUS = Command("status", "/status", "Show what is going on in this chat", parse_nothing, status, role=Role.VIEWER)
CANCEL = Command("cancel", "/cancel [run]", "Stop the run of this thread", parse_id, cancel, names=True, about=_named)
HISTORY = Command("history", "/history", "List the last runs of this chat", parse_nothing, history, role=Role.VIEWER)
NEW = Command("new", "/new", "Leave the branch of this thread; begin on a new one", parse_nothing, new)
RESUME = Command(
    "resume", "/resume <run>", "Go on with a run that was cut", parse_id, resume, hidden=True, about=_named
)
DISCARD = Command("discard", "/discard <run>", "Drop a run that was cut", parse_id, discard, hidden=True, about=_named)
ANSWER = Command(
    "answer",
    "/answer <run> <words>",
    "Answer a question",
    parse_answer,
    answer,
    hidden=True,
    about=lambda ask: About(name=ask.run),
)
