"""A provider's package is rehearsed once, without a network; and a stream that is all there lets others go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from adapters.agents import warm
from adapters.agents.anthropic import build as build_anthropic
from adapters.agents.config import AnthropicConfig, OpenAIConfig
from adapters.agents.http import Breath
from adapters.agents.model import Model
from adapters.agents.openai import build as build_openai
from tests.adapters.agents.turns import Notes, nobody_asked, turn_in
from tests.fakes.llm import FakeLLM, Words
from tests.fakes.sandbox import PassThrough


@pytest.mark.parametrize("api", ["anthropic", "openai"])
async def test_the_first_turn_rehearses_over_no_network_and_later_ones_do_not(
    api: str, llm: FakeLLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "_DONE", set())
    models: list[Model] = []
    plain = warm._rehearse

    async def rehearse(make: object) -> None:
        await plain(make)  # type: ignore[arg-type]
        models.append(make())  # type: ignore[operator]

    monkeypatch.setattr(warm, "_rehearse", rehearse)
    llm.script([Words("one"), Words("two")])
    entry = {"model": "m", "api_key": "some-key"}
    if api == "anthropic":
        config = AnthropicConfig.model_validate({"type": "anthropic", **entry, "base_url": llm.anthropic_base})
        agent = build_anthropic("sam", config, PassThrough(), tmp_path)
    else:
        other = OpenAIConfig.model_validate({"type": "openai", **entry, "base_url": llm.openai_base})
        agent = build_openai("sam", other, PassThrough(), tmp_path)

    with structlog.testing.capture_logs() as logged:
        answers = [(await agent.take_turn(turn_in(tmp_path, "Do it."), Notes(), nobody_asked)).answer for _ in range(2)]

    assert answers == ["one", "two"]
    assert (len(models), len(llm.requests)) == (1, 2)
    assert [each for each in logged if each["event"] == "agent.not_rehearsed"] == []


def test_a_rehearsal_that_fails_is_logged_and_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_DONE", set())

    def broken() -> Model:
        raise AttributeError("another release of the package")

    with structlog.testing.capture_logs() as logged:
        warm.rehearse("anthropic", broken)
        warm.rehearse("anthropic", broken)

    assert [(each["event"], each["provider"]) for each in logged] == [("agent.not_rehearsed", "anthropic")]


async def test_who_reads_what_is_all_there_lets_others_go_on() -> None:
    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(other())
    breath = Breath()
    while others < 3:
        await breath.take()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert others >= 3
