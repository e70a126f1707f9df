"""The tally: what was counted comes out as Prometheus reads it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.metrics import COUNTERS, GAUGES, HISTOGRAMS, Tally, exposed
from core.ports import Meter

PER_MESSAGE_SECONDS = 10e-6


def read(tally: Tally, **gauges: float) -> dict[str, float]:
    text, kind = exposed(tally, {name: {(): value} for name, value in gauges.items()})

    assert kind.startswith("text/plain; version=")
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_it_is_a_meter() -> None:
    tally = Tally()
    meter: Meter = tally

    assert meter is tally


def test_counts_add_up_whatever_the_order_of_their_labels() -> None:
    tally = Tally()
    tally.count("posts", platform="slack", outcome="sent")
    tally.count("posts", 2, outcome="sent", platform="slack")
    tally.count("posts", platform="telegram", outcome="sent")

    said = read(tally)

    assert said["patchbay_posts_total outcome=sent platform=slack"] == 3
    assert said["patchbay_posts_total outcome=sent platform=telegram"] == 1


def test_a_histogram_counts_up_to_each_bound_and_including_it() -> None:
    tally = Tally()
    for value in (0.005, 0.006, 0.01, 29.0, 31.0):
        tally.observe("handling_seconds", value, platform="slack")

    said = read(tally)

    bucket = "patchbay_handling_seconds_bucket le={} platform=slack"
    assert [said[bucket.format(le)] for le in ("0.005", "0.01", "0.025", "30.0", "+Inf")] == [1, 3, 3, 4, 5]
    assert said["patchbay_handling_seconds_count platform=slack"] == 5
    assert said["patchbay_handling_seconds_sum platform=slack"] == pytest.approx(60.021)


def test_gauges_are_told_as_they_are_and_what_the_process_uses() -> None:
    said = read(Tally(), inbox_depth=7.0)

    assert said["patchbay_inbox_depth"] == 7
    assert said["process_resident_memory_bytes"] > 1_000_000


def test_labels_of_any_text_are_escaped() -> None:
    tally = Tally()
    tally.count("tokens", 5, agent='a"b\\c\nd', direction="in")

    assert read(tally)['patchbay_tokens_total agent=a"b\\c\nd direction=in'] == 5


def test_a_copy_stands_still() -> None:
    tally = Tally()
    tally.count("posts", platform="slack", outcome="sent")
    tally.observe("turn_seconds", 3, agent="a", outcome="done")
    copy = tally.copy()
    tally.count("posts", platform="slack", outcome="sent")
    tally.observe("turn_seconds", 3, agent="a", outcome="done")

    assert read(copy)["patchbay_posts_total outcome=sent platform=slack"] == 1
    assert read(copy)["patchbay_turn_seconds_count agent=a outcome=done"] == 1
    assert read(tally)["patchbay_turn_seconds_sum agent=a outcome=done"] == 6


def test_a_name_that_nobody_explained_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Tally().count("nonsense")
    with pytest.raises(KeyError):
        Tally().observe("posts", 1.0)


def test_every_table_explains_itself_and_bounds_ascend() -> None:
    for name, each in {**COUNTERS, **HISTOGRAMS, **GAUGES}.items():
        assert each.about.endswith("."), name
        assert list(each.buckets) == sorted(set(each.buckets)), name
        assert bool(each.buckets) == (name in HISTOGRAMS), name


def test_prometheus_is_not_loaded_before_it_is_asked_for() -> None:
    code = "import sys, bot.wiring; print('prometheus_client' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout == "False\n"
