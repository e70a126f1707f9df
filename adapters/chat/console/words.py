"""What a line typed at the console means: words for the bot, a press, or something for the console itself. Pure.

Choices are numbered from 1 over the buttons that are still shown in a thread, the newest post first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapters.chat.console.journal import Shown
from core.model.chat import Button

MAIN = "main"
"""The name of the thread that is the chat itself."""

LOCAL = {
    ":thread": ":thread NAME - talk in another thread; `:thread main` goes back",
    ":threads": ":threads - the threads there are",
    ":history": ":history - what was said here until now",
    ":press": ":press LABEL - press a button by its name",
    ":say": ":say TEXT - say it as it is, were it a number",
    ":quit": ":quit - stop (as Ctrl-C does)",
}
_NAME = re.compile(r"[\w.-]{1,40}")


@dataclass(frozen=True, slots=True)
class Choice:
    """A button that can be pressed, and the post it hangs on."""

    button: Button
    on: Shown


@dataclass(frozen=True, slots=True)
class Words:
    text: str


@dataclass(frozen=True, slots=True)
class Press:
    choice: Choice


@dataclass(frozen=True, slots=True)
class Switch:
    root: str


@dataclass(frozen=True, slots=True)
class Local:
    """`word`: `:threads`, `:history` or `:quit`."""

    word: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """Nothing is done; the person reads why."""

    why: str


def choices(shown: Iterable[Shown]) -> list[Choice]:
    """`shown`: the posts of a thread, oldest first. A button with an address is a link and not a choice."""
    found: list[Choice] = []
    for each in reversed(list(shown)):
        found.extend(Choice(button, each) for row in each.post.buttons for button in row if button.token)
    return found


def name_of(root: str) -> str:
    return root or MAIN


def understand(line: str, offered: Sequence[Choice]) -> Words | Press | Switch | Local | Wrong:
    text = line.strip()
    if re.fullmatch(r"[1-9][0-9]{0,3}", text) and int(text) <= len(offered):
        return Press(offered[int(text) - 1])
    word, _, rest = text.partition(" ")
    if not re.fullmatch(r":[a-z]+", word):
        return Words(text)
    return _understand_local(word, rest.strip(), offered)


def _understand_local(word: str, rest: str, offered: Sequence[Choice]) -> Words | Press | Switch | Local | Wrong:
    match word:
        case ":thread" if _NAME.fullmatch(rest):
            return Switch("" if rest == MAIN else rest)
        case ":thread":
            return Wrong("A thread's name is one word, e.g. `:thread login`.")
        case ":press":
            return _press(rest, offered)
        case ":say" if rest:
            return Words(rest)
        case ":threads" | ":history" | ":quit":
            return Local(word)
        case _:
            return Wrong("The console's own words are:\n" + "\n".join(f"  {each}" for each in LOCAL.values()))


def _press(label: str, offered: Sequence[Choice]) -> Press | Wrong:
    for choice in offered:
        if label and _plain(label) == _plain(choice.button.label):
            return Press(choice)
    there = ", ".join(f"`{each.button.label}`" for each in offered) or "none"
    return Wrong(f"There is no button `{label}` here. Buttons now: {there}.")


def _plain(label: str) -> str:
    """`stop` is enough for `⏹ Stop`."""
    return " ".join(re.findall(r"\w+", label.casefold())) or label
