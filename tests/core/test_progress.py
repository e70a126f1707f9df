"""Progress is a fold: whatever an agent says, in whatever order, the anchor can be shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.chat import Person, ThreadRef
from core.model.events import ActionBegan, ActionEnded, AgentEvent, PlanShown, SessionNamed, TextSaid, UsageSeen
from core.model.work import Run, RunId, RunState, Usage, WorkId
from core.runs.progress import SHOWN_ACTIONS, TITLE_LENGTH, Progress, anchor_post, elapsed

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RUN = Run(RunId("r"), WorkId("r"), ThreadRef("p", "t", "c"), "scripted", Person("p", "t", "i"), "Mend it", NOW)
IDS = st.sampled_from("abc")
EVENTS = st.lists(
    st.one_of(
        st.builds(ActionBegan, IDS, st.text(max_size=120)),
        st.builds(ActionEnded, IDS, st.booleans(), st.none() | st.integers(0, 255)),
        st.builds(PlanShown, st.lists(st.tuples(st.text(max_size=20), st.booleans()), max_size=3).map(tuple)),
        st.builds(SessionNamed, st.text(max_size=5)),
        st.builds(UsageSeen, st.builds(Usage, st.integers(0, 9), st.integers(0, 9))),
        st.builds(TextSaid, st.text(max_size=20)),
    ),
    max_size=30,
)


def fold(events: list[AgentEvent]) -> Progress:
    progress = Progress()
    for event in events:
        progress = progress.after(event, NOW)
    return progress


@given(EVENTS, st.sampled_from(RunState))
def test_any_events_can_be_shown(events: list[AgentEvent], state: RunState) -> None:
    progress = fold(events)
    post = anchor_post(replace(RUN, state=state), progress, NOW)

    began = sum(isinstance(each, ActionBegan) for each in events)
    assert progress.step == began
    assert len(progress.actions) == min(began, SHOWN_ACTIONS)
    assert f"**{state}**" in post.text
    assert bool(post.buttons) is not state.is_over
    assert post.text.count("`") % 2 == 0
    assert all(len(each.title) <= TITLE_LENGTH for each in progress.actions)


@given(EVENTS)
def test_the_last_word_of_each_kind_counts(events: list[AgentEvent]) -> None:
    progress = fold([*events, SessionNamed("s"), UsageSeen(Usage(1, 2)), PlanShown((("a", True),)), TextSaid("x")])

    assert (progress.session, progress.usage, progress.plan) == ("s", Usage(1, 2), (("a", True),))
    assert progress.last_sign == NOW


def test_an_end_without_a_beginning_changes_nothing() -> None:
    assert fold([ActionEnded("x", ok=True)]).actions == ()


def test_how_an_anchor_looks() -> None:
    progress = fold(
        [
            PlanShown((("read", True), ("write", False))),
            ActionBegan("1", "ls"),
            ActionEnded("1", ok=True),
            ActionBegan("2", "pytest"),
            ActionEnded("2", ok=False, exit_code=2),
            ActionBegan("3", "edit"),
            ActionEnded("3", ok=False),
            ActionBegan("4", "long " * 50),
        ]
    )
    run = replace(RUN, state=RunState.RUNNING, started_at=NOW - timedelta(seconds=64))

    lines = anchor_post(run, progress, NOW, waiting_for="Waits").text.split("  \n")

    assert lines[:4] == ["Mend it", "**RUNNING** · scripted · 1m 04s · step 4", "*Waits*", "☑ read"]
    assert lines[4:8] == ["☐ write", "✓ `ls`", "✗ `pytest` (exit 2)", "✗ `edit`"]
    assert lines[8].startswith("▸ `long long")
    assert lines[8].endswith("…`")


def test_a_run_that_waits_shows_what_it_waits_for_and_not_its_actions() -> None:
    shown = anchor_post(replace(RUN, state=RunState.WAITING), fold([ActionBegan("1", "ls")]), NOW).text

    assert "`ls`" not in shown


@pytest.mark.parametrize(
    ("seconds", "words"), [(-3, "0s"), (12.9, "12s"), (60, "1m 00s"), (184, "3m 04s"), (3720, "1h 02m")]
)
def test_time_is_said_shortly(seconds: float, words: str) -> None:
    assert elapsed(seconds) == words
