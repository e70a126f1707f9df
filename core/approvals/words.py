"""How an approval looks: the act, all of it, and what was decided. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from core.files import BEGINNING, beginning
from core.files import shown as as_code
from core.model.approvals import Act, ActKind, Approval, ApprovalState, Extent
from core.model.chat import Button, File, Post, Style
from core.model.visible import revealed
from core.ports import Redact
from core.zones import local_time

CONTEXT = 8
"""Lines of a file shown around what is changed in it."""
TITLE_LENGTH = 80
REASON_LENGTH = 300
NAMES = {
    ActKind.RUN: "run a command",
    ActKind.READ: "read",
    ActKind.EDIT: "edit",
    ActKind.FETCH: "call",
    ActKind.OTHER: "do this",
}
_LINE_ENDS = re.compile("[\r\u2028\u2029]")


def title(act: Act, redact: Redact) -> str:
    """One line: `edit ci.yml`, `rm -rf build`."""
    words = act.command or " ".join(act.argv) if act.kind is ActKind.RUN else f"{act.kind} {act.target or act.title}"
    line = " ".join(unhidden(redact(words)).replace("`", "'").split())
    return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 1]}…"


def shown(act: Act, redact: Redact, asked_because: str = "") -> str:
    """The exact command or change, where it happens, and why, as Markdown without secrets. It may be long."""
    parts = [_code(redact(_exact(act)), "diff" if act.kind is ActKind.EDIT else "sh" if act.command else "text")]
    if act.environment:
        parts.append(f"With the variables {', '.join(f'`{_flat(each)}`' for each in sorted(act.environment))}.")
    if reason := " ".join(unhidden(redact(act.reason)).split()):
        parts.append(f"**Why:** {reason if len(reason) <= REASON_LENGTH else reason[: REASON_LENGTH - 1] + '…'}")
    parts.append(f"*Asked because {asked_because}.*" if asked_because else "")
    return "\n\n".join(part for part in parts if part)


def unhidden(text: str) -> str:
    """With what cannot be seen, or would end a line where no line ends, made visible."""
    return revealed(_LINE_ENDS.sub(lambda found: f"<U+{ord(found[0]):04X}>", text))


def question(approval: Approval, kind: ActKind, now: datetime, zone: str, *, again: bool) -> Post:
    """With its buttons."""
    head = f"🔐 **May the agent {NAMES[kind]}?** `{approval.title}`"
    parts = ["*I restarted while this was open: it is the same question.*"] if again else []
    parts += [head, brief(approval.shown)]
    if approval.needs_second:
        parts.append("Two people must say yes; the second may not be who asked for the run.")
    until = local_time(approval.until, now, zone)
    parts.append(f"*Answer until {until}, with a button, “yes” or “no, because …”. Silence is no. `{approval.id}`*")
    return Post("\n\n".join(parts), buttons(approval))


def buttons(approval: Approval) -> tuple[tuple[Button, ...], ...]:
    """What needs two people is never allowed for more than once."""
    once = Button("Once", f"/approve {approval.id} once", Style.PRIMARY)
    deny = Button("Deny", f"/deny {approval.id}", Style.DANGER)
    if approval.needs_second:
        return ((once, deny),)
    run = Button("This run", f"/approve {approval.id} run")
    always = Button("Always here", f"/approve {approval.id} always")
    return ((once, run, always, deny),)


def whole(approval: Approval) -> Post | None:
    """What goes before a question that cannot hold all of it; None: it does."""
    if len(approval.shown) <= BEGINNING:
        return None
    text = f"🔐 All of what the next question is about (`{approval.id}`):"
    return Post(text, file=File(f"act-{approval.id}.md", approval.shown))


def brief(text: str) -> str:
    """What of an act stands in the question itself."""
    if len(text) <= BEGINNING:
        return text
    return f"{beginning(text)}\n\n*This is its beginning; **all of it stands in the post before**.*"


def half(approval: Approval) -> Post:
    """The first of two has said yes."""
    name = _name(approval.first.name or approval.first.id) if approval.first else ""
    text = (
        f"🔐 `{approval.title}`\n\n{brief(approval.shown)}\n\n☑ {name} said yes. **One more person must say it too.**"
    )
    return Post(text, buttons(approval))


def decided(approval: Approval, now: datetime, zone: str) -> Post:
    """What the question becomes: what was decided, by whom and when."""
    rows: tuple[tuple[Button, ...], ...] = ()
    if approval.reason_until is not None:
        rows = ((Button("Go on without a reason", f"/deny {approval.id} -"),),)
    text = f"🔐 `{approval.title}`\n\n{brief(approval.shown)}\n\n{told(approval, now, zone)}"
    return Post(text, rows)


def told(approval: Approval, now: datetime, zone: str) -> str:
    """In one sentence."""
    at = local_time(approval.decided_at or now, now, zone)
    by = _name(approval.by.name or approval.by.id) if approval.by else ""
    first = f" and {_name(approval.first.name or approval.first.id)}" if approval.first else ""
    match approval.state:
        case ApprovalState.GRANTED | ApprovalState.SPENT:
            extent = {
                Extent.ONCE: "once",
                Extent.RUN: "for this run, and what is alike in it",
                Extent.ALWAYS: "always in this chat for this project; `/approvals` lists and removes it",
            }[approval.extent]
            return f"✅ **Allowed** {extent}, by {by}{first}, {at}."
        case ApprovalState.DENIED:
            why = " ".join(approval.reason.split())
            tail = f": “{_name(why)}”" if why else "."
            ask = " Say here why, and the agent reads it." if approval.reason_until is not None else ""
            return f"⛔ **Denied** by {by}, {at}{tail}{ask}"
        case ApprovalState.EXPIRED if now >= approval.until:
            return f"⌛ **Not allowed**: nobody answered until {local_time(approval.until, now, zone)}."
    return f"⌛ **No longer asked**, {at}: the turn is over."


def _exact(act: Act) -> str:
    if act.kind is ActKind.EDIT:
        return f"{unhidden(act.target)}\n{difference(act.before, act.content)}"
    if act.kind is ActKind.RUN:
        return unhidden(act.command or _argv(act.argv))
    return unhidden("\n".join(each for each in (act.target or act.title, _argv(act.argv), act.content) if each))


def _argv(argv: tuple[str, ...]) -> str:
    """One argument after another as Python writes them: nobody mistakes where one ends."""
    return " ".join(each if re.fullmatch(r"[\w./:=@%+,-]+", each, re.ASCII) else repr(each) for each in argv)


def difference(before: str, after: str) -> str:
    """The lines that change, with CONTEXT lines around them. Not the least difference, but all of it."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    most = min(len(old), len(new))
    head = next((at for at in range(most) if old[at] != new[at]), most)
    most -= head
    tail = next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)
    first = max(0, head - CONTEXT)
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    around = old[len(old) - tail : len(old) - tail + CONTEXT]
    lines = [f"@@ line {first + 1} @@"]
    for mark, some in ((" ", old[first:head]), ("-", gone), ("+", come), (" ", around)):
        lines += [f"{mark}{unhidden(line.removesuffix(chr(10)))}" for line in some]
    if after and not after.endswith("\n"):
        lines.append("\\ no line end at the end of the file")
    return "\n".join(lines)


def _code(text: str, language: str) -> str:
    return as_code(File(f"act.{language}", text or "(nothing)"))


def _flat(text: str) -> str:
    return " ".join(unhidden(text).replace("`", "'").split())


def _name(text: str) -> str:
    """What people write or are called: no Markdown, one line."""
    return re.sub(r"([\\`*_\[\]~<>|])", r"\\\1", " ".join(unhidden(text).split()))
