"""What holds a publish back, what is decided about it, and how both are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.guard import GuardAction
from core.model.chat import Button, File, Post, PostKey, Style
from core.model.work import Run, RunId

SHOWN_LEFT = 8
LEAST_HASH = 12
"""Characters of a hash that a person must type."""


class VerdictKind(StrEnum):
    NONE = "none"
    """Nobody was asked, or nobody answered."""
    ALL = "all"
    EXPRESSLY = "expressly"
    """All, also what no button publishes; typed out."""
    WITHOUT = "without"
    DENY = "deny"
    STOP = "stop"
    """The run was stopped meanwhile."""
    LATER = "later"
    """Something was said meanwhile; what comes of that is asked about then."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decided about what was held back under `hash`. `by`: a name."""

    kind: VerdictKind = VerdictKind.NONE
    hash: str = ""
    by: str = ""


NO_VERDICT = Verdict()


@dataclass(frozen=True, slots=True)
class Held:
    """What holds a publish back. `hash` names the tree and all in it that is guarded, `part` the latter alone.

    `lines` and `diff` are fit to be shown. `needs`: what the strictest of it asks for. `rest`: paths that are free.
    """

    hash: str
    part: str
    lines: tuple[str, ...]
    diff: str
    needs: GuardAction
    count: int
    rest: int = 0

    def is_met_by(self, verdict: Verdict) -> bool:
        """Publishing all of it is what was decided, about exactly this."""
        enough = {
            GuardAction.ASK: {VerdictKind.ALL, VerdictKind.EXPRESSLY},
            GuardAction.EXPRESSLY: {VerdictKind.EXPRESSLY},
        }
        return self.is_named(verdict.hash) and verdict.kind in enough.get(self.needs, set())

    def is_left_by(self, verdict: Verdict) -> bool:
        """It may stay out, whatever else the tree holds by now."""
        return verdict.kind is VerdictKind.WITHOUT and (self.is_named(verdict.hash) or verdict.hash == self.part)

    def is_named(self, beginning: str) -> bool:
        return len(beginning) >= LEAST_HASH and self.hash.startswith(beginning)


def held_key(run: RunId, attempt: str, held: Held) -> PostKey:
    return PostKey(f"guard:{run}:{attempt}:{held.hash}")


def held_post(run: Run, held: Held) -> Post:
    """Shows exactly the part that is guarded, and asks."""
    noun = "file needs" if held.count == 1 else "files need"
    head = f"🛡 **{run.title}** · {held.count} {noun} your yes before anything is published"
    more = [f"- … {held.count - len(held.lines)} more"] if held.count > len(held.lines) else []
    rest = f"“Without these” publishes the other {held.rest}." if held.rest else "There is nothing else to publish."
    return Post(
        "\n".join([head, "", *held.lines, *more]),
        (held_buttons(run, held),),
        file=File("guarded.diff", held.diff) if held.diff.strip() else None,
        below="\n\n".join(words for words in (rest, _how(run, held)) if words),
    )


def held_buttons(run: Run, held: Held) -> tuple[Button, ...]:
    free = (
        Button("Publish all", f"/guard {run.id} all {held.hash}", Style.DANGER),
        Button("Without these", f"/guard {run.id} without {held.hash}", Style.PRIMARY),
        Button("Deny", f"/guard {run.id} deny {held.hash}"),
    )
    return free if held.needs is GuardAction.ASK else free[1:]


def settled_post(held: Held, verdict: Verdict) -> Post:
    noun = "file" if held.count == 1 else "files"
    by = f" by {verdict.by}" if verdict.by else ""
    return Post("\n".join([f"🛡 {held.count} {noun}: **{_DECIDED[verdict.kind]}**{by}", "", *held.lines]))


def kept_back(held: Held, verdict: Verdict) -> str:
    """Why nothing was published, in the words of the end."""
    noun = "a file" if held.count == 1 else f"{held.count} files"
    by = f" ({verdict.by})" if verdict.by else ""
    return f"🛡 Not published{by}: {_REASONS[verdict.kind].format(what=noun)}."


def left_words(paths: Sequence[str]) -> str:
    """What stayed out of a publish; empty where nothing did."""
    if not paths:
        return ""
    shown = ", ".join(f"`{path}`" for path in paths[:SHOWN_LEFT])
    more = f" and {len(paths) - SHOWN_LEFT} more" if len(paths) > SHOWN_LEFT else ""
    return f"🛡 Left out, and kept in the bot's workspace: {shown}{more}."


def _how(run: Run, held: Held) -> str:
    if held.needs is GuardAction.EXPRESSLY:
        typed = f"/guard {run.id[:8]} expressly {held.hash[:LEAST_HASH]}"
        return f"No button publishes a secret. If it is none, or must be there, say `{typed}`."
    return "The bot's configuration lets nobody publish these." if held.needs is GuardAction.DENY else ""


_DECIDED = {
    VerdictKind.NONE: "not published, nobody answered",
    VerdictKind.ALL: "published",
    VerdictKind.EXPRESSLY: "published expressly",
    VerdictKind.WITHOUT: "left out",
    VerdictKind.DENY: "not published",
    VerdictKind.STOP: "not published, the run was stopped",
    VerdictKind.LATER: "asked again later",
}
_REASONS = {
    VerdictKind.NONE: "nobody said yes to {what} of it",
    VerdictKind.ALL: "{what} of it changed meanwhile",
    VerdictKind.EXPRESSLY: "{what} of it changed meanwhile",
    VerdictKind.WITHOUT: "{what} of it changed meanwhile",
    VerdictKind.DENY: "the answer about {what} of it was no",
    VerdictKind.STOP: "{what} of it would have needed a yes",
    VerdictKind.LATER: "{what} of it need a yes, which is asked for after what you said",
}
