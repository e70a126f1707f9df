"""Circuits: closed, open, half open, and what is said of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.circuits import LONGEST_PAUSE, OUTAGES, AllCircuits, CircuitState, OneCircuit
from core.model.errors import Unavailable
from tests.fakes.clock import FakeClock


def made() -> tuple[FakeClock, OneCircuit]:
    clock = FakeClock()
    return clock, AllCircuits(clock).circuit("hub", "GitHub")


def fails(circuit: OneCircuit, times: int = 1) -> None:
    for _ in range(times):
        with circuit.attempt():
            circuit.failed("refused")


async def test_outages_in_a_row_open_it_and_calls_fail_at_once() -> None:
    clock, circuit = made()
    fails(circuit)
    await clock.forward(60)
    fails(circuit, OUTAGES - 1)

    assert circuit.state is CircuitState.OPEN
    with pytest.raises(Unavailable) as told, circuit.attempt():
        pytest.fail("the call was made")
    assert str(told.value) == "GitHub does not answer since 09:00 UTC; I try again at 09:01:05 UTC."
    assert told.value.seconds == 5.0


async def test_one_answer_in_between_and_it_stays_closed() -> None:
    _, circuit = made()
    for _ in range(3):
        fails(circuit, OUTAGES - 1)
        with circuit.attempt():
            circuit.answered()

    assert circuit.state is CircuitState.CLOSED
    assert circuit.words() == ""


async def test_what_says_nothing_is_no_outage() -> None:
    _, circuit = made()
    for _ in range(2 * OUTAGES):
        with pytest.raises(ValueError, match="refused"), circuit.attempt():
            raise ValueError("refused")

    assert circuit.state is CircuitState.CLOSED


async def test_half_open_lets_one_through_whose_answer_closes_it() -> None:
    clock, circuit = made()
    fails(circuit, OUTAGES)
    await clock.forward(5)
    assert circuit.words() == "GitHub does not answer since 09:00 UTC; the next call tries again."
    with circuit.attempt():
        with pytest.raises(Unavailable) as told, circuit.attempt():
            pytest.fail("two at once")
        circuit.answered()
    closed = circuit.state
    fails(circuit, OUTAGES - 1)

    assert told.value.seconds == 1.0
    assert (closed, circuit.state) == (CircuitState.CLOSED, CircuitState.CLOSED)


async def test_a_trial_that_was_given_up_lets_the_next_one_through() -> None:
    clock, circuit = made()
    fails(circuit, OUTAGES)
    await clock.forward(5)
    with circuit.attempt():
        pass

    with circuit.attempt():
        circuit.answered()
    assert circuit.state is CircuitState.CLOSED


async def test_the_pause_grows_to_a_minute_and_begins_anew() -> None:
    clock, circuit = made()
    fails(circuit, OUTAGES)
    pauses = []
    for _ in range(6):
        assert circuit.next_try is not None
        pauses.append((circuit.next_try - clock.now()).total_seconds())
        await clock.set(circuit.next_try)
        fails(circuit)
    circuit.answered()
    fails(circuit, OUTAGES)

    assert pauses == [5, 10, 20, 40, 60, 60]
    assert circuit.next_try is not None
    assert (circuit.next_try - clock.now()).total_seconds() == 5


async def test_who_tries_in_a_way_of_his_own_keeps_it_open_until_an_answer() -> None:
    clock, circuit = made()
    fails(circuit, OUTAGES)
    for _ in range(100):
        await clock.forward(4)
        circuit.failed("refused")
        assert circuit.state is CircuitState.OPEN
    circuit.answered()

    assert circuit.state is CircuitState.CLOSED


async def test_a_service_has_one_circuit_and_each_that_is_down_is_told() -> None:
    circuits = AllCircuits(FakeClock())
    hub = circuits.circuit("hub", "GitHub")
    circuits.circuit("slack", "Slack")
    fails(hub, OUTAGES)

    assert circuits.circuit("hub", "another name") is hub
    assert [each.service for each in circuits.all()] == ["hub", "slack"]
    assert circuits.troubles() == ["GitHub does not answer since 09:00 UTC; I try again at 09:00:05 UTC."]


@given(st.lists(st.one_of(st.sampled_from(["answer", "outage", "nothing"]), st.integers(1, 90))))
async def test_whatever_happens_it_is_tried_again_within_the_longest_pause(story: list[str | int]) -> None:
    clock, circuit = made()
    waits = [1.0]
    for each in story:
        if isinstance(each, int):
            await clock.forward(each)
            continue
        try:
            with circuit.attempt():
                if each == "answer":
                    circuit.answered()
                elif each == "outage":
                    circuit.failed("refused")
        except Unavailable as error:
            waits.append(error.seconds)
    await clock.forward(LONGEST_PAUSE.total_seconds())
    with circuit.attempt():
        circuit.answered()

    assert circuit.state is CircuitState.CLOSED
    assert 1.0 <= min(waits) <= max(waits) <= LONGEST_PAUSE.total_seconds()
