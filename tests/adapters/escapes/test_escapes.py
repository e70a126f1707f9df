"""A scripted evil agent tries every way out that it knows; where nothing holds it, the same scripts get there."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

import pytest

from tests.adapters.escapes import files, kernel, reach
from tests.adapters.escapes.case import Escape
from tests.adapters.escapes.world import Traps, escaped

CASES: tuple[Escape, ...] = (*files.CASES, *reach.CASES, *kernel.CASES)
KINDS = tuple(dict.fromkeys(each.kind for each in CASES))
LEAST, LEAST_OF_KIND = 200, 6
SECONDS = 600

pytestmark = [
    pytest.mark.timeout(SECONDS),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the calls are numbered as on x86-64"),
]


@pytest.fixture
def traps() -> Iterator[Traps]:
    traps = Traps()
    yield traps
    traps.close()


def of_kind(kind: str) -> list[Escape]:
    return [each for each in CASES if each.kind == kind]


def test_there_are_enough_of_each_kind() -> None:
    assert len({(each.kind, each.name) for each in CASES}) == len(CASES) >= LEAST
    assert [kind for kind in KINDS if len(of_kind(kind)) < LEAST_OF_KIND] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_gets_out(traps: Traps, kind: str) -> None:
    cases = of_kind(kind)

    out = {each.name: how for each in cases if (how := await escaped(each, traps, is_held=True))}

    print(f"{kind}: {len(cases) - len(out)} of {len(cases)} held")  # noqa: T201
    assert out == {}


@pytest.mark.skipif(os.getuid() != 0, reason="what root may do is what is shown")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if any(each.is_harmless for each in of_kind(kind))])
async def test_without_a_sandbox_each_that_does_no_harm_gets_there(traps: Traps, kind: str) -> None:
    cases = [each for each in of_kind(kind) if each.is_harmless and (traps.has_six or "TCP6" not in each.script)]

    held = [each.name for each in cases if not await escaped(each, traps, is_held=False)]

    print(f"{kind}: {len(cases) - len(held)} of {len(cases)} get there without a sandbox")  # noqa: T201
    assert held == []
