"""What is decided about an event, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.commands import Ask
from core.model.chat import Said
from core.model.errors import BadAsk
from core.model.people import Role
from core.ports import StoredButton


class Decision(StrEnum):
    """HEAR: it is dispatched. TELL: `words` are said. INTRODUCE: an admin must approve this chat. DROP: nothing."""

    HEAR = "hear"
    TELL = "tell"
    INTRODUCE = "introduce"
    DROP = "drop"


class Why(StrEnum):
    ROLE = "the role is enough"
    CODE = "a code may be said by anybody in private"
    UNKNOWN_KIND = "no such kind of event is known"
    STRANGER = "nobody has let this person in"
    UNVOUCHED = "the platform does not say whether this is a guest"
    NO_ROLE_HERE = "what was granted does not count here"
    TOO_SMALL = "the role is too small"
    CHAT_UNKNOWN = "nobody has approved this chat"
    CHAT_WAITING = "this chat waits for an admin"
    CHAT_REFUSED = "an admin has refused this chat"
    NOT_FOR_US = "it is not meant for the bot"
    NOT_THEIRS = "only who said it may correct it"
    OUT_OF_DATE = "what was pressed is not there any more, or belongs to another chat"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`said` is what is dispatched: of a press, what the button says; of a Stop, /cancel.

    `role` counts for what is asked here, `everywhere` for the whole bot. `ask` is the command that was weighed, and
    so the one that is done; None with a `mistake`: it is no right command; None without: plain words, or none.
    """

    decision: Decision
    why: Why
    role: Role = Role.STRANGER
    everywhere: Role = Role.STRANGER
    words: str = ""
    said: Said | None = None
    ask: Ask | None = None
    mistake: BadAsk | None = None
    button: StoredButton | None = None
