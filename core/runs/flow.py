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
from core.runs.held import NO_VERDICT, Held, Verdict, VerdictKind, kept_back
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
        spent, verdict = Usage(), NO_VERDICT
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
            published, verdict = await self._publish(flow, run, checkout, outcome, number, verdict)
            if verdict.kind is VerdictKind.STOP:
                outcome = replace(outcome, kind=OutcomeKind.STOPPED)
            is_over = await flow.step(f"finish-{number}", bool, self._steps.finish, run, outcome, published)

    async def _publish(
        self, flow: Flow, run: RunId, checkout: Checkout, outcome: Outcome, number: int, verdict: Verdict
    ) -> tuple[Published, Verdict]:
        """Until nothing that needs a person's yes is left without an answer. What was left out once stays out, as long
        as it is the same; a run that was stopped or has failed asks nothing.
        """
        attempt, asked = f"{number}", 0
        while True:
            publish = self._steps.publish
            published = await flow.step(
                f"publish-{attempt}", Published, publish, run, checkout, outcome, attempt, verdict
            )
            held = published.held
            if held is None or outcome.kind is not OutcomeKind.DONE:
                return published, verdict
            asked += 1
            attempt = f"{number}-{asked}"
            await flow.step(f"hold-{attempt}", bool, self._steps.guarded.hold, run, outcome, held, attempt)
            verdict = await self._verdict(flow, run, attempt, held)
            await flow.step(f"settle-{attempt}", bool, self._steps.guarded.settle, run, held, attempt, verdict)
            if verdict.kind not in {VerdictKind.ALL, VerdictKind.EXPRESSLY, VerdictKind.WITHOUT}:
                return replace(published, problem=kept_back(held, verdict)), verdict

    async def _verdict(self, flow: Flow, run: RunId, attempt: str, held: Held) -> Verdict:
        """What is decided, waited for as long as a person may take. What was said before it was asked and has been
        taken up decides nothing; nor does an answer to another question.
        """
        looks = 0
        while True:
            word = await flow.wait(WORD, self._steps.answer_seconds)
            if word is None:
                return NO_VERDICT
            facts = cast("dict[str, Json]", word)
            match WordKind(str(facts["kind"])):
                case WordKind.VERDICT if held.is_named(str(facts["hash"])):
                    kind = VerdictKind(str(facts["verdict"]))
                    return Verdict(kind, held.part if kind is VerdictKind.WITHOUT else held.hash, str(facts["by"]))
                case WordKind.STOP:
                    return Verdict(VerdictKind.STOP)
                case WordKind.DISCARD:
                    return Verdict(VerdictKind.DENY)
                case WordKind.TURN:
                    looks += 1
                    if await flow.step(f"more-{attempt}-{looks}", bool, self._steps.guarded.has_more, run):
                        return Verdict(VerdictKind.LATER)

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
