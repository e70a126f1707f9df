"""/digest: the summary of a chat, now or on a schedule."""

from __future__ import annotations

from dataclasses import replace

from core.commands.base import Command, Desk, Line, Reply, Scene, say
from core.digests import HOW, describe, parse_when
from core.model.chat import Button
from core.model.errors import BadAsk
from core.model.people import Role


def parse(line: Line) -> tuple[str, ...]:
    words = line.words
    if words and words[0].lower() not in {"now", "off"}:
        parse_when(words, "UTC")
    elif len(words) > 1:
        raise BadAsk(HOW)
    return words


async def digest(words: tuple[str, ...], scene: Scene, desk: Desk) -> Reply:
    zone = scene.settings.zone or desk.zone
    if not words:
        return await _shown(scene, desk)
    if words[0].lower() == "now":
        return say(await desk.digests.compose(scene.thread.room, zone))
    if words[0].lower() == "off":
        dropped = await desk.store.drop_digest(scene.thread.room)
        return say("No more digests here." if dropped else "There was no digest planned here.")
    place = scene.thread if scene.in_thread else replace(scene.thread, root="")
    plan = await desk.digests.plan(place, words, zone)
    return say(
        f"📋 The digest comes at {describe(plan)}.", (Button("Now", "/digest now"), Button("Off", "/digest off"))
    )


async def _shown(scene: Scene, desk: Desk) -> Reply:
    plan = await desk.store.digest(scene.thread.room)
    if plan is None:
        return say(f"No digest is planned here. {HOW}", (Button("Now", "/digest now"),))
    return say(
        f"📋 The digest comes at {describe(plan)}.", (Button("Now", "/digest now"), Button("Off", "/digest off"))
    )


def _need(words: tuple[str, ...]) -> Role:
    """Planning it is a setting of the chat."""
    return Role.VIEWER if not words or words[0].lower() == "now" else Role.ADMIN


DIGEST = Command(
    "digest",
    "/digest now|<when>|off",
    "Summarise this chat, now or on schedule",
    parse,
    digest,
    role=Role.VIEWER,
    needs=_need,
)
