"""The flow of a run: prepare, then turn after turn (agent, publish, answer) until nothing more was said.

What each step does is in `core.runs.steps`; here is only their order. A changed order is a new version.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import structlog

from core.alerts import AlertKind, Alerts
from core.model.codec import Json
from core.model.errors import BotError
from core.model.work import Checkout, RunId, Usage
from core.ports import Flow
from core.runs.outcome import AGAIN_KINDS, WAITING_KINDS, Outcome, OutcomeKind, Published, WordKind
from core.runs.steps import RunSteps

log = structlog.get_logger()

RUN_FLOW = "run.v1"
WORD = "word"
"""The topic under which a waiting run hears that something was said, pressed or stopped."""
MOST_CAPS = 5
"""How often one turn waits for the reset of a usage cap."""


class RunFlow:
    """`run.v1`: arguments `{"run": id}`, result none. It always ends the run, whatever happens."""

    def __init__(self, steps: RunSteps, alerts: Alerts | None = None) -> None:
        self._steps, self._alerts = steps, alerts or Alerts(steps.clock)

    async def __call__(self, flow: Flow, args: Json) -> Json:
        run = RunId(str(cast("dict[str, Json]", args)["run"]))
        try:
            await self._go(flow, run)
        except BotError as error:
            await flow.step("fail", bool, self._steps.fail, run, str(error))
        except Exception:  # a boundary: a run that is never over would hold its thread for ever
            log.exception("run.broken", run=run)
            words = (
                f"A fault of the bot's own ended the run `{run[:8]}`; what it had done is safe, the log has the trace."
            )
            self._alerts.raise_(AlertKind.RUN_BROKEN, words, run)
            await flow.step("break", bool, self._steps.fail, run, _broken(run))
        return None

    async def _go(self, flow: Flow, run: RunId) -> None:
        checkout = await flow.step("prepare", Checkout, self._steps.prepare, run)
        number, caps, again, missed, is_over = 0, 0, False, False, False
        spent = Usage()
        while not is_over:
            number += 1
            outcome = await flow.step(f"turn-{number}", Outcome, self._steps.turn, run, checkout, again, number)
            again = False
            outcome = replace(outcome, usage=spent + outcome.usage)
            caps = caps + 1 if outcome.kind is OutcomeKind.CAPPED else 0
            if caps > MOST_CAPS:
                outcome = self._steps.worn_out(outcome, MOST_CAPS)
                caps = 0
            spent = outcome.usage if outcome.kind in AGAIN_KINDS else Usage()
            if outcome.kind in WAITING_KINDS:
                word, missed = await self._word(flow, run, number, outcome, missed=missed)
                if word is WordKind.DISCARD:
                    await flow.step("discard", bool, self._steps.discard, run)
                    return
                if word is not WordKind.NONE:
                    again = True
                    continue
                outcome = self._steps.unanswered(outcome)
            publish = self._steps.publish
            published = await flow.step(f"publish-{number}", Published, publish, run, checkout, outcome, number)
            is_over = await flow.step(f"finish-{number}", bool, self._steps.finish, run, outcome, published)

    async def _word(
        self, flow: Flow, run: RunId, number: int, outcome: Outcome, *, missed: bool
    ) -> tuple[WordKind, bool]:
        """Ask, and wait as long as a person may take, or until the usage cap resets: then it resumes.

        What was said before a turn was cut or capped does not decide whether it is taken again. It is told of only
        once, so that it was `missed` here is remembered: it answers the next question.
        """
        seconds = self._steps.answer_seconds
        if outcome.kind is not OutcomeKind.IDLE:
            seconds = await flow.step(f"ask-{number}", float, self._steps.ask, run, outcome, number)
        if missed and outcome.kind is OutcomeKind.ASKED:
            return WordKind.TURN, False
        while True:
            word = await flow.wait(WORD, seconds)
            if word is None:
                return WordKind.RESUME if outcome.kind is OutcomeKind.CAPPED else WordKind.NONE, missed
            kind = WordKind(str(cast("dict[str, Json]", word)["kind"]))
            if kind is not WordKind.TURN or outcome.kind in {OutcomeKind.ASKED, OutcomeKind.IDLE}:
                return kind, missed
            missed = True
            if outcome.kind is OutcomeKind.CAPPED:
                seconds = await flow.step(f"left-{number}", float, self._steps.left, outcome)


def _broken(run: RunId) -> str:
    return f"Something went wrong inside the bot (run `{run[:8]}`; its log says what), and the owner is told."
