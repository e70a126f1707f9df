"""A chat platform in memory: people speak and press by method calls, posts stand in a list, faults are planted.

`say`, `press` and `halt` return once the delivery is committed, as a platform's own answer would. `shown` waits for
a post. A fault is used up by the next call of its kind: `platform.fail("post", ChatBusy("slow down", 3))`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.model.chat import (
    Author,
    Button,
    ButtonToken,
    Cause,
    ChatEvent,
    Delivery,
    File,
    Halted,
    Joined,
    Mention,
    Person,
    Post,
    PostKey,
    PostRef,
    Pressed,
    Said,
    SignKind,
    ThreadRef,
)
from core.model.codec import from_json, to_json
from core.model.errors import ChatError, NotSupported, PostGone, StoreError
from core.ports import Take

SHOWN_SECONDS = 10.0
"""The most a test waits for a post."""

TRIES = 4
"""A delivery that is not taken is brought again."""

_KINDS: dict[str, type[Said | Pressed | Halted | Joined]] = {
    "said": Said,
    "pressed": Pressed,
    "halted": Halted,
    "joined": Joined,
}


@dataclass
class ShownPost:
    """A post as the platform has it; `history` holds every content, the newest last."""

    key: PostKey
    ref: PostRef
    history: list[Post] = field(default_factory=list)
    is_gone: bool = False

    @property
    def post(self) -> Post:
        return self.history[-1]

    @property
    def text(self) -> str:
        return self.post.text

    @property
    def file(self) -> File | None:
        return self.post.file

    @property
    def buttons(self) -> list[Button]:
        return [button for row in self.post.buttons for button in row]

    @property
    def labels(self) -> list[str]:
        return [button.label for button in self.buttons]


@dataclass(frozen=True)
class Fault:
    """`accepted`: the platform takes it all the same, and only the answer is lost."""

    error: ChatError
    accepted: bool = False


class FakePlatform:
    def __init__(
        self,
        name: str = "fake",
        tenant: str = "home",
        *,
        can_find: bool = True,
        limit: int = 100_000,
        takes_files: bool = True,
    ) -> None:
        self.name = name
        self.tenant = tenant
        self.edit_gap = 0.0
        self.can_find = can_find
        self.takes_files = takes_files
        self.posts: list[ShownPost] = []
        self.signs: list[tuple[ThreadRef, str, SignKind]] = []
        self.press_answers: list[tuple[str, str]] = []
        self.deleted: list[tuple[ThreadRef, str]] = []
        """What people had said."""
        self.calls: list[str] = []
        """`post`, `file` (a post with one), `edit` and `find`, in the order they came, those that failed too."""
        self.cursor: str | None = None
        """What `listen` was given."""
        self.thread = ThreadRef(name, tenant, "room")
        self.owner = Person(name, tenant, "owner", "Olga")
        self._limit = limit
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._numbers = itertools.count(1)
        self._take: Take | None = None
        self._listens = asyncio.Event()
        self._changed = asyncio.Event()

    # ---------------------------------------------------------------------------------- as a platform

    async def connect(self) -> None:
        return

    async def close(self) -> None:
        return

    async def listen(self, take: Take, cursor: str | None) -> None:
        self._take, self.cursor = take, cursor
        self._listens.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._listens.clear()

    def read(self, raw: bytes) -> ChatEvent | None:
        try:
            value = json.loads(raw)
            return from_json(_KINDS[value["kind"]], value["event"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def split(self, post: Post) -> Sequence[Post]:
        pieces = [post.text[at : at + self._limit] for at in range(0, len(post.text), self._limit)] or [""]
        return [
            *(Post(piece, silent=post.silent) for piece in pieces[:-1]),
            Post(pieces[-1], post.buttons, post.silent),
        ]

    async def post(self, thread: ThreadRef, post: Post, key: PostKey) -> PostRef:
        fault = self._meet("post" if post.file is None else "file")
        if fault is not None and not fault.accepted:
            raise fault.error
        ref = PostRef(thread, f"p{next(self._numbers)}")
        self.posts.append(ShownPost(key, ref, [post]))
        self._tell()
        if fault is not None:
            raise fault.error
        return ref

    async def edit(self, ref: PostRef, post: Post) -> None:
        fault = self._meet("edit")
        if fault is not None and not fault.accepted:
            raise fault.error
        shown = next((each for each in self.posts if each.ref == ref and not each.is_gone), None)
        if shown is None:
            raise PostGone("That post is no longer there.")
        if shown.post != post:
            shown.history.append(post)
            self._tell()
        if fault is not None:
            raise fault.error

    async def find(self, thread: ThreadRef, key: PostKey) -> PostRef | None:
        fault = self._meet("find")
        if fault is not None:
            raise fault.error
        if not self.can_find:
            raise NotSupported("This platform cannot look a post up.")
        return next((each.ref for each in self.posts if each.key == key and each.ref.thread == thread), None)

    async def direct(self, person: str) -> ThreadRef:
        return ThreadRef(self.name, self.tenant, f"direct-{person}")

    async def sign(self, thread: ThreadRef, message: str, kind: SignKind) -> None:
        self.signs.append((thread, message, kind))
        self._tell()

    async def delete(self, thread: ThreadRef, message: str) -> None:
        fault = self._meet("delete")
        if fault is not None:
            raise fault.error
        self.deleted.append((thread, message))

    async def answer_press(self, handle: str, text: str) -> None:
        self.press_answers.append((handle, text))
        self._tell()

    # ------------------------------------------------------------------------------------- as a person

    async def say(
        self,
        text: str,
        *,
        person: Person | None = None,
        thread: ThreadRef | None = None,
        is_addressed: bool = True,
        is_direct: bool = True,
        opens_thread: bool = False,
        chat_title: str = "Room",
        corrects: Cause | None = None,
        author: Author = Author.PERSON,
        mentions: tuple[Mention, ...] = (),
        answers: Person | None = None,
    ) -> Said:
        """Returns what was said, once it is committed."""
        where = thread or self.thread
        number = next(self._numbers)
        said = Said(
            cause=self._cause(number),
            thread=where,
            person=person or self.owner,
            text=text,
            is_addressed=is_addressed,
            is_direct=is_direct,
            in_thread=bool(where.root),
            opens_thread=opens_thread,
            message=f"m{number}",
            chat_title=chat_title,
            corrects=corrects,
            author=author,
            mentions=mentions,
            answers=answers,
        )
        await self.deliver(said)
        return said

    async def press(
        self,
        button: str | Button,
        *,
        person: Person | None = None,
        thread: ThreadRef | None = None,
        is_direct: bool = True,
    ) -> Pressed:
        """The button itself, or the one with this label in the newest post that has one."""
        post, pressed = self._find_button(button, thread)
        number = next(self._numbers)
        event = Pressed(
            is_direct=is_direct,
            cause=self._cause(number),
            thread=post.ref.thread,
            person=person or self.owner,
            token=pressed.token,
            post=post.ref,
            handle=f"h{number}",
        )
        await self.deliver(event)
        return event

    async def halt(
        self, *, person: Person | None = None, thread: ThreadRef | None = None, is_direct: bool = True
    ) -> Halted:
        event = Halted(self._cause(next(self._numbers)), thread or self.thread, person or self.owner, is_direct)
        await self.deliver(event)
        return event

    async def deliver(self, event: ChatEvent, delivery_id: str = "") -> None:
        """The same event again is a second arrival with the same cause."""
        kind = next(name for name, shape in _KINDS.items() if isinstance(event, shape))
        raw = json.dumps({"kind": kind, "event": to_json(event)}, sort_keys=True).encode()
        await self.deliver_raw(raw, delivery_id)

    async def deliver_raw(self, raw: bytes, delivery_id: str = "") -> None:
        number = next(self._numbers)
        async with asyncio.timeout(SHOWN_SECONDS):
            await self._listens.wait()
        assert self._take is not None
        arrived = [Delivery(self.name, delivery_id or f"d{number}", raw)]
        for tries_left in reversed(range(TRIES)):
            try:
                await self._take(arrived, str(number))
                break
            except StoreError:
                if not tries_left:
                    raise

    # --------------------------------------------------------------------------------------- as a test

    def fail(self, call: str, error: ChatError, *, accepted: bool = False, times: int = 1) -> None:
        """The next calls of `post`, `file`, `edit` or `find` meet this."""
        self._faults[call].extend([Fault(error, accepted)] * times)

    def forget(self, shown: ShownPost) -> None:
        """Somebody deleted the post."""
        shown.is_gone = True

    def in_thread(self, thread: ThreadRef) -> list[ShownPost]:
        return [each for each in self.posts if each.ref.thread == thread]

    def texts(self) -> list[str]:
        return [each.text for each in self.posts]

    def find_shown(self, words: str, *, since: int = 0) -> ShownPost | None:
        """The newest post, from the one with index `since` on, that now has these words."""
        return next((each for each in reversed(self.posts[since:]) if words in each.text), None)

    async def shown(self, words: str, *, since: int = 0, seconds: float = SHOWN_SECONDS) -> ShownPost:
        """Wait for a post with these words. AssertionError lists what was there instead."""
        try:
            async with asyncio.timeout(seconds):
                while (found := self.find_shown(words, since=since)) is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no post with {words!r} among {self.texts()!r}") from None
        return found

    def _meet(self, call: str) -> Fault | None:
        self.calls.append(call)
        return self._faults[call].pop(0) if self._faults[call] else None

    def _tell(self) -> None:
        self._changed.set()

    def _cause(self, number: int) -> Cause:
        return Cause(f"{self.name}:{self.tenant}:m{number}")

    def _find_button(self, wanted: str | Button, thread: ThreadRef | None) -> tuple[ShownPost, Button]:
        for post in reversed(self.posts):
            for button in post.buttons:
                is_it = wanted in {button, button.label}
                if is_it and button.token != ButtonToken("") and thread in {None, post.ref.thread}:
                    return post, button
        raise AssertionError(f"no button {wanted!r} among {[each.labels for each in self.posts]!r}")
