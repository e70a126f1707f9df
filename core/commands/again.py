"""/again: what the button of a post says that may have been lost: here it is once more, because a person wants it."""

from __future__ import annotations

from dataclasses import replace

from core.commands.base import Command, Desk, Line, Reply, Scene
from core.model.chat import ButtonToken, PostKey
from core.model.errors import BadAsk, NotFound
from core.model.people import Role


def parse(line: Line) -> PostKey:
    if len(line.words) != 1:
        raise BadAsk("Say it with the name of a post; the button does.")
    return PostKey(line.words[0])


async def again(key: PostKey, scene: Scene, desk: Desk) -> Reply:
    """Buttons get tokens of their own: both copies can be pressed."""
    row = await desk.store.outgoing(key)
    if row is None or row.thread.room != scene.thread.room:
        raise NotFound("That is too long ago: I no longer have it. /history lists the last runs.")
    rows = tuple(tuple(replace(each, token=ButtonToken("")) for each in buttons) for buttons in row.post.buttons)
    return Reply(replace(row.post, buttons=rows))


AGAIN = Command(
    "again", "/again POST", "Say once more what may have been lost", parse, again, hidden=True, role=Role.VIEWER
)
