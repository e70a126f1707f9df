"""What every agent keeps, whatever does its work: the contract of the port Agent, over the whole table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import BaseModel

from adapters.agents import AGENTS, AgentTools
from core.model.errors import AgentError, AgentLimit, AgentUnready
from core.model.events import ActionEnded, TurnEnd
from core.ports import Access, Agent
from tests.adapters.agents.turns import Notes, is_alive, nobody_asked, pid_in, turn_in
from tests.fakes.llm import FakeLLM, Status, Use, Words
from tests.fakes.sandbox import PassThrough

WORK = "echo made > made.txt && echo made it"
SLEEP = "echo $$ > pid; sleep 600"


class Setting:
    """One kind of agent, made to do a command, to fail, or to lack what it needs."""

    def __init__(self, kind: str, llm: FakeLLM, sessions: Path) -> None:
        self.kind, self.llm, self.sandbox = kind, llm, PassThrough()
        self._sessions = sessions

    def does(self, command: str) -> Agent:
        self.llm.script([Use("bash", command=command), Words("It is **made**.")])
        return self._build({"steps": [["sh", "-c", command]]} if self.kind == "command" else self._model())

    def fails(self) -> Agent:
        self.llm.script([Status(400, "no such luck")])
        return self._build(
            {"steps": [["sh", "-c", "echo no such luck; exit 3"]]} if self.kind == "command" else self._model()
        )

    def lacks(self) -> Agent:
        match self.kind:
            case "command":
                return self._build({"steps": [["no-such-program-here"]]})
            case "ollama":
                return self._build({"model": "absent", "base_url": self.llm.ollama_base})
        return self._build({"model": "scripted"})

    def _model(self) -> dict[str, object]:
        base = {
            "anthropic": self.llm.anthropic_base,
            "openai": self.llm.openai_base,
            "ollama": self.llm.ollama_base,
        }[self.kind]
        return {
            "model": "scripted",
            "base_url": base,
            **({} if self.kind == "ollama" else {"api_key": f"key-{uuid4()}"}),
        }

    def _build(self, entry: dict[str, object]) -> Agent:
        kind = AGENTS[self.kind]
        config: BaseModel = kind.config.model_validate({"type": self.kind, **entry})
        return kind.build("sam", config, AgentTools(self.sandbox, self._sessions))


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    async with FakeLLM() as llm:
        yield llm


@pytest.fixture(params=sorted(AGENTS))
def setting(request: pytest.FixtureRequest, llm: FakeLLM, tmp_path: Path) -> Setting:
    return Setting(request.param, llm, tmp_path / "sessions")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


async def test_it_bears_its_name_and_is_usable(setting: Setting) -> None:
    agent = setting.does(WORK)

    ready = await agent.ready()

    assert agent.name == "sam"
    assert ready.is_usable, ready.missing
    assert ready.about
    assert not ready.missing


async def test_it_says_what_is_missing(setting: Setting) -> None:
    ready = await setting.lacks().ready()

    assert not ready.is_usable
    assert ready.missing


async def test_it_works_in_the_checkout_and_answers(setting: Setting, checkout: Path) -> None:
    result = await setting.does(WORK).take_turn(turn_in(checkout), Notes(), nobody_asked)

    assert (checkout / "made.txt").read_text() == "made\n"
    assert result.end is TurnEnd.DONE
    assert "made" in result.answer


async def test_its_actions_are_shown_from_beginning_to_end(setting: Setting, checkout: Path) -> None:
    notes = Notes()

    await setting.does(WORK).take_turn(turn_in(checkout), notes, nobody_asked)

    assert len(notes.titles) == 1
    assert "echo made > made.txt" in notes.titles[0]
    assert notes.are_paired
    assert notes.ends == [ActionEnded(notes.ends[0].id, ok=True, exit_code=0)]


async def test_everything_it_starts_goes_through_the_sandbox(setting: Setting, checkout: Path) -> None:
    await setting.does(WORK).take_turn(turn_in(checkout), Notes(), nobody_asked)

    may_write = [argv[-2:] for argv, access in setting.sandbox.wrapped if access is Access.WRITE]
    assert may_write == [("-c", WORK)]


async def test_a_failure_is_an_error_that_a_person_can_read(setting: Setting, checkout: Path) -> None:
    with pytest.raises(AgentError, match="no such luck"):
        await setting.fails().take_turn(turn_in(checkout), Notes(), nobody_asked)


async def test_a_turn_without_what_it_needs_says_so(setting: Setting, checkout: Path) -> None:
    setting.llm.script([Status(404, "model 'absent' not found")])

    with pytest.raises(AgentUnready):
        await setting.lacks().take_turn(turn_in(checkout), Notes(), nobody_asked)


async def test_when_its_time_is_over_the_child_is_dead(setting: Setting, checkout: Path) -> None:
    with pytest.raises(AgentLimit, match="kept"):
        await setting.does(SLEEP).take_turn(turn_in(checkout, seconds=6.0), Notes(), nobody_asked)

    assert not is_alive(await pid_in(checkout / "pid"))


async def test_cancelled_it_is_over_and_the_child_is_dead(setting: Setting, checkout: Path) -> None:
    notes = Notes()
    await _warm(setting, checkout)
    working = asyncio.create_task(_turn(setting.does(SLEEP).take_turn(turn_in(checkout), notes, nobody_asked)))
    pid = await pid_in(checkout / "pid")

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert not is_alive(pid)
    assert notes.are_paired
    assert not notes.ends[-1].ok


async def _warm(setting: Setting, checkout: Path) -> None:
    """The first turn imports the provider's package."""
    await setting.does("true").take_turn(turn_in(checkout), Notes(), nobody_asked)


async def _turn(working: Awaitable[object]) -> object:
    return await working
