"""Who may do what: the roles there are."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """What a person may do; the greater may do what the smaller may.

    Viewers look; reviewers approve, deny and comment; developers make tasks, run agents and stop what they asked for;
    admins link, make projects, change settings, stop anything, let people in up to developer and approve chats;
    owners do everything.
    """

    STRANGER = 0
    VIEWER = 1
    REVIEWER = 2
    DEVELOPER = 3
    ADMIN = 4
    OWNER = 5
