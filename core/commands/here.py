"""What several commands ask: which run, which work, which project is meant here?"""

from __future__ import annotations

from collections.abc import Sequence

from core.commands.base import Desk, Reply, Scene, say
from core.model.chat import Button, ThreadRef
from core.model.errors import BadAsk, NotAllowed, NotFound
from core.model.people import Role
from core.model.work import Project, Run, RunId, TaskKey, Work, WorkId
from core.projects import parse_task_key


class ChooseError(Exception):
    """Several are meant; `reply` has a button for each."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def label(run: Run) -> str:
    return f"{run.title[:28]} · {run.state}"


def choices(text: str, command: str, runs: Sequence[Run]) -> Reply:
    """One button for each run, saying `command` with its id."""
    return say(text, *(((Button(label(run), f"/{command} {run.id}"),)) for run in runs[:8]))


async def linked_project(scene: Scene, desk: Desk) -> Project:
    """The project this chat or thread talks about."""
    if scene.link is None:
        raise ChooseError(await link_choices(desk, "This chat is not linked to a project yet."))
    return await desk.projects.project(scene.link.project)


async def link_choices(desk: Desk, text: str) -> Reply:
    """How to link, with buttons for the projects there are."""
    projects = await desk.store.projects()
    if not projects:
        how = "There is no project yet. Make one: `/create_project DEMO Demo Project`, or with a repository: "
        return say(f"{text} {how}`/create_project DEMO Demo Project owner/repo`.")
    rows = [(Button(f"{each.key} {each.name}"[:40], f"/link {each.key}"),) for each in projects[:8]]
    return say(f"{text} Choose one, or say `/link KEY`:", *rows)


async def run_by_id(text: str, scene: Scene, desk: Desk) -> Run:
    """A full id, or the first characters of one. A run of another chat is nobody's business here but an owner's."""
    found = await desk.store.run(RunId(text)) or (await desk.store.find_run(text) if len(text) >= 4 else None)
    if found is None or not _may_see(found.thread, scene):
        raise NotFound(f"I know no run `{text[:40]}`. /history lists the last ones.")
    return found


def _may_see(thread: ThreadRef, scene: Scene) -> bool:
    return thread.room == scene.thread.room or scene.everywhere is Role.OWNER


def must_be_theirs(run: Run, scene: Scene) -> None:
    """What somebody else asked for is ended by an admin. NotAllowed."""
    if scene.role < Role.ADMIN and str(run.asked_by) != str(scene.person):
        by = run.asked_by.name or run.asked_by.id
        raise NotAllowed(f"“{run.title}” was asked for by {by}: only they, or an admin, may end it.")


async def active_run(scene: Scene, desk: Desk, command: str) -> Run | None:
    """The run of this thread; said outside of any thread, the chat's one open run. ChooseError: there are several."""
    here = await desk.store.run_in(scene.thread)
    if here is not None or scene.in_thread:
        return here
    runs = await desk.store.open_runs(scene.thread.room)
    if len(runs) > 1:
        raise ChooseError(choices("Several runs are open here. Which one?", command, runs))
    return runs[0] if runs else None


async def work_named(text: str, scene: Scene, desk: Desk, command: str) -> Work:
    """By task key, by id, or the one of this thread (of the chat, where there is just one). NotFound, ChooseError."""
    if text:
        return await _by_name(text, scene, desk)
    here = await desk.store.open_work_in(scene.thread)
    if here is not None:
        return here
    runs = await desk.store.runs_of(scene.thread.room, 20)
    works = {run.work: run for run in reversed(runs) if not scene.in_thread}
    if len(works) > 1:
        raise ChooseError(choices("Which one?", command, list(reversed(works.values()))))
    if works:
        return await desk.steps.work_of(next(iter(works.values())))
    raise NotFound("Nothing has been worked on here yet. Say what you want done, or `/execute DEMO-1`.")


async def _by_name(text: str, scene: Scene, desk: Desk) -> Work:
    """Work on a task is everybody's, as the board is; work on what was said in a chat is that chat's."""
    found = await desk.store.work(WorkId(text))
    if found is not None and (found.task is not None or _may_see(found.thread, scene)):
        return found
    try:
        key: TaskKey | None = parse_task_key(text)
    except BadAsk:
        key = None
    if key is not None:
        task = await desk.projects.task(key)
        works = await desk.store.works(task.key)
        if not works:
            raise NotFound(f"Nobody has worked on {task.key} yet. `/execute {task.key}` begins.")
        return works[-1]
    return await desk.steps.work_of(await run_by_id(text, scene, desk))
