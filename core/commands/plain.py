"""What is no command: it goes to the agent, as the next turn of the run that works here, or as a new run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.commands.base import Command, Desk, Line, Reply, Scene, say
from core.commands.here import link_choices
from core.commands.welcome import parse_nothing
from core.model.chat import Button, Cause, SignKind, Style
from core.model.errors import BadAsk
from core.runs.desk import RunAsk, Taken

TAKEN = {
    Taken.NEXT: "📥 Noted: the agent gets this as soon as its present turn is done.",
    Taken.ANSWER: "",
    Taken.HELD: "📥 Noted: a budget is used up. The agent gets this once an admin has allowed more.",
    Taken.PARKED: "📥 Noted: the agent's usage cap is reached. It gets this when it has gone on with what it was at.",
    Taken.RESUMES: "▸ Going on: the turn that was cut is taken again first, then this.",
}
TITLE_LENGTH = 80


async def plain(text: str, scene: Scene, desk: Desk) -> Reply | None:
    """Done once for each `scene.cause`."""
    if await desk.runs.begun(scene.cause):
        return None
    taken = await desk.runs.queue(scene.cause, scene.thread, text, scene.person)
    if taken is not None:
        desk.steps.signs.put(scene.thread, scene.message, SignKind.SEEN)
        return say(TAKEN[taken]) if TAKEN[taken] else None
    if scene.link is None:
        return await link_choices(desk, "I don't know yet which code this chat is about.")
    project = await desk.projects.project(scene.link.project)
    desk.steps.signs.put(scene.thread, scene.message, SignKind.SEEN)
    agent = await desk.runs.usable_agent(scene.link.agent, scene.settings.agent, project.agent)
    ask = RunAsk(
        scene.cause,
        scene.thread,
        scene.person,
        project,
        agent,
        text,
        title_of(text),
        model=scene.settings.model,
        message=scene.message,
    )
    await desk.runs.ask(ask)
    return None


def title_of(text: str) -> str:
    line = " ".join(text.split()).replace("*", "").replace("`", "'")
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


# ------------------------------------------------------------------------------ edited after it was taken up


@dataclass(frozen=True, slots=True)
class FollowUp:
    """`edit` is the cause of the edit, so that it is done once, however often it is pressed."""

    edit: Cause
    text: str


def offer(edit: Cause, text: str) -> Reply:
    """For a message that was edited after its turn had begun."""
    do = Button("Do the new version as a follow-up", f"/followup {edit} {text}", Style.PRIMARY)
    return say("That was taken up before you edited it.", (do,), (Button("Leave it", "/leave"),))


def parse_follow_up(line: Line) -> FollowUp:
    if len(line.words) < 2:
        raise BadAsk("Say in plain words what should be different.")
    return FollowUp(Cause(line.words[0]), line.rest(1))


async def follow_up(ask: FollowUp, scene: Scene, desk: Desk) -> Reply:
    reply = await plain(ask.text, replace(scene, cause=Cause(f"{ask.edit}:followup")), desk)
    if reply is not None and reply.post.buttons:
        return reply
    return say(f"▸ Taken up as a follow-up: “{title_of(ask.text)}”", replaces=True)


async def leave(_ask: str, _scene: Scene, _desk: Desk) -> Reply:
    return say("Left as it was taken up.", replaces=True)


FOLLOWUP = Command(
    "followup", "/followup <edit> <words>", "Do an edited message", parse_follow_up, follow_up, hidden=True, names=True
)
LEAVE = Command("leave", "/leave", "Leave an edited message as it was", parse_nothing, leave, hidden=True)
