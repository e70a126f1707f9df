"""The command agent: its steps in order, words only as arguments, and what people read of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.agents.command import Command, expand
from adapters.agents.config import CommandConfig
from core.model.errors import AgentCapped, AgentError, AgentUnready, SandboxError
from core.model.events import TurnResult
from core.ports import Wrapped
from tests.adapters.agents.turns import Notes, nobody_asked, turn_in
from tests.fakes.sandbox import PassThrough


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


async def take(folder: Path, *steps: tuple[str, ...], notes: Notes | None = None, **rest: Any) -> TurnResult:
    words = rest.pop("words", ())
    agent = Command("tidy", CommandConfig(steps=steps, **rest), PassThrough())
    return await agent.take_turn(turn_in(folder, words=words), notes or Notes(), nobody_asked)


async def test_steps_run_in_order_and_the_answer_shows_their_output(tmp_path: Path) -> None:
    notes = Notes()

    result = await take(tmp_path, ("sh", "-c", "echo one > log; echo said"), ("sh", "-c", "cat log"), notes=notes)

    assert (
        result.answer
        == "`sh -c 'echo one > log; echo said'`: done\n```\nsaid\n```\n\n`sh -c 'cat log'`: done\n```\none\n```"
    )
    assert notes.titles == ["sh -c 'echo one > log; echo said'", "sh -c 'cat log'"]
    assert notes.said == "said\none\n"


async def test_the_words_are_arguments_and_nothing_else(tmp_path: Path) -> None:
    words = ("a b", "$(id)", ";", "ü", "", "{words}")

    result = await take(tmp_path, ("printf", "<%s>", "{words}"), words=words)

    assert "<a b><$(id)><;><ü><><{words}>" in result.answer


async def test_without_words_there_is_no_argument(tmp_path: Path) -> None:
    assert expand(("echo", "{words}", "end"), (), "tidy") == ["echo", "end"]


async def test_a_placeholder_inside_an_argument_is_left_alone() -> None:
    assert expand(("echo", "x{words}", "{word}"), ("a",), "tidy") == ["echo", "x{words}", "{word}"]


@pytest.mark.parametrize("word", ["-rf", "--config=evil", "-", "a\0b"])
async def test_a_word_that_could_be_an_option_is_refused_before_anything_runs(tmp_path: Path, word: str) -> None:
    with pytest.raises(AgentError, match="tidy"):
        await take(tmp_path, ("sh", "-c", "echo ran > ran"), ("echo", "{words}"), words=(word,))

    assert is_empty(tmp_path)


async def test_after_a_double_dash_every_word_is_plain(tmp_path: Path) -> None:
    assert expand(("grep", "--", "{words}"), ("-rf",), "tidy") == ["grep", "--", "-rf"]
    with pytest.raises(AgentError):
        expand(("grep", "{words}", "--"), ("-rf",), "tidy")


async def test_a_step_that_fails_ends_the_run_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"(?s)exit 3.*broken here"):
        await take(tmp_path, ("sh", "-c", "echo broken here >&2; exit 3"), ("sh", "-c", "echo ran > ran"))

    assert is_empty(tmp_path)


async def test_where_failures_do_not_stop_they_are_shown(tmp_path: Path) -> None:
    notes = Notes()

    result = await take(tmp_path, ("sh", "-c", "exit 3"), ("sh", "-c", "echo on"), stop_at_failure=False, notes=notes)

    assert "`sh -c 'exit 3'`: exit 3" in result.answer
    assert "on" in result.answer
    assert [(each.ok, each.exit_code) for each in notes.ends] == [(False, 3), (True, 0)]


@pytest.mark.parametrize(("program", "reason"), [("./absent.sh", "No such file"), ("./data", "Permission denied")])
async def test_a_program_of_the_project_that_cannot_start_is_said(tmp_path: Path, program: str, reason: str) -> None:
    (tmp_path / "data").write_text("not a program")

    with pytest.raises(AgentUnready, match=reason):
        await take(tmp_path, (program,))


async def test_a_flood_of_output_is_cut(tmp_path: Path) -> None:
    notes = Notes()

    result = await take(tmp_path, ("seq", "1", "1000000"), notes=notes)

    assert len(result.answer) < 3_200
    assert result.answer.rstrip("`\n").endswith("1000000")
    assert len(notes.said) <= 12_000


async def test_ticks_in_the_output_do_not_end_the_block(tmp_path: Path) -> None:
    result = await take(tmp_path, ("printf", "```\n````\n"))

    assert "\n`````\n```\n````\n`````" in result.answer


async def test_output_that_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    result = await take(tmp_path, ("printf", r"caf\351"))

    assert "caf�" in result.answer


def test_only_a_recipe_that_says_so_may_be_repeated() -> None:
    steps = (("true",),)

    assert not Command("a", CommandConfig(steps=steps), PassThrough()).can_repeat
    assert Command("a", CommandConfig(steps=steps, repeatable=True), PassThrough()).can_repeat


async def test_what_it_is_is_said_in_its_own_words_or_by_its_steps() -> None:
    steps = (("ruff", "format"), ("ruff", "check", "--fix"))

    assert (await Command("a", CommandConfig(steps=steps), PassThrough()).ready()).about == (
        "runs ruff format, then ruff check --fix"
    )
    assert (await Command("a", CommandConfig(steps=steps, about="tidies"), PassThrough()).ready()).about == "tidies"


class _Shut(PassThrough):
    def wrap(self, *_: Any, **__: Any) -> Wrapped:
        raise SandboxError("there is no bubblewrap")


async def test_a_sandbox_that_does_not_work_is_what_is_missing() -> None:
    ready = await Command("a", CommandConfig(steps=(("true",),)), _Shut()).ready()

    assert not ready.is_usable
    assert ready.missing == "there is no bubblewrap"


async def test_a_coding_agent_that_ends_at_its_cap_is_capped_until_it_resets(tmp_path: Path) -> None:
    said = ("sh", "-c", "echo working; echo 'usage limit reached, try again in 3 hours'; exit 1")
    before = datetime.now(UTC)

    with pytest.raises(AgentCapped, match="usage limit reached") as caught:
        await take(tmp_path, said)

    wait = caught.value.resets_at - before
    assert timedelta(hours=3) <= wait < timedelta(hours=4)


@pytest.mark.parametrize("said", ["usage limit reached", "try again in 3 hours"])
async def test_a_failure_that_names_no_cap_or_no_time_is_a_failure(tmp_path: Path, said: str) -> None:
    with pytest.raises(AgentError, match="exit 1") as caught:
        await take(tmp_path, ("sh", "-c", f"echo '{said}'; exit 1"))

    assert not isinstance(caught.value, AgentCapped)


async def test_a_recipe_that_succeeds_may_talk_of_caps(tmp_path: Path) -> None:
    result = await take(tmp_path, ("echo", "usage limit reached, try again in 3 hours"))

    assert "usage limit reached" in result.answer
