"""The fake engine's planned crashes: around every step, and what is done again is what was not kept."""

from __future__ import annotations

import pytest

from adapters.system import SystemClock
from core.ports import FlowState
from tests.contracts.flows import FLOWS, SEEN
from tests.fakes.engine import CrashAt, FakeEngine, Moment


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("step", [1, 2, 3])
async def test_a_crash_around_a_step_repeats_what_was_not_kept(step: int, moment: Moment) -> None:
    id_, words = f"crash-{step}-{moment}", ["a", "b", "c"]
    engine = FakeEngine(SystemClock(), crash_at=CrashAt(step, moment))
    await engine.launch(FLOWS)
    await engine.start("steps.v1", id_, [*words])
    await engine.settled()
    assert engine.is_dead
    await engine.launch(FLOWS)
    await engine.settled()

    assert await engine.state(id_) is FlowState.DONE
    repeated = [words[step - 1]] if moment is Moment.CALLED else []
    assert SEEN[id_].calls == [*words[:step], *repeated, *words[step:]]
    await engine.close(0)


async def test_a_flow_that_changed_its_steps_is_broken_and_says_so() -> None:
    engine = FakeEngine(SystemClock(), crash_at=CrashAt(2, Moment.BEFORE))
    await engine.launch(FLOWS)
    await engine.start("steps.v1", "changed", ["a", "b"])
    await engine.settled()
    await engine.launch({**FLOWS, "steps.v1": FLOWS["shapes.v1"]})
    await engine.settled()

    assert await engine.state("changed") is FlowState.BROKEN
    assert "make a new version" in str(engine.error("changed"))
    assert engine.steps("changed") == ["a"]
    await engine.close(0)
