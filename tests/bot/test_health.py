"""/readyz and /metrics of a bot that starts, works, loses its database and stops."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.metrics import Tally
from adapters.sandbox import NoSandbox
from adapters.system import SystemClock, free_bytes
from bot.config import Access, Allowed, Config, HttpConfig
from bot.health import Health, beat
from bot.http import serve
from bot.wiring import build
from core.alerts import AlertKind, Alerts
from core.circuits import OUTAGES, AllCircuits, OneCircuit
from core.meter import NoMeter
from core.model.chat import Post, PostKey
from core.model.errors import ChatBusy, StoreError
from core.model.work import RunState
from core.ports import HttpAnswer
from core.watch import Watch
from tests.fakes.clock import FakeClock
from tests.fakes.engine import FakeEngine
from tests.fakes.platform import FakePlatform
from tests.whole import WholeBot


class Called(FakePlatform):
    """Called over HTTP."""

    webhook_path = "/fake"

    async def receive(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        raise NotImplementedError


@dataclass
class Watcher:
    health: Health
    port: int
    alerts: Alerts
    clock: FakeClock

    async def get(self, path: str) -> tuple[int, str, str]:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return answer.status, answer.content_type, await answer.text()

    async def ready(self) -> tuple[int, dict[str, Any]]:
        status, kind, body = await self.get("/readyz")
        assert kind == "application/json"
        return status, json.loads(body)

    async def lines(self) -> list[str]:
        status, kind, body = await self.get("/metrics")
        assert (status, kind) == (200, "text/plain")
        return body.splitlines()


@asynccontextmanager
async def watched(bot: WholeBot) -> AsyncIterator[Watcher]:
    clock, circuits = FakeClock(), AllCircuits(bot.clock)
    alerts = Alerts(clock)
    watch = Watch(alerts, circuits, bot.store, lambda: free_bytes(Path("/")), clock, 0)
    platforms = {"fake": FakePlatform(), "other": Called()}
    health = Health(bot.store, bot.inbox, bot.posts, Tally(), bot.clock, platforms, watch, circuits)
    async with serve(HttpConfig(port=0), [], health) as door:
        yield Watcher(health, door.port, alerts, clock)


async def test_it_is_ready_when_every_part_is(bot: WholeBot) -> None:
    async with watched(bot) as watcher:
        started = await watcher.ready()
        watcher.health.is_launched = True
        alone = await watcher.ready()
        watcher.health.connected.add("fake")
        whole = await watcher.ready()
        watcher.health.is_stopping = True
        stopping = await watcher.ready()

    parts = {
        "database": True,
        "platforms": {"fake": False, "other": False},
        "engine": False,
        "stopping": False,
        "circuits": {},
    }
    assert started == (503, {"ready": False, **parts})
    assert alone == (503, {"ready": False, **parts, "engine": True})
    parts |= {"platforms": {"fake": True, "other": False}, "engine": True}
    assert whole == (200, {"ready": True, **parts})
    assert stopping == (503, {"ready": False, **parts, "stopping": True})


@pytest.mark.parametrize("is_slow", [True, False], ids=["silent", "broken"])
async def test_a_database_that_does_not_answer_is_told_and_the_rest_as_well(
    bot: WholeBot, monkeypatch: pytest.MonkeyPatch, *, is_slow: bool
) -> None:
    async def silent(*_: object) -> dict[RunState, int]:
        if is_slow:
            await asyncio.Event().wait()
        raise StoreError("the password is hunter2")

    monkeypatch.setattr("bot.health.ANSWER_SECONDS", 0.05)
    monkeypatch.setattr("core.watch.ANSWER_SECONDS", 0.05)
    async with watched(bot) as watcher:
        watcher.health.is_launched = True
        watcher.health.connected.add("fake")
        monkeypatch.setattr(bot.store, "count_runs", silent)
        monkeypatch.setattr(bot.store, "accept", silent)
        status, said = await watcher.ready()
        lines = await watcher.lines()

    assert (status, said["ready"], said["database"], said["engine"]) == (503, False, False, True)
    assert "hunter2" not in str(said)
    assert "patchbay_database_up 0.0" in lines
    assert "patchbay_inbox_depth 0.0" in lines
    assert not any(line.startswith("patchbay_runs{") for line in lines)


async def test_a_database_that_only_reads_is_not_ready_until_it_takes_writes_again(
    bot: WholeBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> set[str]:
        raise StoreError("the disk is full")

    async with watched(bot) as watcher:
        watcher.health.is_launched = True
        watcher.health.connected.add("fake")
        with monkeypatch.context() as broken:
            broken.setattr(bot.store, "accept", full)
            status, said = await watcher.ready()
            lines = await watcher.lines()
        await watcher.clock.forward(1)
        back, _ = await watcher.ready()

    assert (status, said["database"], back) == (503, False, 200)
    assert "patchbay_database_up 0.0" in lines
    assert any(line.startswith("patchbay_runs{") for line in lines)
    assert [each.kind for each in watcher.alerts.due()] == [AlertKind.STORE_DOWN, AlertKind.STORE_BACK]


async def test_a_platform_that_was_lost_is_not_connected_until_it_answers(bot: WholeBot) -> None:
    async with watched(bot) as watcher:
        watcher.health.is_launched = True
        watcher.health.connected |= {"fake", "other"}
        fake, other, hub = (watcher.health.circuits.circuit(each, each) for each in ("fake", "other", "hub"))
        lose(fake, hub)
        await watcher.health.watch.look()
        one, said = await watcher.ready()
        lines = await watcher.lines()
        lose(other)
        none, _ = await watcher.ready()
        await bot.clock.forward(5)
        due, tried = await watcher.ready()
        fake.answered()
        _, back = await watcher.ready()

    assert (one, said["platforms"]) == (200, {"fake": False, "other": True})
    assert said["circuits"] == {"fake": "open", "other": "closed", "hub": "open"}
    assert 'patchbay_circuit_state{service="hub"} 2.0' in lines
    assert 'patchbay_platform_connected{platform="fake"} 0.0' in lines
    assert any(line.startswith("patchbay_disk_free_bytes ") for line in lines)
    assert none == 503
    assert (due, tried["platforms"]) == (200, {"fake": False, "other": True})  # nobody calls, so it is believed again
    assert back["platforms"] == {"fake": True, "other": True}


async def test_a_socket_that_was_lost_counts_and_what_is_only_called_when_needed_less(bot: WholeBot) -> None:
    async with watched(bot) as watcher:
        watcher.health.connected.add("fake")
        web, socket = (watcher.health.circuits.circuit(each, each) for each in ("fake", "fake.socket"))
        seen = []
        for lost in (web, socket):
            lose(lost)
            await bot.clock.forward(5)
            seen.append((await watcher.ready())[1]["platforms"]["fake"])

    assert seen == [True, False]


async def test_how_late_the_loop_is_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.health.BEAT_SECONDS", 0.01)
    lags: list[float] = []

    class Noted(NoMeter):
        def observe(self, name: str, value: float, **labels: str) -> None:
            assert (name, labels) == ("loop_lag_seconds", {})
            lags.append(value)

    async with asyncio.timeout(20):
        beating = asyncio.create_task(beat(Noted()))
        while len(lags) < 2:  # noqa: ASYNC110 - it rings no bell
            await asyncio.sleep(0.01)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:  # what must not happen in a loop
            pass
        while max(lags) < 0.25:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)

    assert min(lags) >= 0.0


def lose(*circuits: OneCircuit) -> None:
    for circuit in circuits:
        for _ in range(OUTAGES):
            circuit.failed("refused")


async def test_the_numbers_are_those_of_the_moment(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it")
    bot.platform.fail("post", ChatBusy("slow down", 60))
    await bot.posts.say(PostKey("late"), bot.platform.thread, Post("late"))
    await bot.clock.forward(20)
    async with watched(bot) as watcher:
        watcher.health.connected.add("fake")
        lines = await watcher.lines()

    assert "patchbay_oldest_unsent_seconds 20.0" in lines
    assert "patchbay_outbox_depth 1.0" in lines
    assert 'patchbay_runs{state="COMPLETED"} 1.0' in lines
    assert 'patchbay_runs{state="RUNNING"} 0.0' in lines
    assert "patchbay_database_up 1.0" in lines
    assert 'patchbay_platform_connected{platform="fake"} 1.0' in lines
    assert 'patchbay_platform_connected{platform="other"} 0.0' in lines
    assert "patchbay_engine_launched 0.0" in lines


async def test_without_anything_to_tell_there_is_only_healthz() -> None:
    async with (
        serve(HttpConfig(port=0), []) as door,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{door.port}/metrics") as answer,
    ):
        assert answer.status == 404


async def test_a_whole_bot_tells_how_it_is_and_what_it_did(tmp_path: Path) -> None:
    config = Config(data=tmp_path, http=HttpConfig(port=0), access=Access(owners=(Allowed("fake", "", "owner"),)))
    platform = FakePlatform()
    app = build(config, NoSandbox("none"), platforms={"fake": platform}, engine=FakeEngine(SystemClock()))

    async def talk() -> int:
        await platform.say("/projects")
        await platform.shown("no project")
        async with asyncio.timeout(5):
            while (answer := await app.health.ready()).status != 200:  # noqa: ASYNC110 - the engine is launched beside
                await asyncio.sleep(0.01)
        assert json.loads(answer.body)["platforms"] == {"fake": True}
        said = (await app.health.metrics()).body.decode()
        assert 'patchbay_deliveries_taken_total{platform="fake"} 1.0' in said
        assert 'patchbay_deliveries_handled_total{platform="fake"} 1.0' in said
        assert 'patchbay_posts_total{outcome="sent",platform="fake"} 1.0' in said
        assert 'patchbay_handling_seconds_count{platform="fake"} 1.0' in said
        return 0

    async with asyncio.timeout(20):
        assert await app.run(talk) == 0
    assert app.health.is_stopping
