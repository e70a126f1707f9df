"""The console: a chat in the terminal, or over standard input, with one person, who is the owner.

The journal plays the part of a service's server: it keeps what was typed until it is taken (after a crash it is
taken again, under the same id), and knows each post by its key, so none is shown twice.
"""

from __future__ import annotations

import asyncio
import getpass
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from adapters.chat.console import inbound
from adapters.chat.console.config import ConsoleConfig
from adapters.chat.console.files import keep
from adapters.chat.console.journal import Journal, Line, Shown
from adapters.chat.console.screen import PlainScreen, Screen
from adapters.chat.console.terminal import Terminal
from adapters.chat.console.words import Choice, Local, Press, Switch, Words, Wrong, choices, name_of, understand
from core.model.chat import ButtonToken, ChatEvent, Delivery, File, Person, Post, PostKey, PostRef, SignKind, ThreadRef
from core.model.errors import ChatError, PostGone, SendFailed, StoreError
from core.ports import CommandWord, Take

JOURNAL = "console.jsonl"
HISTORY_LENGTH = 40
"""Entries of a thread that are shown again."""
EDIT_GAP = 0.2
"""Seconds; a person reads no faster."""
RETRY_SECONDS = 1.0
"""Until a line that could not be kept is offered again."""
HOLD_SECONDS = 0.7
"""A number typed this soon after the choices changed may mean the choices before: it is asked again."""


class Console:
    """Fulfils ChatPlatform, Signing and Filing. Without a `screen` it is the terminal if there is one, else plain text.

    At the terminal `on_end` is called when the person ends the chat; unless given, that is as if Ctrl-C had
    reached the process.
    """

    takes_files = True

    def __init__(
        self,
        config: ConsoleConfig,
        commands: Sequence[CommandWord],
        data: Path,
        *,
        screen: Screen | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        del config  # it has no settings yet
        self.name = inbound.PLATFORM
        self.tenant = inbound.TENANT
        self.edit_gap = EDIT_GAP
        self.person = Person(self.name, self.tenant, inbound.OWNER, _user())
        self._on_end = on_end or (lambda: signal.raise_signal(signal.SIGINT))
        self._data = data
        self._journal = Journal(data / JOURNAL)
        self._root = ""
        self._take: Take | None = None
        self._listens = asyncio.Event()
        self._changed_at = 0.0
        self._tokens: list[ButtonToken] = []
        self._terminal, self._screen = _open_screen(screen, commands, data, self._choices)

    # ---------------------------------------------------------------------------------- as a platform

    async def connect(self) -> None:
        try:
            await self._journal.open()
        except (OSError, ValueError) as error:
            raise ChatError(f"The console's journal cannot be used: {error}. Mend or remove the file.") from error
        if self._terminal is not None:
            self._retell()

    async def listen(self, take: Take, cursor: str | None) -> None:
        self._take = take
        journal, _, number = (cursor or "").partition(":")
        known = int(number) if journal == self._journal.id and number.isdigit() else 0
        for line in self._journal.lines_after(known):
            await self._deliver(line)
        self._listens.set()
        try:
            if self._terminal is not None:
                await self._chat()
            await asyncio.Event().wait()
        finally:
            self._listens.clear()

    def read(self, raw: bytes) -> ChatEvent | None:
        return inbound.read(raw)

    def split(self, post: Post) -> Sequence[Post]:
        return (post,)

    async def post(self, thread: ThreadRef, post: Post, key: PostKey) -> PostRef:
        try:
            if post.file is not None:
                post = await self._kept(post, post.file, key)
            shown, is_new = await self._journal.add_post(thread.root, post, key)
        except OSError as error:
            raise SendFailed(f"The data folder cannot be written: {error}.") from error
        if is_new:
            self._show(shown, is_new=True)
        return PostRef(thread, shown.id)

    async def _kept(self, post: Post, file: File, key: PostKey) -> Post:
        path = await asyncio.to_thread(keep, self._data, key, file)
        words = f"📎 `{path}`"
        return replace(post, text=f"{post.text}\n\n{words}".strip(), file=None)

    async def edit(self, ref: PostRef, post: Post) -> None:
        if post.file is not None:
            return  # a file stays as it was sent
        before = self._journal.posts.get(ref.id)
        try:
            shown = await self._journal.add_edit(ref.id, post)
        except OSError as error:
            raise SendFailed(f"The console's journal cannot be written: {error}.") from error
        if shown is None:
            raise PostGone("That post is not in the console's journal.")
        if shown != before:
            self._show(shown, is_new=False)

    async def find(self, thread: ThreadRef, key: PostKey) -> PostRef | None:
        post_id = self._journal.find(thread.root, key)
        return None if post_id is None else PostRef(thread, post_id)

    async def sign(self, thread: ThreadRef, message: str, kind: SignKind) -> None:
        del message  # there is one line for all of them
        if thread.root == self._root:
            self._screen.sign(kind)

    async def answer_press(self, handle: str, text: str) -> None:
        del handle  # one person, one screen
        if text:
            self._screen.tell(text)

    async def close(self) -> None:
        if self._terminal is not None:
            self._terminal.close()
        await self._journal.close()

    # ------------------------------------------------------------------------------------- as a person

    async def say(self, line: str) -> bool:
        """One line as it is typed; returns once it is taken. False: the person wants to leave."""
        await self._listens.wait()
        match understand(line, self._choices()):
            case Words(text) if text:
                await self._deliver(await self._keep(text))
            case Press(choice):
                await self._press(choice, line)
            case Switch(root):
                self._switch(root)
            case Local(":quit"):
                return False
            case Local(":history"):
                self._retell()
            case Local():
                self._screen.tell("Threads: " + ", ".join(name_of(each) for each in self._journal.threads()))
            case Wrong(why):
                self._screen.tell(why)
        return True

    async def _chat(self) -> None:
        assert self._terminal is not None
        while (line := await self._terminal.read_line(name_of(self._root))) is not None:
            if not await self.say(line):
                break
        self._on_end()

    async def _press(self, choice: Choice, typed: str) -> None:
        is_hasty = time.monotonic() - self._changed_at < HOLD_SECONDS
        if self._terminal is not None and is_hasty and typed.strip().isdigit():
            self._screen.tell(f"The choices have just changed; that is now `{choice.button.label}`. Type it again.")
            return
        line = await self._keep(choice.button.label, str(choice.button.token), choice.on.id)
        await self._deliver(line)

    async def _keep(self, text: str, token: str = "", on: str = "") -> Line:
        """On the disk before it is offered: whatever happens next, it is not lost."""
        while True:
            try:
                return await self._journal.add_line(self._root, text, token, on)
            except OSError as error:
                self._screen.tell(f"Your line cannot be kept yet ({error}); trying again. Ctrl-C gives up.")
                await asyncio.sleep(RETRY_SECONDS)

    async def _deliver(self, line: Line) -> None:
        delivery = self._delivery(line)
        assert self._take is not None
        while True:
            try:
                return await self._take([delivery], f"{self._journal.id}:{line.number}")
            except StoreError as error:
                self._screen.tell(f"{error} Your line is kept and offered again.")
                await asyncio.sleep(RETRY_SECONDS)

    def _delivery(self, line: Line) -> Delivery:
        delivery_id = f"{self._journal.id}-{line.number}"
        return inbound.delivery(delivery_id, line.root, self.person.name, line.text, line.token, line.on)

    def _switch(self, root: str) -> None:
        self._root = root
        if self._terminal is None:
            self._screen.tell(f"Now in thread {name_of(root)}.")
        else:
            self._retell()

    def _show(self, shown: Shown, *, is_new: bool) -> None:
        offered = self._choices(shown.root)
        tokens = [choice.button.token for choice in offered]
        if shown.root == self._root and tokens != self._tokens:
            self._tokens, self._changed_at = tokens, time.monotonic()
        self._screen.show(shown, "new" if is_new else "edit", offered)

    def _retell(self) -> None:
        self._screen.retell(self._journal.part(self._root, HISTORY_LENGTH), self._choices())

    def _choices(self, root: str | None = None) -> list[Choice]:
        return choices(self._journal.shown_in(self._root if root is None else root))


def _open_screen(
    screen: Screen | None, commands: Sequence[CommandWord], data: Path, offered: Callable[[], list[Choice]]
) -> tuple[Terminal | None, Screen]:
    if screen is not None:
        return None, screen
    if sys.stdin.isatty() and sys.stdout.isatty():
        terminal = Terminal(commands, data, offered)
        return terminal, terminal
    return None, PlainScreen()


def _user() -> str:
    with suppress(KeyError, OSError):  # no entry for this user id, as in many containers
        return getpass.getuser()
    return "you"
