"""Telling the owners: each alert goes to everyone who owns the bot and can be written to, in private, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from core.alerts import OTHERS, Alert, Alerts
from core.authority import Listed
from core.model.chat import Post, PostKey, ThreadRef
from core.model.errors import ChatError, StoreError
from core.ports import ChatPlatform, Clock, People, Reaching
from core.posts import Posts

log = structlog.get_logger()

AGAIN_SECONDS = 10.0
"""Between looks at what waits for its hour, or for a database or a platform that does not answer."""

MOST_KEPT = 100
"""Alerts that could not be told yet; of more the newest are kept. All of them are in the log."""


class Owners:
    """`work` must run for anything to be told. What is told is in the outbox, and so survives a restart."""

    def __init__(
        self,
        alerts: Alerts,
        posts: Posts,
        people: People,
        platforms: Mapping[str, ChatPlatform],
        owners: Sequence[Listed],
        clock: Clock,
    ) -> None:
        self._alerts, self._posts, self._store, self._clock = alerts, posts, people, clock
        self._platforms, self._owners = platforms, owners
        self._untold: list[tuple[str, Alert]] = []
        """Each with the hour that names its post."""

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await self._alerts.until_raised()
            while await self.tell():
                await self._clock.sleep(AGAIN_SECONDS)

    async def tell(self) -> bool:
        """All that is due. True: something waits for later."""
        hour = f"{self._clock.now():%Y%m%d%H}"
        waiting = [*self._untold, *((hour, alert) for alert in self._alerts.due())]
        self._untold = [each for each in waiting if not await self._tell(*each)][-MOST_KEPT:]
        return bool(self._untold) or self._alerts.has_waiting

    async def _tell(self, hour: str, alert: Alert) -> bool:
        """False: somebody could not be told; who was told is not told twice."""
        is_done = True
        try:
            for platform, person in await self._people():
                is_done &= await self._write(platform, person, hour, alert)
        except StoreError as error:
            log.info("alert.untold", kind=alert.kind.value, reason=str(error))
            return False
        except Exception:  # a boundary: the next alert must not suffer
            log.exception("alert.failed", kind=alert.kind.value)
        return is_done

    async def _write(self, platform: str, person: str, hour: str, alert: Alert) -> bool:
        thread = await self._thread(platform, person)
        if isinstance(thread, ThreadRef):
            key = PostKey(f"alert:{alert.kind.value}:{alert.subject}:{hour}:{platform}:{person}")
            await self._posts.say(key, thread, Post(_words(alert)))
        return thread is not None

    async def _thread(self, platform: str, person: str) -> ThreadRef | bool | None:
        """None: not now; False: never."""
        reaching: object = self._platforms[platform]
        assert isinstance(reaching, Reaching)
        try:
            return await reaching.direct(person)
        except ChatError as error:
            log.info("alert.unreachable", platform=platform, person=person, reason=str(error))
            return False if error.is_final else None

    async def _people(self) -> list[tuple[str, str]]:
        """Platform and id of every owner who can be written to, once each."""
        paired = [Listed(each.platform, each.tenant, each.id) for each in await self._store.owners()]
        found = dict.fromkeys((each.platform, each.id) for each in (*self._owners, *paired) if self._is_here(each))
        return list(found)

    def _is_here(self, owner: Listed) -> bool:
        platform = self._platforms.get(owner.platform)
        if platform is None or not isinstance(_as_object(platform), Reaching):
            return False
        return owner.tenant in {"", platform.tenant}


def _as_object(platform: ChatPlatform) -> object:
    return platform


def _words(alert: Alert) -> str:
    since = f"{alert.since:%H:%M} UTC"
    if alert.subject == OTHERS:
        return f"🔔 {alert.words}\n\n({alert.count} like this since {since}; the log has each.)"
    return f"🔔 {alert.words}" + (f"\n\n({alert.count} times since {since}.)" if alert.count > 1 else "")
