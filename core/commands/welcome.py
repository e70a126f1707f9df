"""/start and /help: what the bot is, and what can be said to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.commands.base import Command, Desk, Line, Reply, Scene, say
from core.commands.here import link_choices
from core.commands.pairing import enter
from core.model.chat import Button
from core.model.errors import BadAsk
from core.model.people import Role
from core.near import near

if TYPE_CHECKING:
    from core.commands import Ask

WELCOME = """👋 I am **Patchbay**: I run coding agents on your repositories and open the pull request.

Link this chat to a project, then say in plain words what you want done. I show the work as it goes on, in one post; \
you can stop it at any time, and what you say meanwhile is taken up next.

```
/create_project DEMO Demo Project
/create_task DEMO Implement login feature
/execute DEMO-1
```
/help lists everything I understand."""


CODE = re.compile(r"[A-HJ-NP-Z2-9]{10}|[A-Za-z0-9_-]{43}")
"""Of the machine, as it is typed, or of a person."""


def parse_start(line: Line) -> str:
    """The code, or nothing."""
    if line.is_bare and line.words and not (len(line.words) == 1 and CODE.fullmatch(line.words[0])):
        return parse_nothing(line)
    return line.words[0] if len(line.words) == 1 else ""


def says_code(ask: Ask) -> bool:
    return ask.command is START and bool(ask.given)


async def start(code: str, scene: Scene, desk: Desk) -> Reply | None:
    if code and scene.is_direct:
        return await enter(code, scene, desk)
    if scene.link is not None:
        project = await desk.projects.project(scene.link.project)
        return say(f"{WELCOME}\n\nThis chat is linked to **{project.key}** {project.name}.")
    choose = await link_choices(desk, "This chat is not linked yet.")
    return say(f"{WELCOME}\n\n{choose.post.text}", *choose.post.buttons)


def parse_help(line: Line) -> str:
    if line.is_bare and len(line.words) > 1:
        return parse_nothing(line)
    return line.words[0].lstrip("/").lower() if line.words else ""


def parse_nothing(line: Line) -> str:
    """For commands that take no words. What follows a bare word means that it was no command."""
    if line.words:
        raise BadAsk("That command takes no words.")
    return ""


async def help_(word: str, _scene: Scene, _desk: Desk) -> Reply:
    from core.commands import COMMANDS  # noqa: PLC0415 - the table holds this module

    shown = [each for each in COMMANDS if not each.hidden]
    if word:
        for each in shown:
            if each.word == word:
                return say(f"`{each.usage}`\n\n{each.summary}.")
        return say(
            f"There is no command `/{word[:40]}`. {near(word, [each.word for each in shown], before='/')}".strip()
        )
    lines = [f"- `{each.usage}` {each.summary}" for each in shown]
    text = "\n".join(["**What I understand**", "", *lines, "", "Anything else you say goes to the agent of this chat."])
    return say(text, (Button("Projects", "/projects"), Button("Agents", "/agents"), Button("Settings", "/settings")))


START = Command(
    "start",
    "/start [code]",
    "Say hello, and how to begin; with a code, be let in",
    parse_start,
    start,
    role=Role.VIEWER,
    is_general=True,
)
HELP = Command(
    "help", "/help [command]", "List what I understand", parse_help, help_, role=Role.VIEWER, is_general=True
)
