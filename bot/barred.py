"""An agent on a machine where no sandbox works: it is listed, and it does nothing."""

from __future__ import annotations

from dataclasses import replace

from core.model.errors import AgentUnready
from core.model.events import Readiness, TurnAsk, TurnResult
from core.ports import Agent, Approve, Note


class BarredAgent:
    """Says of the agent it stands for what is missing: the sandbox."""

    def __init__(self, agent: Agent, reason: str) -> None:
        self._agent, self._reason = agent, reason

    @property
    def name(self) -> str:
        return self._agent.name

    @property
    def can_repeat(self) -> bool:
        return self._agent.can_repeat

    async def ready(self) -> Readiness:
        try:
            about = await self._agent.ready()
        except Exception:  # noqa: BLE001 - what is missing is known already, whatever else is
            about = Readiness(self.name, is_usable=False)
        return replace(about, is_usable=False, missing=self._reason, may_try=False)

    async def take_turn(self, turn: TurnAsk, note: Note, approve: Approve) -> TurnResult:  # noqa: ARG002 - the port's words
        raise AgentUnready(self._reason)
