"""What an evil agent can plant in its checkout: none of it runs, none of it turns the push elsewhere.

Each state is shown in the same run to harm a git as people use it, or it is written down why it does not.
"""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.adapters.git_states.bait import Listener
from tests.adapters.git_states.field import Field
from tests.adapters.git_states.table import LEAST, STATES, State
from tests.fakes.git_http import GitHttp

PIECE = 6
WAYS = ((False, True),) * 2 if os.environ.get("PATCHBAY_FULL") else ((False,), (True,))
"""By a path, by HTTP: each state by one of them, or by both when all is asked for."""
PIECES = [
    pytest.param(name, states[at : at + PIECE], id=f"{name} {at // PIECE + 1}")
    for name, states in STATES.items()
    for at in range(0, len(states), PIECE)
]


def test_each_class_has_its_states_and_each_state_a_name() -> None:
    names = [state.name for states in STATES.values() for state in states]

    assert len(names) == len(set(names)) >= 60
    for name, states in STATES.items():
        assert len(states) >= LEAST[name], name


@pytest.mark.parametrize(("name", "states"), PIECES)
async def test_what_is_planted_is_inert_here_and_harmful_elsewhere(
    tmp_path: Path, name: str, states: tuple[State, ...]
) -> None:
    token = uuid4().hex
    authorization = f"Basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}"
    inert, harmful, told, wrong = 0, 0, list[str](), list[str]()
    async with GitHttp(tmp_path / "served", token) as server:
        for number, state in enumerate(states):
            with Listener() as listener:
                field = Field(tmp_path / f"{number}", server, listener.port)
                outcomes = [
                    await field.bot(state, by_http=way, authorization=authorization) for way in WAYS[number % 2]
                ]
                assert not listener.calls, state.name
                naive = await asyncio.to_thread(field.naive, state, token, lambda: listener.calls)
                wrong += [f"{state.name}: {naive.harm or 'unharmed'}"] if bool(naive.harm) is bool(state.spared) else []
                harmful += bool(naive.harm)
                inert += not any(each.harm for each in outcomes)
                told += [f"{state.name}: {each.harm}" for each in outcomes if each.harm]
    mended = [state.name for state in states if state.spared.startswith("mended")]
    sys.stdout.write(f"{version()} has mended: {', '.join(mended) or 'none of these'}\n")
    sys.stdout.write(f"{name}: {inert} of {len(states)} inert, {harmful} of them harmful to a naive git\n")
    assert (told, wrong) == ([], [])


def version() -> str:
    return subprocess.run(["git", "version"], check=True, capture_output=True, text=True).stdout.strip()
