"""Files in a Slack of our own: an upload address, the bytes, and the call that completes them and shares them.

https://docs.slack.dev/reference/methods/files.getUploadURLExternal and …/files.completeUploadExternal
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class SlackFile:
    """`content` None: nothing was sent. It is seen once it is complete."""

    id: str
    name: str
    length: int
    content: bytes | None = None
    title: str = ""
    is_complete: bool = False
    channel: str = ""
    thread_ts: str = ""

    @property
    def text(self) -> str:
        return (self.content or b"").decode()

    @property
    def shown(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "title": self.title or self.name, "size": self.length}


class SlackFiles:
    """`share` posts a message that holds a file. `is_late`: Slack has completed, and has not shared yet."""

    def __init__(self, share: Callable[[SlackFile, str], None], base: Callable[[], str]) -> None:
        self._share, self._base = share, base
        self._numbers = itertools.count(1)
        self.all: list[SlackFile] = []
        self.is_late = False
        self.upload_status = 200

    @property
    def complete(self) -> list[SlackFile]:
        return [each for each in self.all if each.is_complete]

    def get_address(self, given: dict[str, Any]) -> dict[str, Any]:
        if not given.get("filename") or int(given.get("length") or 0) <= 0:
            return {"ok": False, "error": "invalid_arguments"}
        file = SlackFile(f"F0FILE{next(self._numbers)}", given["filename"], int(given["length"]))
        self.all.append(file)
        return {"upload_url": f"{self._base()}upload/v1/{file.id}", "file_id": file.id}

    def upload(self, id_: str, content: bytes) -> int:
        """The HTTP status."""
        file = self._find(id_)
        if self.upload_status != 200 or file is None:
            return self.upload_status if file is not None else 404
        if len(content) != file.length:
            return 400
        file.content = content
        return 200

    def complete_upload(self, given: dict[str, Any]) -> dict[str, Any]:
        """A file that is complete can't be completed again."""
        files = [(self._find(each["id"]), each.get("title", "")) for each in given["files"]]
        for file, title in files:
            if file is None or file.content is None or file.is_complete:
                return {"ok": False, "error": "file_not_found"}
            file.title, file.is_complete = title, True
            file.channel, file.thread_ts = given.get("channel_id", ""), given.get("thread_ts", "")
            if file.channel and not self.is_late:
                self._share(file, given.get("initial_comment", ""))
        return {"files": [{"id": file.id, "title": file.title} for file, _ in files if file is not None]}

    def listed(self, given: dict[str, Any]) -> dict[str, Any]:
        """Newest first."""
        size, page = int(given.get("count") or 100), int(given.get("page") or 1)
        return {"files": [each.shown for each in self.complete[::-1][(page - 1) * size : page * size]]}

    def _find(self, id_: str) -> SlackFile | None:
        return next((each for each in self.all if each.id == id_), None)
