"""/projects, /create_project, /link, /unlink: which code this chat talks about."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.authority.roles import Place
from core.commands.base import About, Command, Desk, Line, Reply, Scene, say
from core.commands.welcome import parse_nothing
from core.model.chat import Button, ThreadRef
from core.model.errors import BadAsk, NotAllowed
from core.model.people import Role
from core.model.work import Link, Project, ProjectKey, RepoRef
from core.near import near
from core.projects import LOCAL_FORGE, parse_project_key

CREATE_USAGE = "/create_project <KEY> <name> [owner/repo or path]"


async def projects(_ask: str, scene: Scene, desk: Desk) -> Reply:
    known = await _visible(scene, desk)
    if not known:
        return say(f"There is no project yet. Make one: `{CREATE_USAGE}`.")
    lines = [f"- **{each.key}** {each.name} · {_where(each)}" for each in known]
    rows = [(Button(f"Link {each.key}", f"/link {each.key}"),) for each in known[:8]]
    return say("\n".join(["**Projects**", "", *lines]), *rows)


async def _visible(scene: Scene, desk: Desk) -> list[Project]:
    """Who was let in to a chat or a project alone sees no others."""
    known = await desk.store.projects()
    if scene.everywhere >= Role.VIEWER:
        return known
    rights = await desk.roles.rights(scene.person, scene.thread.tenant)
    linked = scene.link.project if scene.link else None
    return [each for each in known if rights.at(Place(scene.thread.room, linked, (each.key,))) >= Role.VIEWER]


@dataclass(frozen=True, slots=True)
class Create:
    key: ProjectKey
    words: tuple[str, ...]


def parse_create(line: Line) -> Create:
    if len(line.words) < 1 or (line.is_bare and len(line.words) < 2):
        raise BadAsk(f"Say `{CREATE_USAGE}`, for example `/create_project DEMO Demo Project`.")
    return Create(parse_project_key(line.words[0]), line.words[1:])


async def create(ask: Create, scene: Scene, desk: Desk) -> Reply:
    if ask.words and _is_place(ask.words[-1]) and scene.everywhere < Role.OWNER:  # before anything is looked at
        raise NotAllowed("Only an owner may take a repository from the bot's own disk. Name it as `owner/repo`.")
    repo, name = _repository(ask, desk)
    if repo is not None and repo.forge == LOCAL_FORGE and repo.path and scene.everywhere < Role.OWNER:
        raise NotAllowed("Only an owner may take a repository from the bot's own disk. Name it as `owner/repo`.")
    project, is_new = await desk.projects.create(
        ask.key, name, repo, scene.cause, scene.thread, may_change=scene.everywhere is Role.OWNER
    )
    what = "is ready" if is_new else "exists already"
    text = (
        f"**{project.key}** {project.name} {what}: {_where(project)}. This chat is linked to it.\n\n"
        f"Next: `/create_task {project.key} …`, or say in plain words what you want done."
    )
    return say(text)


def _repository(ask: Create, desk: Desk) -> tuple[RepoRef | None, str]:
    """The last word is a repository when a forge takes it for one; the rest is the name."""
    if len(ask.words) > 1 or (ask.words and "/" in ask.words[0]):
        repo = desk.projects.repository(ask.words[-1])
        if repo is not None:
            return repo, " ".join(ask.words[:-1])
        if _looks_like_address(ask.words[-1]):
            known = ", ".join(f"`{each}`" for each in desk.forges)
            raise BadAsk(
                f"`{ask.words[-1][:80]}` looks like a repository, but none of the forges here ({known}) takes it. "
                "Write `owner/repo`, or a path; for GitHub the section `github` must be configured."
            )
    return None, " ".join(ask.words)


def _is_place(word: str) -> bool:
    """On the bot's own disk."""
    return word.startswith(("/", "~", "./", "../")) or word in {".", ".."}


def _looks_like_address(word: str) -> bool:
    return "://" in word or word.startswith(("/", "./", "~/", "git@")) or word.count("/") == 1


@dataclass(frozen=True, slots=True)
class LinkAsk:
    key: ProjectKey
    agent: str


def parse_link(line: Line) -> LinkAsk:
    if not 1 <= len(line.words) <= 2 or (line.is_bare and not line.words[0].isupper()):
        raise BadAsk("Say `/link KEY`, or `/link KEY agent`. /projects lists the keys.")
    return LinkAsk(parse_project_key(line.words[0]), line.words[1] if len(line.words) > 1 else "")


async def link(ask: LinkAsk, scene: Scene, desk: Desk) -> Reply:
    project = await desk.projects.project(ask.key)
    if ask.agent and ask.agent not in desk.agents:
        raise BadAsk(f"There is no agent `{ask.agent[:40]}`. {near(ask.agent, desk.agents)} /agents lists them.")
    await desk.store.put_link(Link(_scope(scene), project.key, ask.agent))
    agent = ask.agent or scene.settings.agent or project.agent or await desk.runs.agent_for()
    where = "This thread" if scene.in_thread else "This chat"
    return say(
        f"{where} is linked to **{project.key}** {project.name}; I use the agent `{agent}`. Say what you want done.",
        (Button("Tasks", f"/tasks {project.key}"), Button("Agents", "/agents")),
    )


async def unlink(_ask: str, scene: Scene, desk: Desk) -> Reply:
    if await desk.store.drop_link(_scope(scene)):
        return say(f"{'This thread' if scene.in_thread else 'This chat'} is no longer linked to a project.")
    if scene.link is not None:
        return say(
            f"This thread has no link of its own; the chat is linked to **{scene.link.project}**. "
            "Say /unlink at the top of the chat to drop that."
        )
    return say("This chat is not linked to a project.")


def _scope(scene: Scene) -> ThreadRef:
    """A thread has a link of its own when it was said in one; else the chat's."""
    return scene.thread if scene.in_thread else replace(scene.thread, root="")


def _where(project: Project) -> str:
    if project.repo.path:
        return f"`{project.repo.path}` ({project.repo.forge})"
    return "a local repository of its own"


PROJECTS = Command(
    "projects", "/projects", "List the projects", parse_nothing, projects, role=Role.VIEWER, is_general=True
)
CREATE_PROJECT = Command(
    "create_project",
    CREATE_USAGE,
    "Make a project and link this chat",
    parse_create,
    create,
    links=True,
    role=Role.ADMIN,
    about=lambda ask: About(project=ask.key, moves_link=True),
)
LINK = Command(
    "link",
    "/link <KEY> [agent]",
    "Link this chat or thread to a project and an agent",
    parse_link,
    link,
    links=True,
    role=Role.ADMIN,
    about=lambda ask: About(project=ask.key, moves_link=True),
)
UNLINK = Command("unlink", "/unlink", "Drop the link of this chat or thread", parse_nothing, unlink, role=Role.ADMIN)
