"""Who acts just now, for what the Store notes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from core.model.audit import Actor
from core.model.chat import ChatEvent

NOBODY = Actor()
_ACTOR: ContextVar[Actor] = ContextVar("actor", default=NOBODY)


@contextmanager
def acting(event: ChatEvent) -> Iterator[None]:
    """Around the handling of what somebody said, pressed or stopped."""
    token = _ACTOR.set(Actor(str(event.person), str(event.thread.room), str(event.cause)))
    try:
        yield
    finally:
        _ACTOR.reset(token)


def actor() -> Actor:
    return _ACTOR.get()
