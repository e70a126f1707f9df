"""What was said and shown in the console, in one file: so a restart shows it again and posts nothing twice.

Each line of the file is a JSON object; the first names the journal, the others are lines, posts and edits under one
counter. An entry is on the disk (fsync) before anybody hears of it. One thread writes, so entries keep their order.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from core.model.chat import Post, PostKey
from core.model.codec import from_json, to_json

STALE_EDITS = 1000
"""So many edits that a later one replaced, and the file is written anew when it is opened."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Line:
    """What the person typed, or the button that was pressed (`token`, on the post `on`)."""

    number: int
    root: str
    text: str
    token: str = ""
    on: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A post with its newest content. `id` is the platform's name for it."""

    number: int
    id: str
    key: PostKey
    root: str
    post: Post


class Journal:
    """`story` holds what was said and shown, oldest first: a Line, or the id of a post."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="console-journal")
        self._file: BinaryIO | None = None
        self._size = 0
        self._last = 0
        self._stale = 0
        self._keys: dict[tuple[str, PostKey], str] = {}
        self.id = ""
        self.posts: dict[str, Shown] = {}
        self.story: list[Line | str] = []

    async def open(self) -> None:
        """OSError, or ValueError when the file is not a journal."""
        await self._in_worker(self._open)

    async def close(self) -> None:
        await self._in_worker(self._close)
        self._worker.shutdown(wait=False)

    async def add_line(self, root: str, text: str, token: str = "", on: str = "") -> Line:
        return await self._in_worker(lambda: self._add_line(root, text, token, on))

    async def add_post(self, root: str, post: Post, key: PostKey) -> tuple[Shown, bool]:
        """False: a post with that key stands in that thread already, and this is it."""
        return await self._in_worker(lambda: self._add_post(root, post, key))

    async def add_edit(self, post_id: str, post: Post) -> Shown | None:
        """None: no such post. An edit to the same words is not written."""
        return await self._in_worker(lambda: self._add_edit(post_id, post))

    def find(self, root: str, key: PostKey) -> str | None:
        return self._keys.get((root, key))

    def lines_after(self, number: int) -> list[Line]:
        return [each for each in self.story if isinstance(each, Line) and each.number > number]

    def shown_in(self, root: str) -> list[Shown]:
        """The posts of a thread as they are now, oldest first."""
        return [each for each in list(self.posts.values()) if each.root == root]  # a copy: the worker may add one

    def threads(self) -> list[str]:
        """The roots that were ever used, the main thread first."""
        used = [each.root if isinstance(each, Line) else self.posts[each].root for each in self.story]
        return list(dict.fromkeys(["", *used]))

    def part(self, root: str, limit: int) -> list[Line | Shown]:
        """The last entries of a thread, as they are shown now."""
        all_of_it = [each if isinstance(each, Line) else self.posts[each] for each in self.story]
        return [each for each in all_of_it if each.root == root][-limit:]

    # -------------------------------------------------------------------------------- in the worker

    async def _in_worker(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = self._path.read_bytes() if self._path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]  # a torn last line was never acknowledged
        for number, text in enumerate(whole.splitlines(), 1):
            try:
                self._apply(json.loads(text))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"line {number} of {self._path} cannot be read: {error}") from error
        if whole and not self.id:
            raise ValueError(f"{self._path} does not begin as a journal does")
        self._size = len(whole)
        if not self.id or self._stale > STALE_EDITS:
            self.id = self.id or uuid.uuid4().hex[:8]
            self._rewrite()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _add_line(self, root: str, text: str, token: str, on: str) -> Line:
        number = self._last + 1
        entry = {"kind": "line", "n": number, "thread": root, "text": text, "token": token, "on": on}
        self._write(entry)
        return Line(number, root, text, token, on)

    def _add_post(self, root: str, post: Post, key: PostKey) -> tuple[Shown, bool]:
        standing = self._keys.get((root, key))
        if standing is not None:
            return self.posts[standing], False
        number = self._last + 1
        self._write({"kind": "post", "n": number, "thread": root, "key": key, "post": to_json(post)})
        return self.posts[self._post_id(number)], True

    def _add_edit(self, post_id: str, post: Post) -> Shown | None:
        shown = self.posts.get(post_id)
        if shown is None or shown.post == post:
            return shown
        self._write({"kind": "edit", "n": self._last + 1, "of": shown.number, "post": to_json(post)})
        return self.posts[post_id]

    def _write(self, entry: dict[str, Any]) -> None:
        written = _encode(entry)
        file = self._file or self._end_of_file()
        try:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            self._file = None  # half an entry may stand there: the next one is written over it
            with suppress(OSError):
                file.close()
            raise
        self._size += len(written)
        self._apply(entry)

    def _end_of_file(self) -> BinaryIO:
        file = self._path.open("r+b")
        file.truncate(self._size)
        file.seek(self._size)
        self._file = file
        return file

    def _rewrite(self) -> None:
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_encode({"kind": "journal", "id": self.id, "n": self._last}))
            for each in self.story:
                file.write(_encode(_entry(each if isinstance(each, Line) else self.posts[each])))
            file.flush()
            os.fsync(file.fileno())
            self._size = file.tell()
        fresh.replace(self._path)
        self._stale = 0

    def _apply(self, entry: dict[str, Any]) -> None:
        number = int(entry["n"])
        match entry["kind"]:
            case "journal":
                self.id = entry["id"]
            case "line":
                self.story.append(Line(number, entry["thread"], entry["text"], entry["token"], entry["on"]))
            case "post":
                self._apply_post(number, entry)
            case "edit":
                post_id = self._post_id(int(entry["of"]))
                old = self.posts[post_id]
                self.posts[post_id] = Shown(old.number, old.id, old.key, old.root, from_json(Post, entry["post"]))
                self._stale += 1
        self._last = max(self._last, number)

    def _apply_post(self, number: int, entry: dict[str, Any]) -> None:
        key, root, post_id = PostKey(entry["key"]), entry["thread"], self._post_id(number)
        self.posts[post_id] = Shown(number, post_id, key, root, from_json(Post, entry["post"]))
        self._keys[root, key] = post_id
        self.story.append(post_id)

    def _post_id(self, number: int) -> str:
        return f"{self.id}-{number}"


def _encode(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _entry(each: Line | Shown) -> dict[str, Any]:
    if isinstance(each, Line):
        start = {"kind": "line", "n": each.number, "thread": each.root}
        return start | {"text": each.text, "token": each.token, "on": each.on}
    return {"kind": "post", "n": each.number, "thread": each.root, "key": each.key, "post": to_json(each.post)}
