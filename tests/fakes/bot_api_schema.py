"""The official schema of the Bot API, as aiogram's source distribution carries it; `.ci/run` fetches that from PyPI.

`check(server)` fails when the bot has asked a FakeTelegram for what the Bot API does not know. Without the schema it
looks at nothing, which tests/adapters/telegram/test_schema.py reports.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.fakes.telegram import FakeTelegram

FOLDER = Path(__file__).parents[2] / ".ci/counterparts/aiogram"
MISSING = (
    f"no Bot API schema: pip download --no-binary :all: --no-deps aiogram -d {FOLDER.relative_to(FOLDER.parents[2])}"
)
PLAIN: Mapping[str, type | tuple[type, ...]] = {
    "String": str,
    "Integer": int,
    "Boolean": bool,
    "True": bool,
    "Float": (int, float),
    "Float number": (int, float),
}


def check(server: FakeTelegram) -> None:
    found = [fault for call in server.calls for fault in faults(call.method, call.fields)]
    assert found == []


@cache
def schema() -> dict[str, dict[str, Any]] | None:
    """Methods and types by name. None: it was not fetched."""
    archive = next(iter(sorted(FOLDER.glob("aiogram-*.tar.gz"))), None)
    if archive is None:
        return None
    with tarfile.open(archive) as opened:
        member = opened.extractfile(f"{archive.name.removesuffix('.tar.gz')}/.butcher/schema/schema.json")
        assert member is not None
        groups = json.load(member)["items"]
    return {each["name"]: each for group in groups for each in group["children"]}


def faults(method: str, fields: Mapping[str, Any]) -> list[str]:
    """What the Bot API would not understand in a request."""
    known = schema()
    if known is None:
        return []
    if known.get(method, {}).get("category") != "methods":
        return [f"{method}: no such method"]
    return list(_of_object(known, method, method, fields))


def _of_object(known: Mapping[str, Any], where: str, name: str, fields: Any) -> Iterator[str]:
    if not isinstance(fields, Mapping):
        yield f"{where}: {fields!r} is no {name}"
        return
    members = {each["name"]: each for each in known[name]["annotations"]}
    yield from (f"{where}: {name} has no {each}" for each in fields if each not in members)
    for each in members.values():
        if each["name"] in fields:
            yield from _of_value(known, f"{where}.{each['name']}", each["type"], fields[each["name"]])
        elif each["required"]:
            yield f"{where}: {name} needs {each['name']}"


def _of_value(known: Mapping[str, Any], where: str, kind: str, value: Any) -> Iterator[str]:
    """`kind` as the documentation writes it: `Array of X`, `X or Y`, a plain type, or the name of one."""
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            yield f"{where}: {value!r} is no {kind}"
            return
        for number, each in enumerate(value):
            yield from _of_value(known, f"{where}[{number}]", kind.removeprefix("Array of "), each)
    elif " or " in kind or (kind not in PLAIN and not known[kind]["annotations"]):
        choices = kind.split(" or ") if " or " in kind else _kinds_of(known, kind)
        tried = [list(_of_value(known, where, each, value)) for each in choices]
        yield from [] if [] in tried else [f"{where}: {value!r} is no {kind}"]
    elif kind not in PLAIN:
        yield from _of_object(known, where, kind, value)
    elif not isinstance(value, PLAIN[kind]) or (isinstance(value, bool) and PLAIN[kind] is not bool):
        yield f"{where}: {value!r} is no {kind}"


def _kinds_of(known: Mapping[str, Any], name: str) -> list[str]:
    """A type without fields is one of several, whose names begin with its own."""
    return [each for each in known if each.startswith(name) and each != name and known[each]["category"] == "types"]
