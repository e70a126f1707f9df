"""Secrets that people give the bot to keep, as everything but the vault sees them: a name, and never the value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from core.model.chat import Delivery, Person
from core.model.work import ProjectKey

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

BOT = "bot"
PASTED = "pasted"
"""Said in a chat, and not yet looked at: its name is the key of the delivery."""


@dataclass(frozen=True, slots=True)
class SecretRef:
    """`scope`: whose it is: BOT, `person:<platform>:<tenant>:<id>` or `project:<KEY>`."""

    scope: str
    name: str


def of_bot(name: str) -> SecretRef:
    return SecretRef(BOT, name)


def of_person(person: Person, name: str) -> SecretRef:
    return SecretRef(f"person:{person}", name)


def of_project(key: ProjectKey, name: str) -> SecretRef:
    return SecretRef(f"project:{key}", name)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored. `key`: the id of the key that opens `words`. `used_at` None: never."""

    ref: SecretRef
    words: str
    key: str
    made_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A delivery as it may be stored, and what is to be stored with it."""

    delivery: Delivery
    sealed: Sealed | None = None
