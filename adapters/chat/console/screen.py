"""Where the console shows itself: the protocol, and the two plain screens of batch mode."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, Protocol

from adapters.chat.console.journal import Line, Shown
from adapters.chat.console.words import Choice, name_of
from core.model.chat import SignKind
from core.model.visible import visible

Kind = Literal["new", "edit"]
Write = Callable[[str], None]


class Screen(Protocol):
    """Showing never raises: what is shown is kept already."""

    def show(self, shown: Shown, kind: Kind, offered: Sequence[Choice]) -> None:
        """A post, new or with other words. `offered` are the choices of its thread now."""

    def tell(self, text: str) -> None:
        """The console's own words, no post."""

    def retell(self, part: Sequence[Line | Shown], offered: Sequence[Choice]) -> None:
        """What was said and shown in a thread until now."""

    def sign(self, kind: SignKind) -> None: ...


def labels(shown: Shown, offered: Sequence[Choice]) -> list[str]:
    """The buttons of a post as text: a choice with its number, a link with its address."""
    numbers = {choice.button.token: number for number, choice in enumerate(offered, 1)}
    words: list[str] = []
    for button in (each for row in shown.post.buttons for each in row):
        if button.url:
            words.append(f"{visible(button.label)}: {visible(button.url)}")
        elif button.token in numbers:
            words.append(f"[{numbers[button.token]}] {visible(button.label)}")
    return words


class PlainScreen:
    """Batch mode for people: each post as its Markdown, under the name of its thread."""

    def __init__(self, write: Write | None = None, tell: Write | None = None) -> None:
        self._write = write or _writer_to("stdout")
        self._tell = tell or _writer_to("stderr")

    def show(self, shown: Shown, kind: Kind, offered: Sequence[Choice]) -> None:
        mark = " (edited)" if kind == "edit" else ""
        lines = [f"[{name_of(shown.root)}]{mark} {visible(shown.post.text)}"]
        if words := labels(shown, offered):
            lines.append("  " + "  ".join(words))
        self._write("\n".join(lines))

    def tell(self, text: str) -> None:
        self._tell(visible(text))

    def retell(self, part: Sequence[Line | Shown], offered: Sequence[Choice]) -> None:
        for each in part:
            if isinstance(each, Line):
                self._write(f"[{name_of(each.root)}] > {visible(each.text)}")
            else:
                self.show(each, "new", offered)

    def sign(self, kind: SignKind) -> None:
        del kind  # a mark on a message, where there are only lines


class JsonScreen:
    """Batch mode for programs: one JSON object a line for each post and each edit. Own words go to standard error."""

    def __init__(self, write: Write | None = None, tell: Write | None = None) -> None:
        self._write = write or _writer_to("stdout")
        self._tell = tell or _writer_to("stderr")

    def show(self, shown: Shown, kind: Kind, offered: Sequence[Choice]) -> None:  # noqa: ARG002 - numbers are for people
        buttons = [button.label for row in shown.post.buttons for button in row]
        self._write(
            json.dumps({"thread": name_of(shown.root), "kind": kind, "text": shown.post.text, "buttons": buttons})
        )

    def tell(self, text: str) -> None:
        self._tell(visible(text))

    def retell(self, part: Sequence[Line | Shown], offered: Sequence[Choice]) -> None:
        for each in part:
            if isinstance(each, Line):
                self.tell(f"[{name_of(each.root)}] > {each.text}")
            else:
                self.show(each, "new", offered)

    def sign(self, kind: SignKind) -> None:
        del kind  # a mark on a message, where there are only lines


def _writer_to(name: Literal["stdout", "stderr"]) -> Write:
    """Writes lines until the reader is gone (`| head`); what was to be shown is in the journal anyway."""

    def write(text: str) -> None:
        stream = getattr(sys, name)
        known = text.encode(stream.encoding or "utf-8", "replace").decode(stream.encoding or "utf-8")
        with suppress(OSError):
            print(known, file=stream, flush=True)

    return write
