"""The built-in loop and recipes ask before they act, and do exactly what was allowed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.agents.asking import patient
from adapters.agents.command import Command
from adapters.agents.config import CommandConfig
from adapters.agents.model import Call
from adapters.agents.tools import Tools
from core.model.approvals import Act, ActKind, Verdict
from core.model.errors import AgentError
from tests.adapters.agents.conftest import Looping
from tests.adapters.agents.turns import Notes, turn_in
from tests.fakes.llm import Use, Words
from tests.fakes.sandbox import PassThrough


class Judge:
    """Answers each act as `says`, after `meanwhile`."""

    def __init__(
        self, *, says: bool = True, by: str = "Mia", meanwhile: Callable[[Act], object] = lambda _: None
    ) -> None:
        self.verdict = Verdict(granted=says, reason="" if says else "Mia denied it: not now", by=by)
        self.acts: list[Act] = []
        self.meanwhile = meanwhile

    async def __call__(self, act: Act) -> Verdict:
        self.acts.append(act)
        await asyncio.sleep(0)
        self.meanwhile(act)
        return self.verdict


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


async def use(folder: Path, judge: Judge, name: str, **arguments: object) -> tuple[str, bool]:
    tools = Tools(turn_in(folder).checkout, PassThrough(), Notes(), judge)
    result = await tools.use(Call("1", name, json.dumps(arguments)), "It is needed.")
    return result.text, result.is_error


async def test_bash_asks_with_the_exact_command(tmp_path: Path) -> None:
    judge = Judge()
    text, _ = await use(tmp_path, judge, "bash", command="echo 'a  b'")

    assert text == "a  b\n"
    [act] = judge.acts
    assert (act.kind, act.argv, act.folder) == (ActKind.RUN, ("bash", "-c", "echo 'a  b'"), str(tmp_path))
    assert act.reason == "It is needed."


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("bash", {"command": "echo x > new"}),
        ("edit", {"path": "new", "old": "", "new": "x"}),
        ("edit", {"path": "deep/new", "old": "", "new": "x"}),
        ("edit", {"path": "old", "old": "was", "new": "is"}),
    ],
)
async def test_a_denied_act_leaves_no_change_and_says_why(tmp_path: Path, tool: str, arguments: dict[str, str]) -> None:
    (tmp_path / "old").write_text("it was so")
    text, is_error = await use(tmp_path, Judge(says=False), tool, **arguments)
    allowed, _ = await use(tmp_path / "..", Judge(), "read", path=f"{tmp_path.name}/old")

    assert is_error
    assert "Mia denied it: not now" in text
    assert names(tmp_path) == {"old"}
    assert allowed == "it was so"


async def test_a_denied_read_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden words")
    text, is_error = await use(tmp_path, Judge(says=False), "read", path="secret")

    assert is_error
    assert "hidden" not in text


async def test_an_edit_is_asked_about_where_it_really_lands(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / "notes").symlink_to(".github")
    judge = Judge()
    await use(tmp_path, judge, "edit", path="notes/ci.yml", old="", new="on: push")
    await use(tmp_path, judge, "read", path="notes/ci.yml")

    assert [each.target for each in judge.acts] == [".github/ci.yml"] * 2


async def test_a_file_that_changes_while_it_is_asked_about_is_not_written(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("it was so")
    swapped, is_error = await use(
        tmp_path, Judge(meanwhile=lambda _: old.write_text("evil; it was so")), "edit", path="old", old="was", new="is"
    )
    appeared, also = await use(
        tmp_path, Judge(meanwhile=lambda _: new.write_text("evil")), "edit", path="new", old="", new="x"
    )

    assert is_error
    assert also
    assert "has changed while it was asked about" in swapped
    assert "is there already" in appeared
    assert (old.read_text(), new.read_text()) == ("evil; it was so", "evil")


async def test_an_act_that_is_swapped_after_the_yes_is_not_done(tmp_path: Path) -> None:
    def swap(act: Act) -> None:
        object.__setattr__(act, "argv", ("bash", "-c", "touch evil"))

    text, is_error = await use(tmp_path, Judge(meanwhile=swap), "bash", command="true")

    assert is_error
    assert "not what was allowed" in text
    assert names(tmp_path) == set()


async def test_the_clock_of_a_turn_stands_still_while_a_person_thinks() -> None:
    now = asyncio.get_running_loop().time
    seen: list[float | None] = []

    async def slow(act: Act) -> Verdict:
        seen.append(limit.when())
        await asyncio.sleep(0.01)
        return Verdict(granted=not act.reason)

    async with asyncio.timeout(60) as limit:
        before = limit.when() or 0.0
        began = now()
        verdict = await patient(slow, limit)(Act(ActKind.RUN, "x"))
        took = now() - began
        after = limit.when() or 0.0

    assert verdict.granted
    assert seen == [None], "no limit counts while it is asked"
    assert 0 < after - before <= took


async def test_the_model_reads_that_it_was_denied_and_goes_on(looping: Looping) -> None:
    looping.llm.script([replace(Use("bash", command="touch x"), text="I make it."), Words("Then not.")])
    judge = Judge(says=False)
    result = await looping.agent().take_turn(looping.turn(), looping.notes, judge)

    assert result.answer.endswith("Then not.")
    assert "Mia denied it: not now" in looping.results()[0]
    assert judge.acts[0].reason == "I make it."
    assert names(looping.folder) == set()


async def test_a_recipe_asks_about_all_its_steps_before_the_first(tmp_path: Path) -> None:
    config = CommandConfig.model_validate({"type": "command", "steps": [["touch", "one"], ["touch", "two"]]})
    agent = Command("touching", config, PassThrough())

    class NotTwo(Judge):
        async def __call__(self, act: Act) -> Verdict:
            verdict = await super().__call__(act)
            return verdict if act.argv[-1] == "one" else Verdict(granted=False, reason="not two")

    judge = NotTwo()
    with pytest.raises(AgentError, match="not two"):
        await agent.take_turn(turn_in(tmp_path), Notes(), judge)
    assert [each.argv for each in judge.acts] == [("touch", "one"), ("touch", "two")]
    assert names(tmp_path) == set()
    await agent.take_turn(turn_in(tmp_path), Notes(), Judge())
    assert names(tmp_path) == {"one", "two"}
