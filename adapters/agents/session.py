"""The memory of the built-in loop: one JSON file a session, written after every reply and every batch of results."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.agents.model import Call, CallResult, Role, Said
from core.model.codec import from_json, to_json
from core.model.errors import AgentError

VERSION = 1
KEPT_ENTRIES = 6
"""The last entries, which are never shortened."""
SHORT_CHARS = 200


@dataclass
class Session:
    """`is_lost`: earlier turns had a memory under this id, and it is gone or cannot be read."""

    id: str
    path: Path
    history: list[Said]
    is_lost: bool = False
    _written: dict[int, tuple[Said, str]] = field(default_factory=dict)
    """Entries as JSON, by their place: the whole of a long talk takes too long to be made anew each time."""

    def say(self, text: str) -> None:
        self.history.append(Said(Role.USER, text))

    @property
    def open_calls(self) -> Sequence[Call]:
        """Calls of the last reply that have no results yet; a provider refuses a history that has such."""
        return self.history[-1].calls if self.history and self.history[-1].role is Role.MODEL else ()

    def close(self, done: Sequence[CallResult], reason: str) -> None:
        """Answer all open calls in their order: with `done` as far as that goes, the rest with `reason`."""
        if calls := self.open_calls:
            rest = (CallResult(each.id, each.name, reason, is_error=True) for each in calls[len(done) :])
            self.history.append(Said(Role.TOOLS, results=(*done, *rest)))

    def shorten(self) -> bool:
        """Cut old results to a line; False: there was nothing left to cut."""
        old, new = self.history[:-KEPT_ENTRIES], self.history[-KEPT_ENTRIES:]
        cut = [replace(each, results=tuple(_short(result) for result in each.results)) for each in old]
        self.history = [*cut, *new]
        return cut != old

    async def save(self) -> None:
        """Atomic, and on the disk when it returns. AgentError when the disk refuses."""
        self._written = {place: self._as_json(place, said) for place, said in enumerate(self.history)}
        entries = [text for _, text in self._written.values()]
        try:
            await asyncio.to_thread(_write, self.path, entries)
        except OSError as error:
            raise _refused(error) from error

    def _as_json(self, place: int, said: Said) -> tuple[Said, str]:
        known = self._written.get(place)
        return known if known is not None and known[0] is said else (said, json.dumps(to_json(said)))


async def open_session(folder: Path, run: str, wanted: str) -> Session:
    """The session `wanted`, or one named after the run; the one that a cut attempt of this run began is found again."""
    name = wanted or run
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", name):
        raise AgentError(f"`{name[:40]}` is no session of this agent. Begin a new talk with /new.")
    path = folder / f"{name}.json"
    try:
        history = await asyncio.to_thread(_read, path)
    except OSError as error:
        raise _refused(error) from error
    session = Session(name, path, history or [], is_lost=history is None and bool(wanted))
    session.close((), "The command was cut when the program stopped; what it had done until then stands.")
    return session


def _refused(error: OSError) -> AgentError:
    return AgentError(
        f"The agent's memory could not be read or written ({error.strerror}). What it changed is kept; "
        "make room on the disk or mend its folder, then go on."
    )


def _read(path: Path) -> list[Said] | None:
    """None: there is none, or it cannot be read; then it is put aside."""
    try:
        stored = json.loads(path.read_bytes())
        return [from_json(Said, each) for each in stored[f"history.v{VERSION}"]]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        with suppress(OSError):
            path.replace(path.with_suffix(".broken"))
        return None


def _write(path: Path, entries: Sequence[str]) -> None:
    content = f'{{"history.v{VERSION}": [{", ".join(entries)}]}}'.encode()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _short(result: CallResult) -> CallResult:
    if len(result.text) <= 2 * SHORT_CHARS:
        return result
    return replace(result, text=f"{result.text[:SHORT_CHARS]}\n[the rest is left out, for room]")
