"""The chain: how an entry is hashed, and whether entries and checkpoints hold together. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from core.model.audit import Act, Checkpoint, Entry
from core.model.codec import to_json

FIRST = "0" * 64
"""What the first entry follows."""


def follow(prev: Entry | None, at: datetime, act: Act) -> Entry:
    """The next entry."""
    seq, before = (prev.seq + 1, prev.hash) if prev else (1, FIRST)
    return Entry(seq, at, act, before, digest(seq, at, act, before))


def digest(seq: int, at: datetime, act: Act, prev: str) -> str:
    """Over fields that cannot run into each other."""
    who = act.actor
    fields = [prev, seq, at.isoformat(), who.who, who.room, who.cause, act.what, act.target, act.result]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def signed_words(checkpoint: Checkpoint) -> bytes:
    """What a signature is over."""
    return f"patchbay audit {checkpoint.seq} {checkpoint.hash} {checkpoint.at.isoformat()}".encode()


def checkpoint_words(checkpoint: Checkpoint) -> str:
    """As the owners are told: it can be put back into a file, and checked."""
    return f"Audit checkpoint, to be kept: `{json.dumps(to_json(checkpoint))}`"


def breaks(
    entries: Iterable[Entry],
    checkpoints: Sequence[Checkpoint] = (),
    is_signed: Callable[[Checkpoint], bool] = lambda _: True,
) -> Iterator[str]:
    """A sentence for each thing that is wrong, in order; none: the chain is whole as far as the checkpoints reach."""
    by_seq: dict[int, list[Checkpoint]] = {}
    for each in checkpoints:
        if is_signed(each):
            by_seq.setdefault(each.seq, []).append(each)
        else:
            yield f"The checkpoint at {each.seq} is not signed by this bot's key."
    last: Entry | None = None
    for entry in entries:
        yield from _wrong(last, entry)
        for each in by_seq.pop(entry.seq, ()):
            if each.hash != entry.hash:
                yield f"Entry {entry.seq} is not what the checkpoint of {each.at:%Y-%m-%d %H:%M} UTC says it was."
        last = entry
    for seq in sorted(by_seq):
        yield f"Entry {seq} is missing: a checkpoint says that the chain went at least so far."


def _wrong(last: Entry | None, entry: Entry) -> Iterator[str]:
    seq, prev = (last.seq + 1, last.hash) if last else (1, FIRST)
    if entry.seq != seq:
        yield f"Entry {entry.seq} stands where {seq} should."
    elif entry.prev != prev:
        yield f"Entry {entry.seq} does not follow the one before it."
    if digest(entry.seq, entry.at, entry.act, entry.prev) != entry.hash:
        yield f"Entry {entry.seq} was changed."
