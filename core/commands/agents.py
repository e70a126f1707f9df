"""/agents: who can do the work, and what each of them lacks."""

from __future__ import annotations

import asyncio

from core.commands.base import Command, Desk, Reply, Scene, say
from core.commands.welcome import parse_nothing
from core.model.errors import BotError
from core.model.people import Role


async def agents(_ask: str, scene: Scene, desk: Desk) -> Reply:
    if not desk.agents:
        return say("No agent is configured. Add one under `agents:`; `config.example.yaml` shows each kind.")
    ready = await asyncio.gather(*(each.ready() for each in desk.agents.values()))
    linked = scene.link.agent if scene.link else ""
    try:
        chosen = await desk.runs.agent_for(linked, scene.settings.agent)
    except BotError:
        chosen = ""
    lines = []
    for name, state in zip(desk.agents, ready, strict=True):
        mark = "✓" if state.is_usable else "✗"
        missing = "" if state.is_usable else f" — not usable: {state.missing}"
        here = " · *used here*" if name == chosen else ""
        lines.append(f"- {mark} `{name}` {state.about}{missing}{here}")
    return say("\n".join(["**Agents**", "", *lines, "", "`/execute DEMO-1 <agent>` or `/link KEY <agent>` chooses."]))


AGENTS = Command(
    "agents",
    "/agents",
    "List the agents, and whether they are usable",
    parse_nothing,
    agents,
    role=Role.VIEWER,
    is_general=True,
)
