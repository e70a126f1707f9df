"""What was done, by whom, from where and with what result: the words of the audit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

BOT = "patchbay"
"""Who acts when nobody asked just now: the bot itself, in the steps of a run, by the clock, or from its machine."""


@dataclass(frozen=True, slots=True)
class Actor:
    """`who`: platform, tenant and id, or BOT. `room`: the chat, as text; `cause`: of what was said. Empty: none."""

    who: str = BOT
    room: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """`what`: a dotted word, `run.start`; `target`: its object, an id or a name; `result`: what came of it."""

    actor: Actor
    what: str
    target: str
    result: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An act in the chain. `hash` is over `prev` and everything else."""

    seq: int
    at: datetime
    act: Act
    prev: str
    hash: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Says, signed, that the chain ended so at that time. `key`: the public one, in hex."""

    seq: int
    hash: str
    at: datetime
    key: str = ""
    signature: str = ""
