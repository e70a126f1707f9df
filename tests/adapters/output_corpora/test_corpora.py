"""Whatever the bot is made to say comes out harmless and whole, on Telegram, on Slack and in a terminal."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

pytest.importorskip("tdjson", reason="tdjson has no wheel for this machine")
from adapters.chat.console.journal import Shown
from adapters.chat.console.screen import PlainScreen
from adapters.chat.console.terminal import Terminal
from adapters.chat.slack import render as slack
from adapters.chat.telegram import render as telegram
from adapters.chat.telegram.split import split
from core.model.chat import Post, PostKey
from tests.adapters.output_corpora import judges
from tests.adapters.output_corpora.corpus import CORPUS, strings

WORDS = re.compile(r"[A-Za-z0-9]+")
LEAST = 450
KEPT = frozenset({"mentions", "unseen", "bidi", "halves of characters", "formats", "markup"})
"""Of these every letter and digit must be seen."""


def test_there_is_enough_of_each() -> None:
    counts = {kind: len(set(strings(kind))) for kind in CORPUS}
    print(", ".join(f"{kind}: {count}" for kind, count in counts.items()), "in all:", sum(counts.values()))  # noqa: T201

    assert min(counts.values()) >= 12
    assert sum(counts.values()) >= LEAST


def on_telegram(text: str) -> tuple[str, list[str]]:
    """What is shown in all, and what is wrong with it."""
    shown, wrong = [], []
    for piece in split(Post(text)):
        fields = telegram.message_fields(piece)
        rendered = telegram.render(piece.text)
        wrong += list(judges.in_telegram(rendered))
        wrong += [] if fields["link_preview_options"] == {"is_disabled": True} else ["a preview"]
        wrong += [] if rendered.text.strip() else ["nothing to see"]
        shown.append(rendered.text)
    return "\n".join(shown), wrong


def on_slack(text: str) -> tuple[str, list[str]]:
    shown, wrong = [], []
    for piece in slack.split(Post(text)):
        message = slack.message(piece, "name")
        wrong += [*judges.in_slack(message), *judges.in_slack(slack.plain_message(piece))]
        wrong += [] if message["text"].strip() else ["nothing to see"]
        shown.append(message["blocks"][0]["text"])
    return "\n".join(shown), wrong


def in_lines(text: str) -> tuple[str, list[str]]:
    lines: list[str] = []
    PlainScreen(lines.append, lines.append).show(_shown(text), "new", ())
    return "\n".join(lines), list(judges.at_terminal("\n".join(lines)))


def at_a_terminal(text: str) -> tuple[str, list[str]]:
    shown = Terminal((), Path(), list)._rendered(_shown(text))
    return shown, list(judges.at_terminal(shown))


def _shown(text: str) -> Shown:
    return Shown(1, "1", PostKey("key"), "", Post(text))


PLATFORMS: Mapping[str, Callable[[str], tuple[str, list[str]]]] = {
    "Telegram": on_telegram,
    "Slack": on_slack,
    "console": in_lines,
    "terminal": at_a_terminal,
}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("kind", CORPUS)
def test_it_comes_out_harmless_and_whole(kind: str, platform: str) -> None:
    wrong, whole = [], 0
    every = strings(kind)
    for text in every:
        shown, faults = PLATFORMS[platform](f"before\n\n{text}\n\nafter")
        faults += [f"lost {each}" for each in _lost(kind, text, shown)]
        wrong += [(text[:80], faults[:3])] if faults else []
        whole += not faults
    print(f"{platform}, {kind}: {whole} of {len(every)} harmless and whole")  # noqa: T201

    assert wrong == []


def _lost(kind: str, text: str, shown: str) -> Iterator[str]:
    """Words around it always; its own where they do no harm as they stand."""
    bare = html.unescape(re.sub(r"\x1b\[[0-9;]*m", "", shown))
    yield from (word for word in ("before", "after") if word not in bare)
    if kind in KEPT and "](" not in text and "&" not in text:
        letters = "".join(WORDS.findall(text.replace("\x00", "")))
        seen = "".join(WORDS.findall(bare))
        if letters not in seen:
            yield letters[:60]


def _raw(text: str) -> dict[str, object]:
    return {"text": text, "blocks": [{"type": "markdown", "text": text}]}


def _rings(text: str) -> bool:
    return judges.LIVE.search(text) is not None


def _changes(text: str) -> bool:
    """By one of the ways in which programs put words into words."""
    ways: list[Callable[[], str]] = [text.format, lambda: text % (), lambda: re.sub("(x)", text, "x")]
    return any(map(_is_changed, ways, [text] * len(ways)))


def _is_changed(way: Callable[[], str], text: str) -> bool:
    try:
        return way() != text
    except (IndexError, KeyError, ValueError, TypeError, re.error, AttributeError):
        return True


NAIVE: Mapping[str, Callable[[str], bool]] = {
    "mentions": lambda text: any(judges.in_telegram(telegram.Rendered(text, ()))) or _rings(text),
    "tokens of Slack": _rings,
    "links to another host": lambda text: any(judges.in_slack(_raw(text))),
    "links of Slack": _rings,
    "terminal": lambda text: any(judges.at_terminal(text)),
    "bidi": lambda text: any(judges.unseen(text)),
    "unseen": lambda text: any(judges.unseen(text)),
    "floods of accents": lambda text: any(judges.unseen(text)),
    "lengths": lambda text: any(judges.in_telegram(telegram.Rendered(text, ()))),
    "halves of characters": lambda text: any(judges.in_telegram(telegram.Rendered(text, ()))),
    "markup": judges.html_refused,
    "formats": _changes,
}


@pytest.mark.parametrize("kind", CORPUS)
def test_said_as_it_stands_it_does_harm(kind: str) -> None:
    every = strings(kind)
    harmful = sum(map(NAIVE[kind], every))
    print(f"{kind}: {harmful} of {len(every)} do harm as they stand")  # noqa: T201

    assert harmful >= len(every) * 3 // 4
