"""The benchmark of prompts, as a test: its figure is part of what is promised."""

from __future__ import annotations

import statistics

import pytest

from benchmarks.approvals.__main__ import MOST, report


def test_ten_runs_ask_at_most_twice_in_the_median(capsys: pytest.CaptureFixture[str]) -> None:
    prompts, refused = report()

    assert len(prompts) == 10
    assert statistics.median(prompts) <= MOST
    assert max(prompts) > 0, "some of it is asked about"
    assert refused == 0
    assert "median" in capsys.readouterr().out
