"""Forged approvals: whatever is changed about a yes, nothing is done but what a person allowed, once.

1,000 forgeries here; APPROVAL_FORGERIES=10000 for as many as one likes. A desk that does not compare digests is the
control: it lets the swapped ones pass.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.agents.asking import Permit, Refused
from core.model.approvals import Act, ActKind, Approval, ApprovalId, ApprovalState, Decision, Extent
from core.model.chat import ButtonToken, Cause, Person, PostRef, Pressed, ThreadRef
from core.model.work import ProjectKey, RunId
from tests.databases import sqlite_store
from tests.whole import MEMBER, VIEWER, WholeBot, whole_bot

COUNT = int(os.environ.get("APPROVAL_FORGERIES", "1000"))
ROOT = "/work/r1"
DEMO = ProjectKey("DEMO")
ACTS = (
    Act(ActKind.RUN, "clean", ("bash", "-c", "rm -rf src"), "rm -rf src", ROOT, ("CI", "LANG")),
    Act(ActKind.RUN, "step", ("ruff", "format", "."), "", ROOT),
    Act(ActKind.EDIT, "ci", (), "", ROOT, (), ".github/workflows/ci.yml", "on: push\n", "on: pull_request\n"),
    Act(ActKind.FETCH, "call", (), "", ROOT, (), "example.com"),
)


def changed(act: Act, dice: random.Random) -> dict[str, Act]:
    """The act with one thing about it swapped, by what that is."""
    mark = f"{dice.getrandbits(40):x}"
    argv = list(act.argv or ("true",))
    at = dice.randrange(len(argv))
    line = act.command or "true"
    cut = dice.randrange(len(line) + 1)
    content = act.content or "x"
    hole = dice.randrange(len(content) + 1)
    return {
        "swapped argv": replace(act, argv=(*argv[:at], argv[at] + mark, *argv[at + 1 :])),
        "argv split otherwise": replace(act, argv=(*" ".join(argv).split(" "), mark)),
        "swapped command": replace(act, command=line[:cut] + f"; {mark} " + line[cut:]),
        "swapped folder": replace(act, folder=f"{act.folder}/{mark}"),
        "swapped environment": replace(act, environment=(*act.environment, f"A{mark}")),
        "swapped target": replace(act, target=f"{act.target}{mark}"),
        "swapped content": replace(act, content=content[:hole] + mark + content[hole:]),
        "swapped base": replace(act, before=act.before + mark),
        "swapped kind": replace(act, kind=ActKind.OTHER if dice.random() < 0.5 else ActKind.READ, content=mark),
    }


async def test_no_forged_act_is_spent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dice, now = random.Random(7), None
    refused, all_of_them, passed_control = Counter[str](), Counter[str](), Counter[str]()
    async with whole_bot(tmp_path) as bot:
        store = bot.store
        number = 0
        while sum(all_of_them.values()) < COUNT:
            act = ACTS[number % len(ACTS)]
            now = bot.clock.now()
            number += 1
            granted = await grant(bot, act, number)
            forged = {name: (granted.run, each.digest) for name, each in changed(act, dice).items()}
            forged["mutated digest"] = (granted.run, flipped(granted.digest, dice))
            forged["cut digest"] = (granted.run, granted.digest[: dice.randrange(64)])
            forged["another run"] = (RunId(f"run-{dice.getrandbits(40)}"), granted.digest)
            for name, (run, digest) in forged.items():
                all_of_them[name] += 1
                refused[name] += not await store.spend_approval(granted.id, run, digest, now)
                passed_control[name] += run == granted.run  # a desk that compares no digests
            for name, id_, when in (
                ("wrong token", ApprovalId(f"{dice.getrandbits(40):010x}"), now),
                ("expired", granted.id, granted.until + timedelta(microseconds=dice.randrange(10**9))),
            ):
                all_of_them[name] += 1
                refused[name] += not await store.spend_approval(id_, granted.run, granted.digest, when)
            again = await grant(bot, act, number + 10**6)
            assert await store.spend_approval(again.id, again.run, again.digest, now), "the true one counts"
            all_of_them["spent before"] += 1
            refused["spent before"] += not await store.spend_approval(again.id, again.run, again.digest, now)

    total = sum(all_of_them.values())
    with capsys.disabled():
        least = min(all_of_them.values())
        print(f"\nforged approvals: {sum(refused.values())} of {total} refused, at least {least} of each of")  # noqa: T201 - a figure for who reads the run
        print("  " + ", ".join(sorted(all_of_them)))  # noqa: T201 - a figure for who reads the run
    assert refused == all_of_them
    assert min(all_of_them.values()) >= COUNT // 20
    swapped = [name for name in all_of_them if name.startswith("swapped")]
    assert all(passed_control[name] == all_of_them[name] for name in swapped), "the control accepts them"


async def grant(bot: WholeBot, act: Act, number: int) -> Approval:
    now = bot.clock.now()
    wanted = Approval(
        ApprovalId(f"{number:010x}"),
        RunId(f"r{number}"),
        1,
        act.digest,
        act.likeness(ROOT),
        "title",
        "shown",
        MEMBER,
        bot.platform.thread,
        DEMO,
        now,
        now + timedelta(hours=1),
    )
    asked = await bot.store.ask_approval(wanted)
    granted = await bot.store.decide_approval(asked.id, Decision(granted=True, person=MEMBER), now)
    assert granted is not None
    assert granted.state is ApprovalState.GRANTED
    return granted


def flipped(digest: str, dice: random.Random) -> str:
    at = dice.randrange(64)
    return digest[:at] + dice.choice([each for each in "0123456789abcdef" if each != digest[at]]) + digest[at + 1 :]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.title)
def test_what_was_allowed_is_compared_right_before_it_is_done(act: Act) -> None:
    dice = random.Random(11)
    permit = Permit(act, act.digest, "Mia")

    assert permit.checked() is act
    for other in changed(act, dice).values():
        swapped = Permit(other, act.digest, "Mia")
        with pytest.raises(Refused):
            swapped.checked()
        assert Permit(other, other.digest).checked() is other, "the control: its own digest lets it pass"


def test_no_two_acts_are_written_alike() -> None:
    alike = [
        Act(ActKind.RUN, "", ("ab", "c")),
        Act(ActKind.RUN, "", ("a", "bc")),
        Act(ActKind.RUN, "", ("abc",)),
        Act(ActKind.RUN, "", ("abc", "")),
        Act(ActKind.RUN, "", (), "abc"),
        Act(ActKind.RUN, "", (), "", "abc"),
        Act(ActKind.RUN, "", (), "", "", ("abc",)),
        Act(ActKind.RUN, "", (), "", "", ("ab", "c")),
        Act(ActKind.RUN, "", (), "", "", (), "abc"),
        Act(ActKind.RUN, "", (), "", "", (), "", "abc"),
        Act(ActKind.RUN, "", (), "", "", (), "", "", "abc"),
        Act(ActKind.EDIT, "", (), "", "", (), "", "", "abc"),
        Act(ActKind.RUN, "", ("ab:1:c",)),
        Act(ActKind.RUN, "", (":1:a", "bc")),
        Act(ActKind.RUN, "", ("\ud800",)),
    ]

    assert len({each.digest for each in alike}) == len(alike)
    assert Act(ActKind.RUN, "a", reason="x").digest == Act(ActKind.RUN, "b", reason="y").digest
    names = [Act(ActKind.RUN, "", environment=each) for each in (("A", "B"), ("B", "A"), ("A", "B", "A"))]
    assert len({each.digest for each in names}) == 1


def test_what_is_alike_is_the_same_command_or_the_same_file() -> None:
    run, _, edit, fetch = ACTS

    assert run.likeness(ROOT) == replace(run, folder="/work/r2").likeness("/work/r2")
    assert run.likeness(ROOT) != replace(run, folder="/etc").likeness(ROOT)
    assert run.likeness(ROOT) != replace(run, folder=f"{ROOT}/sub").likeness(ROOT)
    assert replace(run, folder="/work/r11").likeness(ROOT) != run.likeness(ROOT)
    assert edit.likeness(ROOT) == replace(edit, content="anything").likeness(ROOT)
    assert edit.likeness(ROOT) != replace(edit, target="x").likeness(ROOT)
    assert fetch.likeness(ROOT) != replace(fetch, content="body").likeness(ROOT)
    other = Act(ActKind.OTHER, "say hello")
    assert other.likeness(ROOT) != replace(other, title="say bye").likeness(ROOT)


async def test_no_forged_press_and_no_forged_word_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through the door: other tokens, chats and people."""
    dice, count = random.Random(3), max(30, COUNT // 20)
    kinds = Counter[str]()
    async with whole_bot(tmp_path) as bot:
        await bot.linked()
        now, thread = bot.clock.now(), bot.platform.thread
        wanted = Approval(
            ApprovalId("0123456789"), RunId("r1"), 1, "d", "l", "t", "s", MEMBER, thread, DEMO, now, now + timedelta(1)
        )
        asked = await bot.store.ask_approval(wanted)
        await bot.approvals._put(asked, ACTS[0], now)
        question = await bot.platform.shown("May the agent")
        true = question.buttons[0].token
        group = ThreadRef("fake", "home", "group")
        stranger = Person("fake", "home", "stranger", "Sam")
        for number in range(count):
            token, where, person = true, thread, MEMBER
            match number % 6:
                case 0:
                    kinds["wrong token"] += 1
                    token = ButtonToken(f"{dice.getrandbits(128):x}")
                case 1:
                    kinds["other chat"] += 1
                    where = group
                case 2:
                    kinds["stranger"] += 1
                    person = replace(stranger, id=f"s{number}")
                case 3:
                    kinds["viewer"] += 1
                    person = VIEWER
                case 4:
                    kinds["other tenant"] += 1
                    person = replace(MEMBER, tenant="away")
                case 5:
                    kinds["typed elsewhere"] += 1
                    await bot.said(f"/approve {asked.id} {dice.choice(list(Extent))}", thread=group)
                    continue
            event = Pressed(Cause(f"forged:{number}"), where, person, token, PostRef(where, question.ref.id))
            await bot.platform.deliver(event)
        await bot.inbox.until_quiet()
        stands = await bot.store.approval(asked.id)
        assert stands is not None
        assert (stands.state, stands.first, stands.by) == (ApprovalState.OPEN, None, None)
        await bot.platform.press(question.buttons[0], person=MEMBER)
        await bot.inbox.until_quiet()
        truly = await bot.store.approval(asked.id)
        assert truly is not None
        assert truly.state is ApprovalState.GRANTED, "the true one counts"

    with capsys.disabled():
        print(f"\nforged answers: {count} of {count} refused: {dict(kinds)}")  # noqa: T201 - a figure for who reads the run
    assert min(kinds.values()) >= count // 6


async def test_a_store_that_was_closed_between_yes_and_use_knows_the_yes(tmp_path: Path) -> None:
    """As a crash: what was decided is committed before anybody is told."""
    act = ACTS[0]
    async with whole_bot(tmp_path) as bot:
        granted = await grant(bot, act, 1)
        now = bot.clock.now()
    async with sqlite_store(tmp_path) as store:
        assert not await store.spend_approval(granted.id, granted.run, replace(act, folder="/").digest, now)
        assert await store.spend_approval(granted.id, granted.run, act.digest, now)
        assert not await store.spend_approval(granted.id, granted.run, act.digest, now)
