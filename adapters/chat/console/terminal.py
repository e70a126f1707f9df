"""The console at a real terminal: Markdown, a prompt with history and completion, running anchors redrawn above it.

A terminal cannot rewrite what has scrolled, so an anchor lives above the prompt while it has buttons, and goes into
the scrollback when it has none. Any other post that is edited is shown again, marked as edited.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.chat.console.journal import Line, Shown
from adapters.chat.console.screen import Kind, labels
from adapters.chat.console.words import LOCAL, MAIN, Choice, name_of
from core.model.chat import SignKind
from core.model.visible import visible
from core.ports import CommandWord

if TYPE_CHECKING:  # heavy, and only a terminal needs them
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.formatted_text import ANSI

HISTORY = "console-history"
MAX_WIDTH = 100
"""Columns; longer lines are hard to read."""
BAR_CHOICES = 6
"""Of the newest posts; more would not fit."""
MENU_LINES = 4
"""Kept free below the prompt for completions."""
_SIGNS = {SignKind.SEEN: "seen", SignKind.WORKING: "working …", SignKind.DONE: "done", SignKind.FAILED: "failed"}


class Terminal:
    """Fulfils Screen. `offered` gives the choices of the thread that the person is in."""

    def __init__(self, commands: Sequence[CommandWord], data: Path, offered: Callable[[], Sequence[Choice]]) -> None:
        self._commands = commands
        self._history = data / HISTORY
        self._offered = offered
        self._live: dict[str, Shown] = {}
        self._thread = MAIN
        self._sign = ""
        self._open = ExitStack()
        self._session: PromptSession[str] | None = None

    async def read_line(self, thread: str) -> str | None:
        """None: the person wants to leave (Ctrl-C, Ctrl-D)."""
        self._thread = thread
        session = self._session or self._start()
        try:
            # SIGINT stays with the program; in raw mode Ctrl-C is a key.
            return await session.prompt_async(self._above, bottom_toolbar=self._toolbar, handle_sigint=False)
        except (KeyboardInterrupt, EOFError):
            return None

    def close(self) -> None:
        for shown in self._live.values():
            self._print(self._rendered(shown))
        self._live.clear()
        self._open.close()

    # -------------------------------------------------------------------------------------- as a screen

    def show(self, shown: Shown, kind: Kind, offered: Sequence[Choice]) -> None:
        if _is_live(shown):
            self._live[shown.id] = shown
        else:
            was_live = self._live.pop(shown.id, None) is not None
            note = "edited" if kind == "edit" and not was_live else ""
            self._print(self._rendered(shown, note, offered))
        self._refresh()

    def tell(self, text: str) -> None:
        self._print(_dim(visible(text)))

    def retell(self, part: Sequence[Line | Shown], offered: Sequence[Choice]) -> None:
        for each in part:
            if isinstance(each, Line):
                self._print(_dim(f"{name_of(each.root)}> {visible(each.text)}"))
            elif not _is_live(each):
                self._print(self._rendered(each, "", offered))

    def sign(self, kind: SignKind) -> None:
        self._sign = _SIGNS[kind]
        self._refresh()

    # ------------------------------------------------------------------------------------------ drawing

    def _start(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession  # noqa: PLC0415 - imported when used
        from prompt_toolkit.history import FileHistory  # noqa: PLC0415 - imported when used
        from prompt_toolkit.patch_stdout import patch_stdout  # noqa: PLC0415 - imported when used

        self._open.enter_context(patch_stdout(raw=True))
        os.close(os.open(self._history, os.O_CREAT | os.O_WRONLY, 0o600))
        history = FileHistory(self._history)
        self._session = PromptSession(
            history=history, completer=_completer(self._commands), reserve_space_for_menu=MENU_LINES
        )
        return self._session

    def _above(self) -> ANSI:
        """The running anchors, cut to half the screen, and the prompt."""
        from prompt_toolkit.formatted_text import ANSI  # noqa: PLC0415 - imported when used

        room = max(4, shutil.get_terminal_size().lines // 2)
        lines = [line for each in self._live.values() for line in self._rendered(each).splitlines()]
        return ANSI("\n".join([*lines[:room], f"\x1b[1m{self._thread}>\x1b[0m "]))

    def _toolbar(self) -> str:
        numbered = [f"[{number}] {visible(each.button.label)}" for number, each in enumerate(self._offered(), 1)]
        return "   ".join([f" {self._thread}", *([self._sign] if self._sign else []), *numbered[:BAR_CHOICES]])

    def _rendered(self, shown: Shown, note: str = "", offered: Sequence[Choice] | None = None) -> str:
        is_here = name_of(shown.root) == self._thread
        heading = " ".join(each for each in ["" if is_here else f"[{name_of(shown.root)}]", note] if each)
        buttons = "  ".join(labels(shown, self._offered() if offered is None else offered))
        parts = [_dim(heading)] if heading else []
        parts.append(_markdown(visible(shown.post.text)))
        if buttons:
            parts.append(f"\x1b[36m{buttons}\x1b[0m")
        return "\n".join(parts) + "\n"

    def _print(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def _refresh(self) -> None:
        if self._session is not None:
            self._session.app.invalidate()


def _is_live(shown: Shown) -> bool:
    return shown.key.startswith("anchor:") and any(button.token for row in shown.post.buttons for button in row)


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - imported when used; rich's own reader
    from rich.console import Console  # noqa: PLC0415 - imported when used
    from rich.markdown import Markdown  # noqa: PLC0415 - imported when used

    shown = Markdown(text, hyperlinks=False)
    # As it is made, it would leave out what looks like HTML, be it `Vec<String>`.
    shown.parsed = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).parse(text)
    page = io.StringIO()
    width = min(MAX_WIDTH, shutil.get_terminal_size().columns)
    console = Console(file=page, force_terminal=True, width=width, color_system="standard")
    console.print(shown)
    return page.getvalue().rstrip("\n")


def _dim(text: str) -> str:
    return f"\x1b[2m{text}\x1b[0m"


def _completer(commands: Sequence[CommandWord]) -> Completer:
    from prompt_toolkit.completion import WordCompleter  # noqa: PLC0415 - imported when used

    words = {f"/{each.word}": each.summary for each in commands} | {
        word: usage.partition(" - ")[2] for word, usage in LOCAL.items()
    }
    return WordCompleter(list(words), meta_dict=words, sentence=True)
