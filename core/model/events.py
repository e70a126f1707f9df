"""What an agent is asked, what it says while it works, and how a turn ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from core.model.spend import Door
from core.model.work import Checkout, RunId, Usage


@dataclass(frozen=True, slots=True)
class TurnAsk:
    """One prompt to an agent. `session` is what an earlier turn of the same work returned, or empty.

    `is_retry`: an attempt of this very turn was cut before; go on in the session rather than repeat.
    `words`: what the person typed after the agent's name, for recipes; each becomes one argument.
    `seconds`: the most that the turn may take. `door`: how it reaches its models; None: it has none, or its own.
    """

    run: RunId
    prompt: str
    checkout: Checkout
    session: str = ""
    model: str = ""
    language: str = ""
    is_retry: bool = False
    words: tuple[str, ...] = ()
    seconds: float = 3600.0
    door: Door | None = None


@dataclass(frozen=True, slots=True)
class TextSaid:
    """A piece of the answer as it streams."""

    text: str


@dataclass(frozen=True, slots=True)
class ActionBegan:
    """`id` pairs it with its end; `title` is one line, `pytest -q` or `edit src/app.py`."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """`exit_code` where a process ended; `ok` is what the agent makes of it."""

    id: str
    ok: bool
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class PlanShown:
    """The agent's own list: (words, done)."""

    entries: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class SessionNamed:
    """The agent's name for its memory, as soon as it is known, so that a turn that is cut can go on."""

    session: str


@dataclass(frozen=True, slots=True)
class UsageSeen:
    """The total of this turn until now."""

    usage: Usage


AgentEvent = TextSaid | ActionBegan | ActionEnded | PlanShown | SessionNamed | UsageSeen


class TurnEnd(StrEnum):
    DONE = "done"
    ASKED = "asked"
    """The agent asked a question; the answer is the next turn."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """How a turn ended when it was not an error. `answer` is Markdown for the thread.

    `question` and `options` go with ASKED. `subject` is a commit subject the agent proposes, or empty.
    """

    answer: str
    end: TurnEnd = TurnEnd.DONE
    session: str = ""
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    question: str = ""
    options: tuple[str, ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What /agents shows: what it is in a few words, whether it can be used, and if not, what is missing.

    `may_try`: what is missing is not certain, so who asks for it by name gets it tried.
    """

    about: str
    is_usable: bool
    missing: str = ""
    may_try: bool = False
