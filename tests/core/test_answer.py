"""How a run ends in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.files import joined
from core.model.chat import Cause, Person, Post, ThreadRef
from core.model.work import (
    Change,
    FileChange,
    ProjectKey,
    PullRequest,
    PullState,
    Run,
    RunId,
    RunState,
    Turn,
    Usage,
    Work,
    WorkId,
)
from core.runs.answer import files, final_post, kept, left_post, link

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
THREAD = ThreadRef("p", "t", "c")
MIA = Person("p", "t", "m", "Mia")
RUN = Run(RunId("r"), WorkId("w"), THREAD, "scripted", MIA, "Mend it", NOW, started_at=NOW)
WORK = Work(WorkId("w"), ProjectKey("DEMO"), "task/DEMO-1", THREAD)
PULL = PullRequest(3, "https://forge.example/3", "Mend [it]", "task/DEMO-1", "main")
CHANGE = Change("c", "task/DEMO-1", "main", (FileChange("a.py", 2, 1), FileChange("b.png", None, None)))


def post(
    *,
    state: RunState = RunState.COMPLETED,
    change: Change | None = None,
    pull: PullRequest | None = None,
    usage: Usage | None = None,
    more: bool = False,
    is_kept_back: bool = False,
) -> Post:
    """As it is said where it fits."""
    whole = final_post(
        RUN,
        WORK,
        state,
        NOW + timedelta(seconds=5),
        said=" Done. ",
        change=change,
        pull=pull,
        usage=usage or Usage(),
        more=more,
        is_kept_back=is_kept_back,
    )
    return joined(whole)


def labels(shown: Post) -> list[str]:
    return [button.label for row in shown.buttons for button in row]


def test_an_answer_that_changed_nothing() -> None:
    shown = post()

    assert shown.text == "✅ **Mend it** · scripted · 5s\n\nDone.\n\nNo file was changed, so there is no pull request."
    assert shown.buttons == ()


def test_a_change_with_its_pull_request() -> None:
    shown = post(change=CHANGE, pull=PULL, more=True)

    assert "**2 files changed** (+2 -1) on `task/DEMO-1`\n\n- `a.py` +2 -1\n- `b.png` binary" in shown.text
    assert "Pull request: [#3 Mend (it)](https://forge.example/3)" in shown.text
    assert shown.text.endswith("*Going on with what you said meanwhile.*")
    assert labels(shown) == ["Show diff", "Merge"]


def test_a_change_without_a_pull_request_offers_one() -> None:
    assert labels(post(state=RunState.FAILED, change=CHANGE)) == ["Show diff", "Open pull request"]


def test_what_could_not_be_published_is_offered_again() -> None:
    assert labels(post(state=RunState.FAILED, is_kept_back=True)) == ["Publish again"]


def test_a_pull_request_of_before() -> None:
    merged = replace(PULL, state=PullState.MERGED)
    shown = post(pull=merged)

    assert "No file was changed.\n" in shown.text
    assert "(merged)" in shown.text
    assert labels(shown) == ["Show diff"]


def test_a_path_is_no_link() -> None:
    assert link(replace(PULL, url="/data/pulls/3")) == "#3 Mend [it] — `/data/pulls/3`"


def test_many_files_are_counted() -> None:
    many = replace(CHANGE, files=tuple(FileChange(f"{number}.py", 1, 0) for number in range(10)))

    assert "- … 2 more" in files(many)
    assert "**1 file changed**" in files(replace(CHANGE, files=CHANGE.files[:1]))


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (Usage(900, 20), "*900 tokens in, 20 out*"),
        (Usage(12_340, 1000, 0.0123), "*12.3k tokens in, 1.0k out · $0.0123*"),
        (Usage(0, 0, 1.5), "*$1.50*"),
    ],
)
def test_tokens_and_cost(usage: Usage, words: str) -> None:
    assert words in post(usage=usage).text


def test_what_is_kept() -> None:
    assert "is kept on `b`" in kept(CHANGE, "b")
    assert "Nothing had been changed." in kept(None, "b")


def test_what_was_not_taken_up_is_quoted() -> None:
    said = [Turn(RUN.id, number, Cause(f"c{number}"), f"word\n{number} " + "x" * 300, MIA) for number in range(2, 9)]

    text = left_post(said).text

    assert "> word 2 xxx" in text
    assert "> … 2 more" in text
    assert all(len(line) < 210 for line in text.splitlines())
