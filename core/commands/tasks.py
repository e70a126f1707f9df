"""/tasks, /create_task, /execute: what the team wants done, and having it done."""

from __future__ import annotations

from dataclasses import dataclass

from core.commands.base import About, Command, Desk, Line, Reply, Scene, say
from core.commands.here import linked_project
from core.model.chat import Button, SignKind, Style
from core.model.errors import BadAsk
from core.model.people import Role
from core.model.work import ProjectKey, RunState, Task, TaskKey, TaskState
from core.near import near
from core.projects import parse_project_key, parse_task_key
from core.runs.desk import RunAsk, task_prompt

SHOWN = 30
TITLE_LENGTH = 200
_ORDER = (TaskState.IN_PROGRESS, TaskState.IN_REVIEW, TaskState.TODO, TaskState.DONE)


def parse_tasks(line: Line) -> ProjectKey | None:
    if len(line.words) > 1:
        raise BadAsk("Say `/tasks`, or `/tasks KEY`.")
    return parse_project_key(line.words[0]) if line.words else None


async def tasks(key: ProjectKey | None, scene: Scene, desk: Desk) -> Reply:
    project = await desk.projects.project(key) if key else await linked_project(scene, desk)
    known = await desk.store.tasks(project.key)
    if not known:
        return say(f"**{project.key}** has no task yet. `/create_task {project.key} <title>` makes one.")
    parts = [f"**{project.key}** {project.name}"]
    for state in _ORDER:
        here = [task for task in known if task.state is state]
        if here:
            lines = [f"- `{task.key}` {task.title}" for task in here[:SHOWN]]
            more = [f"- … {len(here) - SHOWN} more"] if len(here) > SHOWN else []
            parts.append("\n".join([f"*{state}*", "", *lines, *more]))
    todo = [task for task in known if task.state is TaskState.TODO][:3]
    return say("\n\n".join(parts), tuple(Button(f"▶ {task.key}", f"/execute {task.key}") for task in todo))


@dataclass(frozen=True, slots=True)
class Create:
    key: ProjectKey
    title: str


def parse_create(line: Line) -> Create:
    if len(line.words) < 2:
        raise BadAsk("Say `/create_task KEY <title>`, for example `/create_task DEMO Implement login feature`.")
    title = " ".join(line.rest(1).split())
    if len(title) > TITLE_LENGTH:
        raise BadAsk(f"That title has {len(title)} characters; at most {TITLE_LENGTH} fit. Say the rest when it runs.")
    return Create(parse_project_key(line.words[0]), title)


async def create(ask: Create, scene: Scene, desk: Desk) -> Reply:
    project = await desk.projects.project(ask.key)
    task = await desk.store.add_task(project.key, ask.title, scene.person, desk.clock.now(), scene.cause)
    return say(
        f"**{task.key}** {task.title}\n\n*{task.state}* · `/execute {task.key}` has it done.",
        (Button(f"▶ Execute {task.key}", f"/execute {task.key}", Style.PRIMARY),),
    )


@dataclass(frozen=True, slots=True)
class Execute:
    key: TaskKey
    agent: str
    extra: str


def parse_execute(line: Line) -> Execute:
    if not line.words:
        raise BadAsk("Say `/execute DEMO-1`, or `/execute DEMO-1 agent`. /tasks lists the tasks.")
    return Execute(parse_task_key(line.words[0]), line.words[1] if len(line.words) > 1 else "", line.rest(2))


async def execute(ask: Execute, scene: Scene, desk: Desk) -> Reply | None:
    task = await desk.projects.task(ask.key)
    project = await desk.projects.project(task.project)
    if ask.agent and ask.agent not in desk.agents:
        raise BadAsk(f"There is no agent `{ask.agent[:40]}`. {near(ask.agent, desk.agents)} /agents lists them.")
    desk.steps.signs.put(scene.thread, scene.message, SignKind.SEEN)
    linked = scene.link.agent if scene.link and scene.link.project == project.key else ""
    agent = await desk.runs.usable_agent(ask.agent, linked, scene.settings.agent, project.agent)
    run = await desk.runs.ask(
        RunAsk(
            scene.cause,
            scene.thread,
            scene.person,
            project,
            agent,
            task_prompt(task, ask.extra),
            title(task),
            task,
            scene.settings.model,
            scene.message,
        )
    )
    return None if run.state is not RunState.CANCELLED else say("That run was cancelled before.")


def title(task: Task) -> str:
    return f"{task.key} {task.title}"


TASKS = Command(
    "tasks",
    "/tasks [KEY]",
    "Show the board of a project",
    parse_tasks,
    tasks,
    role=Role.VIEWER,
    about=lambda key: About(project=key),
)
CREATE_TASK = Command(
    "create_task",
    "/create_task <KEY> <title>",
    "Put a task on the board",
    parse_create,
    create,
    names=True,
    about=lambda ask: About(project=ask.key),
)
EXECUTE = Command(
    "execute",
    "/execute <TASK-KEY> [agent]",
    "Have a task done by an agent",
    parse_execute,
    execute,
    needs_thread=True,
    names=True,
    about=lambda ask: About(name=ask.key),
)
