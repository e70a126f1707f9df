"""What is done with each class: asked, allowed, or kept back whatever anybody says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.guard.rules import GuardClass


class GuardAction(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    EXPRESSLY = "expressly"
    """Asked, and no button publishes it: only who types it out."""
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """`actions` where they are not the usual ones. `extra`: further words, as in the table of rules.

    `second`: who asked for the run may not answer for it.
    """

    actions: Mapping[GuardClass, GuardAction] = field(default_factory=dict)
    binary_bytes: int = 1_000_000
    big_bytes: int = 5_000_000
    extra: tuple[str, ...] = ()
    second: bool = False

    def action(self, guarded: GuardClass) -> GuardAction:
        usual = GuardAction.EXPRESSLY if guarded is GuardClass.SECRETS else GuardAction.ASK
        return self.actions.get(guarded, usual)


OFF = GuardPolicy(dict.fromkeys(GuardClass, GuardAction.ALLOW))
"""Everything is published."""
