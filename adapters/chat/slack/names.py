"""Who people are: Slack's messages carry ids only. https://docs.slack.dev/reference/methods/users.info

How they are called, and whether they are guests or of another workspace, which decides what they may do. So what was
found out counts for ten minutes only, and for an hour while Slack cannot be asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from adapters.chat.slack.web import OUTSIDE, error_name
from core.model.chat import Author
from core.model.people import Profile

log = structlog.get_logger()

NAME_SECONDS = 3.0
FRESH_SECONDS = 600.0
STALE_SECONDS = 3_600.0
KEPT = 2_000

NOBODY = {"user_not_found", "users_not_found", "user_not_visible"}


class Names:
    """`team`: our own workspace."""

    def __init__(self, client: AsyncWebClient, team: str, now: Callable[[], float] = monotonic) -> None:
        self._client, self._team, self._now = client, team, now
        self._known: dict[str, tuple[float, Profile]] = {}

    async def of(self, user: str) -> str:
        """Empty: not to be found out now."""
        profile = await self.profile(user)
        return profile.name if profile else ""

    async def profile(self, user: str) -> Profile | None:
        """None: not to be found out now, or there is no such person."""
        asked, known = self._known.get(user, (0.0, None))
        if known is not None and self._now() - asked < FRESH_SECONDS:
            return known
        try:
            async with asyncio.timeout(NAME_SECONDS):
                answer = (await self._client.users_info(user=user)).get("user")
        except OUTSIDE as error:
            return self._unanswered(user, error_name(error) or type(error).__name__)
        self._known.pop(user, None)
        profile = _profile(answer, self._team) if isinstance(answer, dict) else None
        if profile is not None:
            self._known[user] = (self._now(), profile)
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return profile

    def _unanswered(self, user: str, error: str) -> Profile | None:
        log.debug("slack.no_name", error=error)
        asked, known = self._known.get(user, (0.0, None))
        if error in NOBODY or self._now() - asked >= STALE_SECONDS:
            self._known.pop(user, None)
            return None
        return known


def _profile(user: Mapping[str, Any], team: str) -> Profile | None:
    """A bot is nobody, and so is who was deactivated."""
    if user.get("is_bot") is True or user.get("deleted") is True:
        return None
    shown = user.get("profile")
    names = (shown.get("display_name") if isinstance(shown, dict) else "", user.get("real_name"))
    home = user.get("team_id")
    tenant = home if isinstance(home, str) and home else team
    name = next((name for name in names if isinstance(name, str) and name), "")
    if user.get("is_stranger") is True or (tenant != team and team not in _teams(user)):
        return Profile(Author.EXTERNAL, tenant, name)
    is_guest = user.get("is_restricted") is True or user.get("is_ultra_restricted") is True
    return Profile(Author.GUEST if is_guest else Author.PERSON, team, name)


def _teams(user: Mapping[str, Any]) -> list[object]:
    """In Enterprise Grid one person belongs to several workspaces."""
    enterprise = user.get("enterprise_user")
    teams = enterprise.get("teams") if isinstance(enterprise, dict) else None
    return teams if isinstance(teams, list) else []
