"""What is committed together: everything that was asked for while the commit before was running."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from adapters.store.database import Transaction
from adapters.store.noting import keep_acts
from adapters.store.sealing import put
from adapters.store.tables.columns import clean, pack, to_micros
from adapters.store.tables.values import outgoing_of
from core.audit.acting import NOBODY
from core.model.audit import Actor
from core.model.chat import Button, ButtonToken, Post
from core.model.codec import to_json
from core.ports import Arrival, Outgoing, Redact

ROWS = 400
"""In one INSERT; SQLite takes 32,766 parameters, PostgreSQL 32,767."""
TOKEN_BYTES = 16

Job = Callable[[Transaction], Awaitable[Any]]
Row = tuple[object, ...]


@dataclass(eq=False)
class Ask:
    """One caller's part of a batch. It is told of the outcome once the commit is done."""

    arrivals: Sequence[Arrival] = ()
    cursor: tuple[str, str] | None = None
    posts: Sequence[Outgoing] = ()
    job: Job | None = None
    actor: Actor = NOBODY
    result: Any = None
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(self.result)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(eq=False)
class Batch:
    """`marks` and `settled` are nobody's: no caller waits for them, and they are tried until they are in."""

    asks: list[Ask] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)
    settled: list[Row] = field(default_factory=list)

    @property
    def has_notes(self) -> bool:
        return bool(self.marks or self.settled)

    @property
    def is_empty(self) -> bool:
        return not (self.asks or self.has_notes)

    def parts(self) -> list[Batch]:
        """Each ask alone, so that one that the database refuses does not spoil the others."""
        notes = [Batch(marks=self.marks, settled=self.settled)] if self.has_notes else []
        return notes + [Batch(asks=[ask]) for ask in self.asks]


@dataclass(eq=False)
class Doubts:
    """Keys whose commit failed in doubt: they may stand, although their caller was told that they do not.

    Whoever brings them again is told that they are new, else nobody would ever handle them.
    """

    arrivals: set[str] = field(default_factory=set)
    posts: set[str] = field(default_factory=set)

    def add(self, asks: Sequence[Ask]) -> None:
        for ask in asks:
            self.arrivals |= ask.result if ask.arrivals and ask.result else set()
            self.posts |= _keys(ask)

    def remove(self, asks: Sequence[Ask]) -> None:
        for ask in asks:
            self.arrivals -= ask.result if ask.arrivals else set()
            self.posts -= _keys(ask)


def _keys(ask: Ask) -> set[str]:
    """Of the posts that it was the first to put."""
    return {clean(each.key) for each in ask.result} if ask.posts and ask.result else set()


async def apply(batch: Batch, tx: Transaction, now: datetime, doubts: Doubts, redact: Redact = str) -> None:
    """Inserts first: a mark may be for a post of the same batch. Jobs see all of it."""
    await _accept(batch.asks, tx, now, doubts.arrivals)
    await _put(batch.asks, tx, now, doubts.posts)
    await tx.run_many(MARK, batch.marks)
    await tx.run_many(SETTLE, batch.settled)
    for ask in batch.asks:
        if ask.job is not None:
            tx.actor = ask.actor
            ask.result = await ask.job(tx)
    await keep_acts(tx, now, redact)


MARK = (
    "UPDATE posts SET state = ?, ref = COALESCE(?, ref), shown = COALESCE(?, shown), is_twice = is_twice OR ?"
    " WHERE key = ?"
)
SETTLE = "UPDATE inbox SET settled_at = ? WHERE key = ?"
_INBOX = "INSERT INTO inbox (key, platform, delivery, payload, tries, error, is_aside, came_at) VALUES "
_CURSOR = (
    "INSERT INTO cursors (platform, cursor) VALUES (?, ?) ON CONFLICT (platform) DO UPDATE SET cursor = excluded.cursor"
)
_POSTS = "INSERT INTO posts (key, thread, post, priority, state, version, shown, is_twice, ref, opens, put_at) VALUES "
BUTTON = "INSERT INTO buttons (token, post, says, thread) VALUES (?, ?, ?, ?)"


async def _accept(asks: list[Ask], tx: Transaction, now: datetime, doubtful: set[str]) -> None:
    came_at = to_micros(now)
    rows: list[Row] = [
        (clean(each.key), each.delivery.platform, clean(each.delivery.id), each.delivery.raw, 0, "", False, came_at)
        for ask in asks
        for each in ask.arrivals
    ]
    fresh = set(await _insert(_INBOX, rows, tx)) | doubtful
    for ask in asks:
        if ask.arrivals:
            ask.result = _claim([each.key for each in ask.arrivals], fresh)
            for each in ask.arrivals:
                if each.sealed is not None and each.key in ask.result:
                    await put(tx, each.sealed)
    cursors = dict(ask.cursor for ask in asks if ask.cursor)
    await tx.run_many(_CURSOR, list(cursors.items()))


async def _put(asks: list[Ask], tx: Transaction, now: datetime, doubtful: set[str]) -> None:
    put_at = to_micros(now)
    inserted = await _insert(_POSTS, [_post_row(each, put_at) for ask in asks for each in ask.posts], tx)
    left = set(doubtful)
    buttons: list[Row] = []
    for ask in asks:
        put: list[Outgoing] = []
        for each in ask.posts:
            key = clean(each.key)
            if key in inserted:
                put.append(replace(each, seq=inserted.pop(key)))
                buttons += button_rows(each)
            elif key in left:
                put.append(await _standing(each, tx))
            left.discard(key)
        if ask.posts:
            ask.result = put
    await tx.run_many(BUTTON, buttons)


async def _standing(each: Outgoing, tx: Transaction) -> Outgoing:
    """What was put under this key when the commit was in doubt: its buttons have the tokens of then."""
    rows = await tx.run("SELECT * FROM posts WHERE key = ?", clean(each.key))
    return outgoing_of(rows[0])


async def _insert(into: str, rows: list[Row], tx: Transaction) -> dict[str, int]:
    """The keys that were not known before, each with its `seq`. The first column is the key."""
    fresh: dict[str, int] = {}
    marks = f"({', '.join('?' * len(rows[0]))})" if rows else ""
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS]
        sql = f"{into}{', '.join([marks] * len(some))} ON CONFLICT (key) DO NOTHING RETURNING key, seq"
        fresh |= {row["key"]: row["seq"] for row in await tx.run(sql, *(value for row in some for value in row))}
    return fresh


def _claim(keys: Sequence[str], fresh: set[str]) -> set[str]:
    """What this caller may call new; who asks next for the same may not."""
    mine = {key for key in keys if clean(key) in fresh}
    fresh -= {clean(key) for key in mine}
    return mine


def _post_row(each: Outgoing, put_at: int) -> Row:
    return (
        clean(each.key),
        clean(str(each.thread)),
        pack(to_json(each.post)),
        int(each.priority),
        each.state.value,
        each.version,
        each.shown,
        each.is_twice,
        pack(to_json(each.ref)),
        pack(each.opens),
        put_at,
    )


def button_rows(each: Outgoing) -> list[Row]:
    return [
        (button.token, clean(each.key), clean(button.says), clean(str(each.thread)))
        for row in each.post.buttons
        for button in row
        if not button.url
    ]


def arm(post: Post, kept: dict[str, list[ButtonToken]] | None = None) -> Post:
    """Every button that is a press has a token: one that was `kept` for the same words, else a new one."""
    left = {says: list(tokens) for says, tokens in (kept or {}).items()}
    return replace(post, buttons=tuple(tuple(_armed(button, left) for button in row) for row in post.buttons))


def _armed(button: Button, left: dict[str, list[ButtonToken]]) -> Button:
    if button.url:
        return button
    same = left.get(button.says)
    if same:
        return replace(button, token=same.pop(0))
    return button if button.token else replace(button, token=ButtonToken(secrets.token_urlsafe(TOKEN_BYTES)))


def arm_all(posts: Sequence[Outgoing]) -> list[Outgoing]:
    return [replace(each, post=arm(each.post)) if each.post.buttons else each for each in posts]
