"""Links and settings of chats."""

from __future__ import annotations

from adapters.store.database import Transaction
from adapters.store.parts.part import Part, upsert
from adapters.store.tables import models
from adapters.store.tables.columns import pack
from core.model.chat import ChatRef, ThreadRef
from core.model.codec import to_json
from core.model.work import ChatSettings, Link


class ChatPart(Part):
    async def link(self, thread: ThreadRef) -> Link | None:
        own = self._known.links.get(thread)
        return own or self._known.links.get(ThreadRef(thread.platform, thread.tenant, thread.chat))

    async def links(self, room: ChatRef) -> list[Link]:
        """The chat's own first, then its threads."""
        found = [link for link in self._known.links.values() if link.thread.room == room]
        return sorted(found, key=lambda link: link.thread.root)

    async def put_link(self, link: Link) -> None:
        async def job(tx: Transaction) -> None:
            row = {"project": link.project, "agent": link.agent}
            tx.note("link.put", str(link.thread), link.project)
            await upsert(tx, models.LinkRow, row, thread=str(link.thread))
            tx.after.append(lambda: self._known.links.update({link.thread: link}))

        await self._writer.write(job)

    async def drop_link(self, thread: ThreadRef) -> bool:
        async def job(tx: Transaction) -> bool:
            tx.after.append(lambda: self._known.links.pop(thread, None))
            tx.note("link.drop", str(thread))
            return bool(await models.LinkRow.filter(thread=str(thread)).using_db(tx.db).delete())

        return await self._writer.write(job)

    async def settings(self, room: ChatRef) -> ChatSettings:
        return self._known.settings.get(room) or ChatSettings(room)

    async def put_settings(self, settings: ChatSettings) -> None:
        async def job(tx: Transaction) -> None:
            row = {"settings": pack(to_json(settings))}
            tx.note("settings.put", str(settings.chat), row["settings"])
            await upsert(tx, models.SettingsRow, row, chat=str(settings.chat))
            tx.after.append(lambda: self._known.settings.update({settings.chat: settings}))

        await self._writer.write(job)
