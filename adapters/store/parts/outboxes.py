"""The outbox: what the bot says, what the platform shows of it, and what a button on it stands for."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.store.batch import BUTTON, arm, button_rows
from adapters.store.database import Transaction
from adapters.store.parts.part import Part
from adapters.store.tables import models
from adapters.store.tables.columns import clean, pack
from adapters.store.tables.values import outgoing_of
from core.model.chat import ButtonToken, Post, PostKey, PostRef, ThreadRef
from core.model.codec import to_json
from core.ports import Outgoing, SendState, StoredButton

_WANT = "UPDATE posts SET post = ?, version = version + 1 WHERE key = ? RETURNING *"
_OPENED = "UPDATE posts SET opens = '' WHERE key = ?"
_UNSENT = (
    "SELECT * FROM posts WHERE state IN ('new', 'sending', 'unknown')"
    " OR (state = 'sent' AND (shown < version OR opens <> '')) ORDER BY seq"
)


class OutboxPart(Part):
    async def put_posts(self, posts: Sequence[Outgoing]) -> list[Outgoing]:
        """Returns after the commit. The stored post has a token on every button that is a press."""
        return await self._writer.put(posts)

    async def want(self, key: PostKey, post: Post) -> Outgoing | None:
        """A button that says the same as before keeps its token, so that a press on its way still counts."""
        return await self._writer.write(lambda tx: _want(tx, clean(key), post))

    async def mark(
        self,
        key: PostKey,
        state: SendState,
        *,
        ref: PostRef | None = None,
        shown: int | None = None,
        is_twice: bool = False,
    ) -> None:
        """SENDING is committed on return. The others are queued, and are lost only in a crash.

        The post is then found as `sending` after the restart, which is what it was.
        """
        self._writer.mark((state.value, None if ref is None else pack(to_json(ref)), shown, is_twice, clean(key)))
        if state is SendState.SENDING:
            await self._writer.flush()

    async def opened(self, key: PostKey) -> None:
        async def job(tx: Transaction) -> None:
            await tx.run(_OPENED, clean(key))

        await self._writer.write(job)

    async def outgoing(self, key: PostKey) -> Outgoing | None:
        async def job(tx: Transaction) -> Outgoing | None:
            return await _outgoing(tx, clean(key))

        return await self._writer.write(job)

    async def unsent(self) -> list[Outgoing]:
        async def job(tx: Transaction) -> list[Outgoing]:
            return [outgoing_of(row) for row in await tx.run(_UNSENT)]

        return await self._writer.write(job)

    async def button(self, token: ButtonToken) -> StoredButton | None:
        row = await self._first(models.ButtonRow.filter(token=token))
        return StoredButton(row.says, PostKey(row.post), ThreadRef.parse(row.thread)) if row else None


async def _want(tx: Transaction, key: str, post: Post) -> Outgoing | None:
    kept: dict[str, list[ButtonToken]] = {}
    for button in await tx.run("SELECT token, says FROM buttons WHERE post = ?", key):
        kept.setdefault(button["says"], []).append(ButtonToken(button["token"]))
    rows = await tx.run(_WANT, pack(to_json(arm(post, kept))), key)
    if not rows:
        return None
    wanted = outgoing_of(rows[0])
    await tx.run("DELETE FROM buttons WHERE post = ?", key)
    await tx.run_many(BUTTON, button_rows(wanted))
    return wanted


async def _outgoing(tx: Transaction, key: str) -> Outgoing | None:
    rows = await tx.run("SELECT * FROM posts WHERE key = ?", key)
    return outgoing_of(rows[0]) if rows else None
