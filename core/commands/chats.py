"""/approve_chat and /refuse_chat: a chat that the bot was added to waits until an admin has said so."""

from __future__ import annotations

import structlog

from core.commands.base import WHOLE_BOT, Command, Desk, Reply, Scene, say
from core.commands.welcome import parse_nothing
from core.model.chat import Button, Post, Style
from core.model.people import HeardChat, Role, Standing

log = structlog.get_logger()

INTRODUCTION = Post(
    "👋 I don't know this chat yet, so I do nothing here until an admin of mine says `/approve_chat`.",
    ((Button("Approve", "/approve_chat", Style.PRIMARY), Button("Refuse", "/refuse_chat")),),
)


async def approve(_ask: str, scene: Scene, desk: Desk) -> Reply:
    if scene.is_direct:
        return say("A direct chat needs no approval; say it in the group or channel.")
    await _put(Standing.APPROVED, scene, desk)
    return say("👋 This chat is approved. `/link KEY` says which project it is about; /help lists what I understand.")


async def refuse(_ask: str, scene: Scene, desk: Desk) -> Reply:
    if scene.is_direct:
        return say("A direct chat needs no approval; say it in the group or channel.")
    await _put(Standing.REFUSED, scene, desk)
    return say("I do nothing in this chat. An admin can still say `/approve_chat`.")


async def _put(standing: Standing, scene: Scene, desk: Desk) -> None:
    known = await desk.store.chat(scene.thread.room)
    title = scene.chat_title or (known.title if known else "")
    await desk.store.put_chat(HeardChat(scene.thread.room, standing, title, str(scene.person), desk.clock.now()))
    log.info("chat.decided", chat=str(scene.thread.room), standing=standing.value, by=str(scene.person))


APPROVE_CHAT = Command(
    "approve_chat",
    "/approve_chat",
    "Let me work in this group or channel",
    parse_nothing,
    approve,
    role=Role.ADMIN,
    about=lambda _: WHOLE_BOT,
    approves=True,
)
REFUSE_CHAT = Command(
    "refuse_chat",
    "/refuse_chat",
    "Have me do nothing in this group or channel",
    parse_nothing,
    refuse,
    role=Role.ADMIN,
    about=lambda _: WHOLE_BOT,
    approves=True,
    hidden=True,
)
