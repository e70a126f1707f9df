"""/audit: what was done from this chat, for admins, in private."""

from __future__ import annotations

from core.commands.base import Command, Desk, Reply, Scene, say
from core.commands.welcome import parse_nothing
from core.model.audit import Entry
from core.model.people import Role
from core.runs.progress import fit_for_code

SHOWN = 20


async def audit(_ask: str, scene: Scene, desk: Desk) -> Reply:
    entries = await desk.store.audit_of(scene.thread.room, SHOWN)
    if not entries:
        return say("Nothing was done from this chat yet.", is_private=True)
    lines = "\n".join(map(_line, entries))
    head = "**The last acts from this chat**, newest first (`patchbay audit export` has all)"
    return say(f"{head}\n\n```\n{lines}\n```", is_private=True)


def _line(entry: Entry) -> str:
    act = entry.act
    words = f"{entry.seq} {entry.at:%Y-%m-%d %H:%M:%S} {act.actor.who} {act.what} {act.target} {act.result}"
    return fit_for_code(words.strip())


AUDIT = Command("audit", "/audit", "What was done from this chat, and by whom", parse_nothing, audit, role=Role.ADMIN)
