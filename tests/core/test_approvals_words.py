"""How an approval looks: all of the act, and nothing of it hidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.approvals.words import CONTEXT, brief, decided, difference, question, shown, title, told
from core.files import BEGINNING
from core.model.approvals import Act, ActKind, Approval, ApprovalId, ApprovalState, Extent
from core.model.chat import Person, ThreadRef
from core.model.work import ProjectKey, RunId

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MIA = Person("slack", "T", "U1", "M*i*a")
ASKED = Approval(
    ApprovalId("0123456789"),
    RunId("r"),
    1,
    "d",
    "l",
    "rm -rf src",
    "```sh\nrm -rf src\n```",
    MIA,
    ThreadRef("slack", "T", "C", "1"),
    ProjectKey("DEMO"),
    NOW,
    NOW + timedelta(hours=1),
)
LINES = [f"line {number}\n" for number in range(1, 41)]


def test_a_change_is_shown_with_eight_lines_around_it() -> None:
    new = [*LINES[:19], "other\n", *LINES[20:]]
    lines = difference("".join(LINES), "".join(new)).splitlines()

    assert lines[0] == "@@ line 12 @@"
    assert [each for each in lines if each[0] in "+-"] == ["-line 20", "+other"]
    assert len([each for each in lines if each[0] == " "]) == 2 * CONTEXT


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("", "a\n", ["+a"]),
        ("a\n", "", ["-a"]),
        ("a\n", "a\nb\n", ["+b"]),
        ("a\na\n", "a\n", ["-a"]),
        ("a\n", "a", ["-a", "+a", "\\ no line end at the end of the file"]),
        ("a\r\n", "a\n", ["-a<U+000D>", "+a"]),
        ("a\n", "a\n", []),
    ],
)
def test_every_change_is_in_the_difference(before: str, after: str, changes: list[str]) -> None:
    assert [each for each in difference(before, after).splitlines() if each[:1] in {"+", "-", "\\"}] == changes


def test_what_cannot_be_seen_is_made_so_and_secrets_are_black() -> None:
    line = "ls \u202egnp.exe; echo a\u200bb\rhidden\u2028x key"
    act = Act(ActKind.RUN, "x", ("bash", "-c", line), line, environment=("B", "A`"), reason="why\nnot " + "w" * 400)
    words = shown(act, lambda text: text.replace("key", "███"), "it is so")

    for mark in (
        "<U+202E>",
        "<U+200B>",
        "<U+000D>",
        "<U+2028>",
        "███",
        "`A'`, `B`",
        "**Why:** why not",
        "because it is so",
    ):
        assert mark in words
    assert "key" not in words
    assert "w" * 301 not in words
    assert "<U+202E>" in title(act, str)


def test_arguments_are_shown_so_that_nobody_mistakes_where_one_ends() -> None:
    argv = Act(ActKind.RUN, "x", ("ruff", "check", "a b", "--fix"))

    assert "```text\nruff check 'a b' --fix\n```" in shown(argv, str)
    assert title(argv, str) == "ruff check a b --fix"
    assert len(title(replace(argv, argv=("x" * 200,)), str)) == 80


def test_other_acts_show_what_they_are_about() -> None:
    fetch = Act(ActKind.FETCH, "call it", ("GET",), target="example.com", content="body")

    assert "example.com\nGET\nbody" in shown(fetch, str)
    assert title(fetch, str) == "fetch example.com"
    assert title(Act(ActKind.OTHER, "say hello"), str) == "other say hello"
    assert "(nothing)" in shown(Act(ActKind.RUN, "", ()), str)


def test_backticks_do_not_end_what_is_shown() -> None:
    assert "````sh" in shown(Act(ActKind.RUN, "x", command="echo '```'"), str)
    assert title(Act(ActKind.RUN, "x", command="echo `ls`"), str) == "echo 'ls'"


def test_a_long_act_is_cut_in_the_question_and_its_code_is_closed() -> None:
    long = "```sh\n" + "x\n" * BEGINNING + "```\n\n**Why:** y"

    assert brief(long).count("```") == 2
    assert "all of it stands in the post before" in brief(long)
    assert "Two people" not in question(ASKED, ActKind.RUN, NOW, "UTC", again=False).text
    assert "I restarted" in question(ASKED, ActKind.RUN, NOW, "UTC", again=True).text


def test_what_was_decided_by_whom_and_when() -> None:
    by = replace(ASKED, by=MIA, decided_at=NOW)
    always = told(replace(by, state=ApprovalState.GRANTED, extent=Extent.ALWAYS), NOW, "UTC")
    denied = replace(by, state=ApprovalState.DENIED, reason="no *bold*\nmove")

    assert "always in this chat" in always
    assert r"by M\*i\*a, 12:00 (UTC)" in always
    assert r"“no \*bold\* move”" in told(denied, NOW, "UTC")
    expired = replace(ASKED, state=ApprovalState.EXPIRED)
    assert "nobody answered" in told(expired, ASKED.until, "UTC")
    assert "No longer asked" in told(expired, NOW, "UTC")
    assert decided(replace(denied, reason_until=NOW), NOW, "UTC").buttons[0][0].says == "/deny 0123456789 -"
    assert decided(denied, NOW, "UTC").buttons == ()
