"""What a console delivery says. Pure: the bytes are all there is."""

from __future__ import annotations

import json
from typing import Any

from core.model.chat import ButtonToken, Cause, ChatEvent, Delivery, Person, PostRef, Pressed, Said, ThreadRef

PLATFORM = "console"
TENANT = "local"
CHAT = "console"
OWNER = "owner"
"""The id of the person at the terminal."""


def thread(root: str) -> ThreadRef:
    return ThreadRef(PLATFORM, TENANT, CHAT, root)


def delivery(delivery_id: str, root: str, name: str, text: str, token: str = "", on: str = "") -> Delivery:
    """A line that was typed; with a `token`, the button that was pressed on the post `on`."""
    entry = {"id": delivery_id, "thread": root, "name": name, "text": text, "token": token, "on": on}
    return Delivery(PLATFORM, delivery_id, json.dumps(entry, sort_keys=True).encode())


def read(raw: bytes) -> ChatEvent | None:
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    fields = {"id", "thread", "name", "text", "token", "on"}
    if not isinstance(entry, dict) or not all(isinstance(entry.get(each), str) for each in fields):
        return None
    return _event({each: _storable(entry[each]) for each in fields})


def _event(entry: dict[str, Any]) -> ChatEvent | None:
    cause = Cause(f"{PLATFORM}:{TENANT}:{entry['id']}")
    where = thread(entry["thread"])
    person = Person(PLATFORM, TENANT, OWNER, entry["name"])
    if entry["token"]:
        return Pressed(
            cause, where, person, ButtonToken(entry["token"]), PostRef(where, entry["on"]), entry["id"], True
        )
    if not entry["text"].strip():
        return None
    return Said(
        cause=cause,
        thread=where,
        person=person,
        text=entry["text"],
        is_direct=True,
        in_thread=bool(where.root),
        message=entry["id"],
        chat_title="Console",
    )


def _storable(text: str) -> str:
    """Without NUL and lone surrogates, which no database takes."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
