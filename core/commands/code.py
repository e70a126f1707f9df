"""/diff, /pr, /merge: what a run has changed, and where it goes."""

from __future__ import annotations

from core.commands.base import About, Command, Desk, Line, Reply, Scene, say
from core.commands.guard import published_again
from core.commands.here import run_by_id, work_named
from core.commands.runs import parse_id
from core.files import bounded
from core.model.chat import Button, File, Post, Style
from core.model.errors import BadAsk, Conflict, NotAllowed, NotFound
from core.model.people import Role
from core.model.work import PullState, Run, RunState, Work
from core.news import end_work, ended_key, ended_words
from core.projects import parse_task_key
from core.runs.answer import link


def parse_named(line: Line) -> str:
    """A task key, an id, or nothing."""
    if line.is_bare and line.words:
        parse_task_key(line.words[0])
    return parse_id(line)


async def diff(ask: str, scene: Scene, desk: Desk) -> Reply:
    work = await work_named(ask, scene, desk, "diff")
    text = await _diff(work, desk)
    if not text.strip():
        return say(f"`{work.branch}` changes nothing against its base.")
    name = work.task or work.branch.replace("/", "-")
    return Reply(Post(f"`{work.branch}`", file=File(f"{name}.diff", bounded(text))))


async def _diff(work: Work, desk: Desk) -> str:
    """Of the checkout while a run works on it, else of the published branch."""
    project = await desk.projects.project(work.project)
    remote = desk.steps.forge(project).remote(project)
    run = await _at_work(work, desk)
    if run is not None:
        checkout = await desk.workspaces.prepare(run.id, project, work.branch, remote)
        return await desk.workspaces.diff(checkout)
    return await desk.workspaces.branch_diff(project, work.branch, remote)


async def _at_work(work: Work, desk: Desk) -> Run | None:
    """The run whose checkout stands; one that only waits for its turn has none yet."""
    has_checkout = {RunState.RUNNING, RunState.WAITING}
    runs = await desk.store.open_runs()
    return next((run for run in runs if run.work == work.id and run.state in has_checkout), None)


async def pull(ask: str, scene: Scene, desk: Desk) -> Reply:
    work = await work_named(ask, scene, desk, "pr")
    if work.pull is not None:
        project = await desk.projects.project(work.project)
        now = await desk.steps.forge(project).pull_request(project, work.pull.number)
        await desk.store.put_pull(work.id, now)
        if now.state is not PullState.OPEN:
            await end_work(desk.store, work, now)
        return say(f"{link(now)} · {now.state}", _buttons(work, now.state))
    return await _open(work, scene, desk)


async def _open(work: Work, scene: Scene, desk: Desk) -> Reply:
    if scene.role < Role.DEVELOPER:
        raise NotAllowed("That has no pull request yet, and only a developer may open one.")
    run = await desk.store.last_run(work.id)
    if run is None:
        raise NotFound("Nothing has been run on that yet.")
    if not run.state.is_over:
        raise Conflict(f"“{run.title}” is still {run.state}; its pull request comes at the end.")
    project = await desk.projects.project(work.project)
    if not (await _diff(work, desk)).strip():
        return say(f"`{work.branch}` changes nothing, so there is nothing for a pull request.")
    opened = await desk.steps.open_pull(work, project, run)
    return say(f"{link(opened)} · {opened.state}", _buttons(work, opened.state))


async def publish(ask: str, scene: Scene, desk: Desk) -> Reply:
    return await published_again(await run_by_id(ask, scene, desk), desk)


async def merge(ask: str, scene: Scene, desk: Desk) -> Reply | None:
    work = await work_named(ask, scene, desk, "merge")
    if work.pull is None:
        raise BadAsk("That has no pull request yet; /pr opens one.")
    run = await desk.store.last_run(work.id)
    if run is not None and not run.state.is_over:
        raise Conflict(f"“{run.title}” is still {run.state}; merge when it is over, or stop it first.")
    project = await desk.projects.project(work.project)
    merged = await desk.steps.forge(project).merge(project, work.pull.number)
    await end_work(desk.store, work, merged)
    words = ended_words(work, merged, scene.person.name or scene.person.id)
    await desk.posts.say(ended_key(work.id, merged), work.thread, Post(words))
    return None if scene.thread == work.thread else say(words)


def _buttons(work: Work, state: PullState) -> tuple[Button, ...]:
    if state is not PullState.OPEN:
        return ()
    return (Button("Show diff", f"/diff {work.id}"), Button("Merge", f"/merge {work.id}", Style.PRIMARY))


def _named(name: str) -> About:
    return About(name=name)


DIFF = Command(
    "diff", "/diff [TASK-KEY]", "Show what has been changed", parse_named, diff, role=Role.VIEWER, about=_named
)
PR = Command("pr", "/pr [TASK-KEY]", "Show or open the pull request", parse_named, pull, role=Role.VIEWER, about=_named)
PUBLISH = Command(
    "publish", "/publish <run>", "Publish what a run could not", parse_id, publish, hidden=True, about=_named
)
MERGE = Command(
    "merge",
    "/merge [TASK-KEY]",
    "Merge the pull request",
    parse_id,
    merge,
    hidden=True,
    names=True,
    role=Role.ADMIN,
    about=_named,
)
