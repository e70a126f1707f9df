"""Before each outside service stands its circuit: outages open it, refusals and waits do not, an answer closes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from adapters.agents import AGENTS, AgentTools
from adapters.agents.config import OllamaConfig
from adapters.agents.ollama import build as build_ollama
from adapters.chat.slack.platform import Slack
from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from adapters.forges import GithubConfig
from adapters.forges.github import Github
from core.circuits import OUTAGES, AllCircuits, CircuitState, OneCircuit
from core.model.chat import Post, PostKey, PostRef, ThreadRef
from core.model.errors import AgentError, ChatBusy, ChatError, ForgeError, SendFailed
from core.model.work import Project, ProjectKey, RepoRef
from core.ports import Agent
from tests.adapters.agents.turns import Notes, nobody_asked, turn_in
from tests.adapters.slack.conftest import COMMANDS, Inbox, config_for, listening
from tests.fakes.clock import FakeClock
from tests.fakes.github import FakeGithub, Repo, rate_limited
from tests.fakes.github import Fault as HubFault
from tests.fakes.llm import FakeLLM, Status, Use, Words
from tests.fakes.llm import Fault as Garbled
from tests.fakes.sandbox import PassThrough
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_api import Fault as SlackFault
from tests.fakes.telegram import FakeTelegram, Fault, Kind

KEY = PostKey("k")
HI = Post("hi")
DOWN = Fault.refuse(502, "Bad Gateway")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def circuits(clock: FakeClock) -> AllCircuits:
    return AllCircuits(clock)


def state(circuit: OneCircuit) -> str:
    """As a word, for it changes behind mypy's back."""
    return circuit.state.name


async def fails(call: Callable[[], Awaitable[object]], error: type[Exception], times: int = 1) -> str:
    """The words of the last."""
    for _ in range(times):
        with pytest.raises(error) as told:
            await call()
    return str(told.value)


# ----------------------------------------------------------------------------------------- Telegram


@pytest.fixture
async def telegram(circuits: AllCircuits) -> AsyncIterator[tuple[FakeTelegram, Telegram]]:
    async with FakeTelegram() as server:
        platform = Telegram(
            TelegramConfig(token=SecretStr(server.token), api_base=server.base),
            (),
            sleep=lambda _: asyncio.sleep(0.01),
            circuit=circuits.circuit("telegram", "Telegram"),
        )
        yield server, platform
        await platform.close()


async def test_telegram_is_left_alone_while_it_is_down(
    telegram: tuple[FakeTelegram, Telegram], circuits: AllCircuits, clock: FakeClock
) -> None:
    server, platform = telegram
    thread = await platform.direct("7")
    ref = PostRef(thread, "1")
    [circuit] = circuits.all()
    server.fail("sendMessage", DOWN, Fault(Kind.GARBLE), Fault(Kind.RESET_BEFORE))
    server.fail("editMessageText", DOWN, Fault(Kind.RESET_BEFORE))
    await fails(lambda: platform.post(thread, HI, KEY), ChatError, 3)
    await fails(lambda: platform.edit(ref, HI), SendFailed, 2)
    calls = len(server.calls)
    words = await fails(lambda: platform.post(thread, HI, KEY), SendFailed)
    await fails(lambda: platform.edit(ref, HI), SendFailed)

    assert words == "Telegram does not answer since 09:00 UTC; I try again at 09:00:05 UTC."
    assert len(server.calls) == calls
    await clock.forward(5)
    await platform.post(thread, HI, KEY)
    assert state(circuit) == "CLOSED"


async def test_what_telegram_refuses_or_puts_off_is_no_outage(
    telegram: tuple[FakeTelegram, Telegram], circuits: AllCircuits
) -> None:
    server, platform = telegram
    thread = await platform.direct("7")
    busy, blocked = Fault.refuse(429, "slow down", retry_after=1), Fault.refuse(403, "bot was blocked by the user")
    for _ in range(OUTAGES):
        server.fail("sendMessage", DOWN, DOWN, busy, DOWN, DOWN, blocked)
        await fails(lambda: platform.post(thread, HI, KEY), SendFailed, 2)
        await fails(lambda: platform.post(thread, HI, KEY), ChatBusy)
        await fails(lambda: platform.post(thread, HI, KEY), SendFailed, 2)
        await fails(lambda: platform.post(thread, HI, KEY), ChatError)

    assert circuits.troubles() == []


async def test_telegrams_polls_open_the_circuit_go_on_and_close_it(
    telegram: tuple[FakeTelegram, Telegram], circuits: AllCircuits
) -> None:
    server, platform = telegram
    [circuit] = circuits.all()
    server.fail("getUpdates", *[DOWN] * OUTAGES * 2)
    seen: list[CircuitState] = []

    async def watch() -> None:
        while not (CircuitState.OPEN in seen and seen[-1] is CircuitState.CLOSED):
            seen.append(circuit.state)
            await asyncio.sleep(0.005)

    task = asyncio.create_task(platform.listen(Inbox(), None))
    async with asyncio.timeout(20):
        await watch()
        await server.wait_for(lambda: len(server.called("getUpdates")) > OUTAGES * 2 + 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    polls = [each["timeout"] for each in server.called("getUpdates")]
    assert polls[: OUTAGES * 2 + 2] == [50, *[0] * OUTAGES * 2, 50]


# -------------------------------------------------------------------------------------------- Slack


@pytest.fixture
async def slack(circuits: AllCircuits) -> AsyncIterator[tuple[FakeSlack, Slack]]:
    async with FakeSlack() as server:
        platform = Slack(config_for(server), COMMANDS, circuits)
        yield server, platform
        await platform.close()


async def test_slack_is_left_alone_while_it_is_down(
    slack: tuple[FakeSlack, Slack], circuits: AllCircuits, clock: FakeClock
) -> None:
    server, platform = slack
    await platform.connect()
    thread = ThreadRef("slack", server.team, "C1")
    server.plan("chat.postMessage", SlackFault("down"), SlackFault("lost"), SlackFault("reset"))
    server.plan("chat.update", SlackFault("down"), SlackFault("reset"))
    await fails(lambda: platform.post(thread, HI, KEY), ChatError, 3)
    await fails(lambda: platform.edit(PostRef(thread, "1.0"), HI), SendFailed, 2)
    calls = len(server.calls)
    words = await fails(lambda: platform.post(thread, HI, KEY), SendFailed)
    await fails(lambda: platform.find(thread, KEY), SendFailed)

    assert words == "Slack does not answer since 09:00 UTC; I try again at 09:00:05 UTC. I keep it until then."
    assert len(server.calls) == calls
    await clock.forward(5)
    await platform.post(thread, HI, KEY)
    assert circuits.troubles() == []


async def test_what_slack_refuses_or_puts_off_is_no_outage(
    slack: tuple[FakeSlack, Slack], circuits: AllCircuits
) -> None:
    server, platform = slack
    await platform.connect()
    thread = ThreadRef("slack", server.team, "C1")
    for _ in range(OUTAGES):
        server.plan("chat.postMessage", SlackFault("down"), SlackFault("busy"), SlackFault("error", "not_in_channel"))
        await fails(lambda: platform.post(thread, HI, KEY), ChatError, 3)

    assert circuits.troubles() == []


async def test_slacks_socket_that_is_lost_is_seen(
    slack: tuple[FakeSlack, Slack], circuits: AllCircuits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.chat.slack.socketmode.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("adapters.chat.slack.socketmode.PING_SECONDS", 0.2)
    server, platform = slack
    await platform.connect()
    async with asyncio.timeout(30), listening(platform, Inbox()):
        await server.wait_for(lambda: len(server.sockets) == 2)
        sockets = circuits.circuit("slack.socket", "")
        server.plan("apps.connections.open", *[SlackFault("error", "service_unavailable")] * 12)
        await server.drop_sockets()
        while state(sockets) != "OPEN":  # noqa: ASYNC110 - the circuit rings no bell
            await asyncio.sleep(0.01)
        assert "Slack's Socket Mode does not answer since" in sockets.words()
        while state(sockets) != "CLOSED":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_slack_says_where_to_write_to_a_person(slack: tuple[FakeSlack, Slack]) -> None:
    server, platform = slack
    early = await fails(lambda: platform.direct("U1"), SendFailed)
    await platform.connect()
    server.plan("conversations.open", SlackFault("down"), SlackFault("error", "user_not_found"))
    await fails(lambda: platform.direct("U1"), SendFailed)
    with pytest.raises(ChatError) as never:
        await platform.direct("U1")
    thread = await platform.direct("U1")

    assert "not been reached" in early
    assert never.value.is_final
    assert thread == ThreadRef("slack", server.team, "DU1")


# ------------------------------------------------------------------------------------------- GitHub


async def test_github_is_left_alone_while_it_is_down(
    circuits: AllCircuits, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.forges.github_client.Retry.get_backoff_time", lambda _: 0.0)
    project = Project(ProjectKey("DEMO"), "Demo", RepoRef("github", "acme/shop"), base="main")
    async with FakeGithub(f"ghp_{uuid4().hex}") as hub:
        hub.repos["acme/shop"] = Repo()
        forge = Github(
            GithubConfig(token=SecretStr(hub.token), api_base=hub.base), circuits.circuit("github", "GitHub")
        )
        for refusal in (HubFault("GET", 404), rate_limited("GET", 3000)):
            hub.faults = [HubFault("GET", 502)] * 40
            await fails(lambda: forge.pull_request(project, 1), ForgeError, OUTAGES - 1)
            hub.faults = [refusal]
            await fails(lambda: forge.pull_request(project, 1), ForgeError)
        assert circuits.troubles() == []
        hub.faults = [HubFault("GET", 502), HubFault("GET", 0)] * 40
        await fails(lambda: forge.pull_request(project, 1), ForgeError, OUTAGES)
        hub.faults = []
        words = await fails(lambda: forge.ensure(project), ForgeError)
        await clock.forward(5)
        base = await forge.ensure(project)
        await forge.close()

    assert words == (
        "GitHub does not answer since 09:00 UTC; I try again at 09:00:05 UTC. Your work is safe; try again after that."
    )
    assert base == "main"
    assert circuits.troubles() == []


# ------------------------------------------------------------------------------------------- models


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    async with FakeLLM() as fake:
        yield fake


@pytest.mark.parametrize("api", ["anthropic", "openai", "ollama"])
async def test_a_model_is_left_alone_while_it_is_down(
    llm: FakeLLM, tmp_path: Path, circuits: AllCircuits, clock: FakeClock, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.agents.loop.BACK_OFF_SECONDS", (0.0,))
    (tmp_path / "checkout").mkdir()
    kind, address = AGENTS[api], str(getattr(llm, f"{api}_base"))
    key = {} if api == "ollama" else {"api_key": "x"}
    config = kind.config.model_validate({"type": api, "model": "scripted", "base_url": address, **key})
    agent = kind.build("sam", config, AgentTools(PassThrough(), tmp_path / "sessions", circuits))
    other = kind.build("tom", config, AgentTools(PassThrough(), tmp_path / "sessions", circuits))
    [circuit] = circuits.all()

    async def turn(which: Agent = agent) -> str:
        return (await which.take_turn(turn_in(tmp_path / "checkout"), Notes(), nobody_asked)).answer

    llm.script([Status(500), Status(429), Garbled.TRUNCATED, Garbled.MALFORMED, Status(401)])
    await fails(turn, AgentError, 3)
    assert state(circuit) == "CLOSED"
    llm.script([Status(500), Status(503), Garbled.TRUNCATED, Garbled.DISCONNECT, Status(529)])
    await fails(turn, AgentError, 3)
    asked = len(llm.requests)
    assert state(circuit) == "OPEN"
    down = circuit.words()
    words = [await fails(turn, AgentError), await fails(lambda: turn(other), AgentError)]
    assert len(llm.requests) == asked
    llm.script([Words("Well again.")])
    await clock.forward(5)

    assert words == [f"{name}: {down} Say it again after that." for name in ("sam", "tom")]
    assert circuit.service in address
    assert await turn() == "Well again."
    assert state(circuit) == "CLOSED"


@dataclass
class Waits:
    """Its time is that of the circuit, and goes on while it sleeps."""

    clock: FakeClock
    slept: list[float] = field(default_factory=list)
    then: Callable[[], object] = list
    """Happens in the first sleep."""

    def now(self) -> datetime:
        return self.clock.now()

    async def sleep(self, seconds: float) -> None:
        if not self.slept:
            self.then()
        self.slept.append(seconds)
        await self.clock.forward(seconds)


async def test_a_turn_that_has_begun_waits_for_its_model(
    llm: FakeLLM, tmp_path: Path, circuits: AllCircuits, clock: FakeClock
) -> None:
    """What it has done until then is worth the wait."""
    (tmp_path / "checkout").mkdir()
    circuit = circuits.circuit("model", "The model")
    config = AGENTS["ollama"].config.model_validate({"model": "scripted", "base_url": llm.ollama_base})

    waits = Waits(clock)
    assert isinstance(config, OllamaConfig)
    agent = build_ollama("sam", config, PassThrough(), tmp_path / "sessions", waits, circuit)

    def others_fail() -> None:
        for _ in range(OUTAGES):
            circuit.failed("refused")

    waits.then = others_fail
    llm.script([Use("bash", command="true"), Status(500), Words("Done.")])
    result = await agent.take_turn(turn_in(tmp_path / "checkout"), Notes(), nobody_asked)

    assert result.answer == "Done."
    assert waits.slept == [0.5, 4.5]
    assert len(llm.requests) == 3
