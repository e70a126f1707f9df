"""/start and /help: what the bot is, and what can be said to it."""

from __future__ import annotations

from core.commands.base import Command, Desk, Line, Reply, Scene, say
from core.commands.here import link_choices
from core.model.chat import Button
from core.model.errors import BadAsk
from core.near import near

WELCOME = """👋 I am **Patchbay**: I run coding agents on your repositories and open the pull request.

Link this chat to a project, then say in plain words what you want done. I show the work as it goes on, in one post; \
you can stop it at any time, and what you say meanwhile is taken up next.

```
/create_project DEMO Demo Project
/create_task DEMO Implement login feature
/execute DEMO-1
```
/help lists everything I understand."""


def parse_start(line: Line) -> str:
    """A pairing code is dealt with before; here it has become useless, and is not shown again."""
    return parse_nothing(line) if line.is_bare else ""


async def start(_ask: str, scene: Scene, desk: Desk) -> Reply:
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


START = Command("start", "/start", "Say hello, and how to begin", parse_start, start)
HELP = Command("help", "/help [command]", "List what I understand", parse_help, help_)
