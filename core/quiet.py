"""Quiet hours: when the posts of a chat make no sound."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from core.model.chat import ChatRef
from core.ports import Chats, Clock


class QuietHours:
    """Called with a chat: whether it is within its quiet hours now. `zone` counts for chats that chose none."""

    def __init__(self, chats: Chats, clock: Clock, zone: str = "UTC") -> None:
        self._chats, self._clock, self._zone = chats, clock, zone

    async def __call__(self, room: ChatRef) -> bool:
        settings = await self._chats.settings(room)
        if not settings.quiet:
            return False
        now = self._clock.now().astimezone(ZoneInfo(settings.zone or self._zone)).strftime("%H:%M")
        begin, _, end = settings.quiet.partition("-")
        return begin <= now < end if begin <= end else now >= begin or now < end
