"""One tree of errors. The text of a BotError is what the person in the chat reads.

Each says what happened, that the work is safe where that is so, and the one next step.
"""

from __future__ import annotations

from datetime import datetime


class BotError(Exception):
    """Expected. `str(error)` is shown as it is."""


class BadAsk(BotError):
    """What was asked cannot be done as it was said."""


class NotAllowed(BotError):
    """This person may not do this here."""


class NotFound(BotError):
    """There is no such project, task, run or agent."""


class Conflict(BotError):
    """Something else stands in the way just now."""


class ConfigError(BotError):
    """The configuration is wrong; the text lists every mistake."""


class SecretsLocked(BotError):
    """Secrets cannot be opened or kept: the key is missing, wrong, or lies open to others. Nothing is lost."""


class ChatError(BotError):
    """The platform refused. `is_final`: the same post will be refused again."""

    def __init__(self, text: str, *, is_final: bool = True) -> None:
        super().__init__(text)
        self.is_final = is_final


class ChatBusy(ChatError):
    """The platform asks to wait; nothing was sent. No call to this chat before `seconds` have passed."""

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text, is_final=False)
        self.seconds = seconds


class SendFailed(ChatError):
    """It was surely not sent (refused connection, DNS, 5xx with an answer): try again later."""

    def __init__(self, text: str) -> None:
        super().__init__(text, is_final=False)


class SendUnknown(ChatError):
    """The reply was lost: it may or may not have been sent."""

    def __init__(self, text: str) -> None:
        super().__init__(text, is_final=False)


class FileRefused(ChatError):
    """The platform does not take this file; words it may still take."""


class PostGone(ChatError):
    """The post to edit no longer exists."""


class NotSupported(BotError):
    """The platform cannot do this."""


class Unavailable(BotError):
    """An outside service is not asked just now, because it does not answer. `seconds`: until it is tried again."""

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


class AgentError(BotError):
    """The agent could not finish its turn."""


class AgentUnready(AgentError):
    """The agent is not usable; the text says what is missing."""


class AgentLimit(AgentError):
    """A limit on steps, seconds or tokens, or a usage cap of which nobody knows when it resets, ended the turn."""


class AgentCapped(AgentLimit):
    """The provider's usage cap is reached; `resets_at` (aware) says until when. The turn can be taken again then."""

    def __init__(self, text: str, resets_at: datetime) -> None:
        super().__init__(text)
        self.resets_at = resets_at


class OverBudget(AgentLimit):
    """A budget is used up, so the model is not asked."""


class CutTooOften(BotError):
    """Restarts cut one step of a run again and again, so it is not begun once more by itself."""


class SandboxError(BotError):
    """The sandbox does not work here, and nothing runs without it."""


class WorkspaceError(BotError):
    """git, the repository or the disk refused. The text names the cause and the next step."""


class WorkspaceMoved(WorkspaceError):
    """Other files are there than were looked at."""


class ForgeError(BotError):
    """The forge refused: authentication, not found, permission, or it is down."""


class StoreBusy(BotError):
    """Another process uses the same database."""


class StoreError(BotError):
    """The database cannot take what must be kept: nothing is acknowledged until it can."""
