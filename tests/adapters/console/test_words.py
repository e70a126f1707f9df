"""What a typed line means."""

from __future__ import annotations

import pytest

from adapters.chat.console.journal import Shown
from adapters.chat.console.words import Choice, Local, Press, Switch, Words, Wrong, choices, understand
from core.model.chat import Button, ButtonToken, Post, PostKey


def shown(number: int, *labels: str) -> Shown:
    row = tuple(Button(label, token=ButtonToken(f"t-{label}")) for label in labels)
    return Shown(number, f"j-{number}", PostKey(f"k{number}"), "", Post("text", (row,)))


OLD, NEW = shown(1, "Stop"), shown(2, "Show diff", "Merge")
OFFERED = choices([OLD, NEW])


def test_choices_are_numbered_from_the_newest_post() -> None:
    assert [choice.button.label for choice in OFFERED] == ["Show diff", "Merge", "Stop"]


@pytest.mark.parametrize("label", ["⏹ Stop", "Stop", "stop"])
def test_a_button_is_pressed_by_its_words(label: str) -> None:
    offered = choices([shown(1, "⏹ Stop", "✓")])

    assert understand(f":press {label}", offered) == Press(offered[0])
    assert understand(":press ✓", offered) == Press(offered[1])


def test_a_link_is_no_choice() -> None:
    post = Post("text", ((Button("Open", url="https://example.org"),),))

    assert choices([Shown(1, "j-1", PostKey("k"), "", post)]) == []


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("fix it", Words("fix it")),
        ("  /status ", Words("/status")),
        ("", Words("")),
        ("1", Press(Choice(NEW.post.buttons[0][0], NEW))),
        (" 3 ", Press(Choice(OLD.post.buttons[0][0], OLD))),
        ("4", Words("4")),
        ("01", Words("01")),
        ("0000000000000000001", Words("0000000000000000001")),
        ("²", Words("²")),
        (":press merge", Press(Choice(NEW.post.buttons[0][1], NEW))),
        (":say 1", Words("1")),
        (":thread login", Switch("login")),
        (":thread main", Switch("")),
        (":threads", Local(":threads")),
        (":history", Local(":history")),
        (":quit", Local(":quit")),
        (":-) nice", Words(":-) nice")),
    ],
)
def test_a_line_means(line: str, meaning: object) -> None:
    assert understand(line, OFFERED) == meaning


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (":thread", "one word"),
        (":thread two words", "one word"),
        (":press", "There is no button `` here."),
        (":press Delete", "There is no button `Delete` here. Buttons now: `Show diff`, `Merge`, `Stop`."),
        (":frobnicate", ":thread NAME"),
        (":say", ":say TEXT"),
    ],
)
def test_a_wrong_line_says_what_would_be_right(line: str, part: str) -> None:
    meaning = understand(line, OFFERED)

    assert isinstance(meaning, Wrong)
    assert part in meaning.why
