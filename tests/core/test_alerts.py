"""Alerts: told once, counted always, and never a storm."""

from __future__ import annotations

import asyncio

from core.alerts import MOST_SUBJECTS, OTHERS, AlertKind, Alerts
from tests.fakes.clock import FakeClock


class Counted:
    def __init__(self) -> None:
        self.kinds: list[str] = []

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        assert (name, amount) == ("alerts", 1.0)
        self.kinds.append(labels["kind"])

    def observe(self, name: str, value: float, **labels: str) -> None:
        raise AssertionError(name)


async def test_each_is_counted_and_only_the_first_is_told_within_an_hour() -> None:
    clock, meter = FakeClock(), Counted()
    alerts = Alerts(clock, meter)
    began = clock.now()
    alerts.raise_(AlertKind.RUN_BROKEN, "first", "r1")
    [first] = alerts.due()
    for number in range(3):
        await clock.forward(600)
        alerts.raise_(AlertKind.RUN_BROKEN, f"again {number}", "r1")

    assert (first.words, first.count, first.since) == ("first", 1, began)
    assert (alerts.due(), alerts.has_waiting) == ([], True)
    await clock.forward(1800)
    [again] = alerts.due()
    assert (again.words, again.count) == ("again 2", 3)
    assert (again.since - began).total_seconds() == 600
    assert alerts.due() == []
    assert meter.kinds == ["run_broken"] * 4


async def test_kinds_and_subjects_are_told_apart() -> None:
    alerts = Alerts(FakeClock())
    alerts.raise_(AlertKind.SERVICE_DOWN, "Slack", "slack")
    alerts.raise_(AlertKind.SERVICE_DOWN, "GitHub", "github")
    alerts.raise_(AlertKind.SERVICE_BACK, "Slack is back", "slack")

    assert [each.words for each in alerts.due()] == ["Slack", "GitHub", "Slack is back"]


async def test_many_subjects_of_a_kind_share_one_message() -> None:
    clock = FakeClock()
    alerts = Alerts(clock)
    for number in range(100):
        alerts.raise_(AlertKind.RUN_QUARANTINED, f"run {number}", f"r{number}")
    alerts.raise_(AlertKind.RUN_QUARANTINED, "run 0 again", "r0")
    alerts.raise_(AlertKind.DISK_LOW, "disk")
    told = alerts.due()

    assert len(told) == MOST_SUBJECTS + 2
    assert told[0].words == "run 0 again"
    others = next(each for each in told if each.subject == OTHERS)
    assert (others.words, others.count) == ("run 99", 100 - MOST_SUBJECTS)
    await clock.forward(3600)
    alerts.raise_(AlertKind.RUN_QUARANTINED, "a new one", "new")
    assert [each.subject for each in alerts.due()] == ["new"]


async def test_who_tells_wakes_when_something_came() -> None:
    alerts = Alerts(FakeClock())
    waiting = asyncio.create_task(alerts.until_raised())
    await asyncio.sleep(0)
    assert not waiting.done()
    alerts.raise_(AlertKind.STORE_DOWN, "no room")
    async with asyncio.timeout(10):
        await waiting
    assert len(alerts.due()) == 1
