"""COMMANDS: everything that can be said to the bot by name, on every platform, from this one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.commands.again import AGAIN
from core.commands.agents import AGENTS
from core.commands.approvals import APPROVALS, APPROVE, DENY
from core.commands.audit import AUDIT
from core.commands.base import About, Command, Desk, Line, Reply, Scene, say
from core.commands.budget import ALLOW, BUDGET
from core.commands.chats import APPROVE_CHAT, REFUSE_CHAT
from core.commands.code import DIFF, MERGE, PR, PUBLISH
from core.commands.digest import DIGEST
from core.commands.guard import GUARD
from core.commands.pairing import KEEP_OUT, LET_IN, PAIR
from core.commands.people import GRANT, PEOPLE, REVOKE
from core.commands.plain import FOLLOWUP, LEAVE
from core.commands.projects import CREATE_PROJECT, LINK, PROJECTS, UNLINK
from core.commands.runs import ANSWER, CANCEL, DISCARD, HISTORY, NEW, RESUME, STATUS
from core.commands.secrets import SECRET
from core.commands.settings import SETTINGS
from core.commands.tasks import CREATE_TASK, EXECUTE, TASKS
from core.commands.welcome import HELP, START
from core.model.errors import BadAsk
from core.model.people import Role
from core.near import near

COMMANDS: tuple[Command[Any], ...] = (
    START,
    HELP,
    PROJECTS,
    CREATE_PROJECT,
    LINK,
    UNLINK,
    TASKS,
    CREATE_TASK,
    EXECUTE,
    AGENTS,
    STATUS,
    CANCEL,
    HISTORY,
    DIFF,
    PR,
    NEW,
    DIGEST,
    SETTINGS,
    SECRET,
    AUDIT,
    PEOPLE,
    PAIR,
    GRANT,
    REVOKE,
    APPROVE_CHAT,
    APPROVE,
    DENY,
    APPROVALS,
    BUDGET,
    MERGE,
    RESUME,
    DISCARD,
    ANSWER,
    FOLLOWUP,
    LEAVE,
    PUBLISH,
    GUARD,
    AGAIN,
    ALLOW,
    LET_IN,
    KEEP_OUT,
    REFUSE_CHAT,
)

_BY_WORD = {each.word: each for each in COMMANDS}


@dataclass(frozen=True, slots=True)
class Ask:
    """One use of a command; `given` is what its parser made of the words."""

    command: Command[Any]
    given: Any

    @property
    def need(self) -> Role:
        """The smallest role that may do this."""
        more = self.command.needs(self.given) if self.command.needs is not None else self.command.role
        return max(more, self.command.role)


def parse(text: str) -> Ask | None:
    """Pure. None: a plain message. BadAsk: a command, but not as it must be said.

    With a leading slash it is a command, or a mistake. Without one it is a command only if its first word is one and
    all the rest fits; “help me with the login” is a plain message.
    """
    first, *after = text.split(maxsplit=1) or [""]
    rest = after[0].strip() if after else ""
    word = first.removeprefix("/").lower().replace("-", "_")
    command = _BY_WORD.get(word)
    if first.startswith("/"):
        if command is None:
            shown = [each.word for each in COMMANDS if not each.hidden]
            hint = near(word, shown, before="/") or "/help lists what I understand."
            raise BadAsk(f"I know no command `/{word[:40]}`. {hint}")
        return Ask(command, command.parse(Line(rest)))
    if command is None or command.hidden:
        return None
    try:
        return Ask(command, command.parse(Line(rest, is_bare=True)))
    except BadAsk:
        return None


__all__ = ["COMMANDS", "About", "Ask", "Command", "Desk", "Line", "Reply", "Scene", "parse", "say"]
