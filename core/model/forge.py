"""What a forge has to tell."""

from __future__ import annotations

from dataclasses import dataclass

from core.model.chat import Cause
from core.model.work import RepoRef


@dataclass(frozen=True, slots=True)
class PullNews:
    """Something became of a pull request. It says where to look, never what is so: a webhook may be late, or replayed.

    `actor` is the login of who did it, for showing.
    """

    cause: Cause
    repo: RepoRef
    number: int
    actor: str = ""

    @property
    def lane(self) -> str:
        """News of one pull request is heard in order."""
        return f"{self.repo.forge}:{self.repo.path.lower()}#{self.number}"
