"""The engine's contract, kept by the fake, by DBOS on SQLite and by DBOS on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from adapters.engine import DbosEngine
from adapters.system import SystemClock
from core.model.codec import Json
from core.model.errors import AgentError, ChatBusy, NotFound, StoreError
from core.ports import Engine, FlowState
from tests.contracts.flows import ENGINE, FLOWS, PULL, SEEN
from tests.databases import postgres_database
from tests.fakes.engine import FakeEngine

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 20.0
"""The most that a flow of these may take to its end."""


@asynccontextmanager
async def engine_of(kind: str, data: Path) -> AsyncIterator[Engine]:
    if kind == "fake":
        yield FakeEngine(SystemClock())
    elif kind == "sqlite":
        yield DbosEngine(None, data)
    else:
        async with postgres_database() as url:
            yield DbosEngine(url, data)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["fake", "sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with engine_of(request.param, tmp_path_factory.mktemp("engine")) as engine:
        await engine.launch(FLOWS)
        ENGINE.append(engine)
        yield engine
        ENGINE.clear()
        await engine.close(0)


@pytest.fixture
def id_() -> str:
    return f"flow-{uuid4()}"


async def ended(engine: Engine, id_: str) -> FlowState | None:
    async with asyncio.timeout(SECONDS):
        while (state := await engine.state(id_)) is FlowState.OPEN:  # noqa: ASYNC110 - it may be another process that ends it
            await asyncio.sleep(0.01)
    return state


async def restart(engine: Engine, seconds: float = 0) -> None:
    await engine.close(seconds)
    await engine.launch(FLOWS)


async def test_a_flow_takes_its_steps_in_order(engine: Engine, id_: str) -> None:
    await engine.start("steps.v1", id_, ["a", "b", "c"])

    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].calls == ["a", "b", "c"]


async def test_an_id_is_started_once_whatever_it_is_called_again_with(engine: Engine, id_: str) -> None:
    await asyncio.gather(*[engine.start("steps.v1", id_, ["a"]) for _ in range(5)])
    await engine.start("steps.v1", id_, ["b"])
    await engine.start("waits.v1", id_, [["t", 1]])

    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].calls == ["a"]


async def test_a_flow_that_was_never_started_has_no_state(engine: Engine, id_: str) -> None:
    assert await engine.state(id_) is None


async def test_results_come_back_as_their_type_on_the_first_run_too(engine: Engine, id_: str) -> None:
    await engine.start("shapes.v1", id_, {"tags": ["x", "y"]})
    await ended(engine, id_)

    assert SEEN[id_].got == [PULL, None, ("a", "b"), {"tags": ["x", "y"]}]


async def test_a_bot_error_is_kept_and_raised_again_on_replay(engine: Engine, id_: str) -> None:
    await engine.start("errors.v1", id_, None)
    await SEEN[id_].begun.wait()
    await restart(engine)
    await engine.signal(id_, "end", "over", "k")
    await ended(engine, id_)

    seen = SEEN[id_]
    assert seen.calls == ["ChatBusy", "OwnError"], "a kept error is final: the call is not made again"
    first, second = seen.got[:2], seen.got[2:4]
    for busy, own in (first, second):
        assert (type(busy), str(busy), busy.seconds, busy.is_final) == (ChatBusy, "wait a little", 2.5, False)
        assert (type(own), str(own)) == (AgentError, "it broke")
    assert seen.got[4:] == ["over"]


async def test_another_exception_breaks_the_flow(engine: Engine, id_: str) -> None:
    await engine.start("breaks.v1", id_, None)

    assert await ended(engine, id_) is FlowState.BROKEN
    assert SEEN[id_].calls == ["fail"]


async def test_a_step_is_tried_again_while_the_database_is_away(engine: Engine, id_: str) -> None:
    await engine.start("locked.v1", id_, None)

    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].got == [3]


async def test_a_signal_wakes_who_waits_at_once(engine: Engine, id_: str) -> None:
    await engine.start("waits.v1", id_, [["t", 30]])
    await SEEN[id_].begun.wait()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(20):
        await engine.signal(id_, "t", {"yes": [1, None]}, "k")
        await ended(engine, id_)

    assert SEEN[id_].got == [{"yes": [1, None]}]


async def test_signals_come_in_order_once_for_each_key_and_each_to_its_topic(engine: Engine, id_: str) -> None:
    waits: list[Json] = [["first", 30], ["t", 0.05]]
    waits[1:1] = [["t", 30] for _ in range(6)]
    await engine.start("waits.v1", id_, waits)
    for number in range(6):
        await engine.signal(id_, "t", number, f"key-{number}")
        await engine.signal(id_, "t", "again", f"key-{number}")
    await engine.signal(id_, "first", "other topic", "key-first")

    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].got == ["other topic", 0, 1, 2, 3, 4, 5, None]


async def test_a_signal_to_no_flow_is_not_found(engine: Engine, id_: str) -> None:
    with pytest.raises(NotFound):
        await engine.signal(id_, "t", 1, "k")


async def test_a_wait_ends_with_none_when_its_time_is_over(engine: Engine, id_: str) -> None:
    await engine.start("waits.v1", id_, [["t", 0.05]])

    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].got == [None]


@pytest.mark.parametrize("act", ["wait", "step", "sleep"])
async def test_nothing_durable_begins_inside_a_step(engine: Engine, id_: str, act: str) -> None:
    await engine.start("misuses.v1", id_, act)

    assert await ended(engine, id_) is FlowState.BROKEN
    assert SEEN[id_].got == [f"a {act} inside a step: return from the step first"]


async def test_steps_side_by_side_are_refused(engine: Engine, id_: str) -> None:
    await engine.start("side_by_side.v1", id_, None)

    assert await ended(engine, id_) is FlowState.BROKEN


async def test_a_step_may_start_and_signal_other_flows(engine: Engine, id_: str) -> None:
    await engine.start("asks.v1", id_, None)

    assert await ended(engine, id_) is FlowState.DONE
    assert await ended(engine, f"{id_}-other") is FlowState.DONE
    assert SEEN[id_].got == ["open", "after"]
    assert SEEN[f"{id_}-other"].got == ["from within"]


async def test_a_step_that_cancels_itself_breaks_the_flow_instead_of_hanging_it(engine: Engine, id_: str) -> None:
    await engine.start("cancels_itself.v1", id_, None)

    assert await ended(engine, id_) is FlowState.BROKEN


@pytest.mark.parametrize("makes", ["nothing", "returns", "raises"])
async def test_a_step_that_is_cut_by_the_end_is_taken_again(engine: Engine, id_: str, makes: str) -> None:
    await engine.start("slow.v1", id_, makes)
    await SEEN[id_].begun.wait()
    SEEN[id_].begun.clear()
    await engine.close(0)
    with pytest.raises(StoreError):
        await engine.state(id_)
    await engine.launch(FLOWS)
    assert await engine.state(id_) is FlowState.OPEN
    await SEEN[id_].begun.wait()
    SEEN[id_].go.set()

    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].calls == ["a", "b", "cancelled", "b", "c"]
    assert SEEN[id_].got == ["a", "a", "b", "c"]


@pytest.mark.parametrize("makes", ["returns", "raises"])
async def test_a_flow_that_makes_an_end_of_being_cut_goes_on_nevertheless(engine: Engine, id_: str, makes: str) -> None:
    await engine.start("stubborn.v1", id_, makes)
    await SEEN[id_].begun.wait()
    await asyncio.sleep(0.05)
    await restart(engine)
    await engine.signal(id_, "go", "go", "k")

    assert await ended(engine, id_) is FlowState.DONE
    assert (SEEN[id_].calls, SEEN[id_].got) == (["cancelled"], ["go"])


async def test_closing_lets_a_step_reach_its_end_and_begins_no_other(engine: Engine, id_: str) -> None:
    await engine.start("slow.v1", id_, None)
    await SEEN[id_].begun.wait()
    closing = asyncio.ensure_future(engine.close(10))
    await asyncio.sleep(0.05)
    SEEN[id_].go.set()
    async with asyncio.timeout(5):
        await closing
    assert SEEN[id_].calls == ["a", "b"]
    await engine.launch(FLOWS)

    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].calls == ["a", "b", "c"]


async def test_a_signal_and_a_deadline_outlive_a_restart(engine: Engine, id_: str) -> None:
    await engine.start("waits.v1", id_, [["never", 1.0], ["t", 30], ["late", 30]])
    await SEEN[id_].begun.wait()
    await engine.signal(id_, "t", "early", "k")
    await restart(engine)
    await engine.signal(id_, "late", "late", "k2")

    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].got == [None, "early", "late"]


@pytest.mark.parametrize("seconds", [-5.0, 0.5])
async def test_a_sleep_outlives_a_restart(engine: Engine, id_: str, seconds: float) -> None:
    await engine.start("sleeps.v1", id_, seconds)
    await SEEN[id_].begun.wait()
    await restart(engine)

    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].calls == ["woken"]


async def test_flows_that_are_over_are_forgotten_after_a_time(engine: Engine, id_: str) -> None:
    await engine.start("steps.v1", id_, ["a"])
    await engine.start("breaks.v1", f"{id_}-broken", None)
    await engine.start("waits.v1", f"{id_}-open", [["t", 60]])
    assert (await ended(engine, id_), await ended(engine, f"{id_}-broken")) == (FlowState.DONE, FlowState.BROKEN)
    now = datetime.now(UTC)

    assert await engine.prune(now - timedelta(days=1)) == 0
    assert await engine.state(id_) is FlowState.DONE
    assert await engine.prune(now + timedelta(days=1)) >= 2

    assert [await engine.state(each) for each in (id_, f"{id_}-broken")] == [None, None]
    with pytest.raises(NotFound):
        await engine.signal(id_, "t", 1, "k")
    assert await engine.state(f"{id_}-open") is FlowState.OPEN
    await engine.signal(f"{id_}-open", "t", "there", "k")
    assert await ended(engine, f"{id_}-open") is FlowState.DONE
    assert SEEN[f"{id_}-open"].got == ["there"]
    await engine.start("steps.v1", id_, ["b"])
    assert await ended(engine, id_) is FlowState.DONE
    assert SEEN[id_].calls == ["a", "b"]


async def test_a_closed_engine_takes_nothing(engine: Engine, id_: str) -> None:
    await engine.close(0)
    asks = (engine.start("steps.v1", id_, ["a"]), engine.signal(id_, "t", 1, "k"), engine.state(id_))
    for ask in (*asks, engine.prune(datetime.now(UTC))):
        with pytest.raises(StoreError):
            await ask
    await engine.launch(FLOWS)

    assert await engine.state(id_) is None
