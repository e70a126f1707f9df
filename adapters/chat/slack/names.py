"""How people are called: Slack's messages carry ids only. https://docs.slack.dev/reference/methods/users.info"""

from __future__ import annotations

import asyncio

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from adapters.chat.slack.web import OUTSIDE, error_name

log = structlog.get_logger()

NAME_SECONDS = 3.0
KEPT = 2_000


class Names:
    """Asked once for each person; a question that failed is asked again the next time."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._known: dict[str, str] = {}

    async def of(self, user: str) -> str:
        """Empty: not to be found out now."""
        if user not in self._known:
            name = await self._ask(user)
            if not name:
                return ""
            self._known[user] = name
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return self._known[user]

    async def _ask(self, user: str) -> str:
        try:
            async with asyncio.timeout(NAME_SECONDS):
                found = (await self._client.users_info(user=user)).get("user")
        except OUTSIDE as error:
            log.debug("slack.no_name", error=error_name(error) or type(error).__name__)
            return ""
        known = found if isinstance(found, dict) else {}
        profile = known.get("profile")
        names = (profile.get("display_name") if isinstance(profile, dict) else "", known.get("real_name"))
        return next((name for name in names if isinstance(name, str) and name), "")
