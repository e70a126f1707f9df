"""Code fences of Markdown, as those need them who cut it: what opens one, what closes it, and at the margin. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_OPENER = re.compile(
    r"^(?P<lead>[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)"
    r"(?:(?P<ticks>`{3,})(?P<info>[^`]*)|(?P<tildes>~{3,})(?P<rest>.*))$"
)
_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")


@dataclass(frozen=True, slots=True)
class Fence:
    """An open one. `lead` is what stands before its mark: blanks, quotes, the item of a list that it begins."""

    lead: str
    mark: str
    info: str

    @classmethod
    def opened_by(cls, line: str) -> Self | None:
        found = _OPENER.match(line)
        if found is None:
            return None
        return cls(found["lead"], found["ticks"] or found["tildes"], found["info"] or found["rest"] or "")

    def is_closed_by(self, line: str) -> bool:
        mark = line.lstrip(" \t>").rstrip()
        return len(mark) >= len(self.mark) and set(mark) == {self.mark[0]}

    @property
    def start(self) -> str:
        """The line that opened it."""
        return self.lead + self.mark + self.info

    @property
    def end(self) -> str:
        """The line that closes it."""
        return re.sub(r"[^\s>]", " ", self.lead) + self.mark


def after(fence: Fence | None, line: str) -> Fence | None:
    """What is open after this line, `fence` being open before."""
    if fence is None:
        return Fence.opened_by(line)
    return None if fence.is_closed_by(line) else fence


def at_margin(text: str) -> str:
    """The same with code that stands in lists moved to the margin: there it can be closed and opened again."""
    lines: list[str] = []
    fence: Fence | None = None
    in_list = False
    for line in text.split("\n"):
        if fence is not None:
            is_end = fence.is_closed_by(line)
            lines.append(fence.mark if is_end else _without(line, len(fence.lead)))
            fence = None if is_end else fence
            continue
        in_list = _stays_in_list(line, in_list)
        opened = Fence.opened_by(line) if in_list else None
        if opened is None or not opened.lead or ">" in opened.lead:
            lines.append(line)
            continue
        fence = opened
        lines += [opened.lead.rstrip()] if opened.lead.strip() else []
        lines.append(opened.mark + opened.info)
    return "\n".join(lines)


def _stays_in_list(line: str, in_list: bool) -> bool:  # noqa: FBT001 - what it was before
    """A line that begins at the margin and is no item ends a list; code there would be meant as it is indented."""
    if _ITEM.match(line):
        return True
    return in_list and (not line.strip() or line[0] in " \t")


def _without(line: str, blanks: int) -> str:
    """Without so many blanks at its beginning, at most."""
    return line[min(blanks, len(line) - len(line.lstrip(" \t"))) :]
