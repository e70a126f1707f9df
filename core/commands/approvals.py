"""/approve, /deny and /approvals: what an agent asks, and what is allowed for good. Plain “yes” and “no, …” too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from core.approvals.words import told
from core.commands.base import Command, Desk, Line, Reply, Scene, say
from core.model.approvals import Approval, ApprovalId, ApprovalState, Extent
from core.model.chat import Button, Said
from core.model.errors import BadAsk, NotFound
from core.model.people import Role
from core.near import near
from core.ports import Approvals, Clock

SHOWN = 10
REASON_CHARS = 1000
NONE_GIVEN = "-"
"""As a reason: there is none, and none will come."""
_ID = re.compile(r"[0-9a-f]{10}")
_YES = re.compile(r"\W*(?:yes|y|yep|ok|okay|sure|approved?|allow(?:ed)?|go ahead)(?:,? please)?\W*|👍", re.IGNORECASE)
_NO = re.compile(r"\W*(?:no|n|nope|don'?t|deny|denied|👎)(?:\W+(?P<why>.*))?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Yes:
    approval: ApprovalId
    extent: Extent = Extent.ONCE


@dataclass(frozen=True, slots=True)
class No:
    """`reason` empty: it may still be said."""

    approval: ApprovalId
    reason: str = ""


def parse_yes(line: Line) -> Yes:
    if not 1 <= len(line.words) <= 2:
        raise BadAsk("Say `/approve` with the id of the question, and `once`, `run` or `always`.")
    word = line.words[1] if len(line.words) == 2 else Extent.ONCE
    if word not in set(Extent):
        raise BadAsk(f"It counts `once`, for the `run`, or `always` here. {near(word, [*Extent])}")
    return Yes(_id(line.words[0]), Extent(word))


def parse_no(line: Line) -> No:
    if not line.words:
        raise BadAsk("Say `/deny` with the id of the question, and why if you like.")
    return No(_id(line.words[0]), line.rest(1)[:REASON_CHARS])


def parse_drop(line: Line) -> ApprovalId | None:
    """None: list."""
    if not line.words:
        return None
    if len(line.words) != 2 or line.words[0] != "drop":
        raise BadAsk("Say `/approvals` alone, or `/approvals drop <id>`.")
    return _id(line.words[1])


async def answered(said: Said, store: Approvals, clock: Clock) -> tuple[Command[Any], Yes | No] | None:
    """Plain words that answer what is asked in their thread: a yes or no to the one open question, or why it was no."""
    text = said.text.strip()
    yes, no = _YES.fullmatch(text), _NO.fullmatch(text)
    asked = await store.open_approvals(said.thread) if yes or no else []
    if len(asked) == 1:
        return (APPROVE, Yes(asked[0].id)) if yes or no is None else (DENY, No(asked[0].id, _why(no)))
    if asked:
        raise BadAsk("Several questions are open here. Use their buttons, or /approve and /deny with the id of one.")
    mine = [each for each in await store.unexplained(said.thread, clock.now()) if str(each.by) == str(said.person)]
    return (DENY, No(mine[-1].id, text[:REASON_CHARS])) if mine else None


async def approve(ask: Yes, scene: Scene, desk: Desk) -> Reply | None:
    asked = await _asked(ask.approval, scene, desk)
    stands = await desk.approvals.grant(asked.id, scene.person, ask.extent)
    return _stands(stands, asked, scene, desk, is_yes=True)


async def deny(ask: No, scene: Scene, desk: Desk) -> Reply | None:
    """A no that is pressed may be followed by its reason."""
    asked = await _asked(ask.approval, scene, desk)
    reason = "" if ask.reason == NONE_GIVEN else ask.reason
    if asked.state is ApprovalState.DENIED and ask.reason and str(asked.by) == str(scene.person):
        await desk.approvals.explain(asked.id, reason)
        return None
    stands = await desk.approvals.deny(asked.id, scene.person, reason, asks_why=not ask.reason)
    return _stands(stands, asked, scene, desk, is_yes=False)


async def approvals(drop: ApprovalId | None, scene: Scene, desk: Desk) -> Reply:
    room = scene.thread.room
    if drop is not None:
        if not await desk.store.drop_rule(room, drop):
            raise NotFound(f"Nothing is allowed for good here under `{drop}`. /approvals lists what is.")
        return say("Removed: it is asked again from now on.")
    asked, rules = await desk.store.open_approvals(room), await desk.store.standing_rules(room)
    lines = [f"- `{each.title}` · `{each.id}` · asked {each.asked_at:%H:%M} UTC" for each in asked[:SHOWN]]
    lasting = [f"- `{each.title}` in {each.project} · {each.by.name or each.by.id}, {each.at:%d %b}" for each in rules]
    parts = [
        "\n".join(["**Waits for a yes or no**", "", *lines]) if lines else "Nothing waits for a yes or no here.",
        "\n".join(["**Allowed for good in this chat**", "", *lasting[:SHOWN]]) if lasting else "",
    ]
    rows = [(Button(f"Remove {each.title}"[:40], f"/approvals drop {each.id}"),) for each in rules[:SHOWN]]
    return say("\n\n".join(part for part in parts if part), *rows)


async def _asked(approval: ApprovalId, scene: Scene, desk: Desk) -> Approval:
    """Of exactly this thread: there the role of who answers was weighed."""
    found = await desk.store.approval(approval)
    if found is None or found.thread != scene.thread:
        raise NotFound(f"No question `{approval}` was asked here. /approvals lists what is open in this chat.")
    return found


def _stands(stands: Approval, before: Approval, scene: Scene, desk: Desk, *, is_yes: bool) -> Reply | None:
    """The question itself says what was decided; who comes too late is told what stands."""
    wanted = {ApprovalState.GRANTED, ApprovalState.SPENT} if is_yes else {ApprovalState.DENIED}
    is_mine = str(stands.by) == str(scene.person) and stands.state in wanted
    if stands.state is ApprovalState.OPEN or (before.state is ApprovalState.OPEN and is_mine):
        return None
    return say(f"That was settled before. {told(stands, desk.clock.now(), scene.settings.zone or desk.zone)}")


def _id(word: str) -> ApprovalId:
    clean = word.strip("`").lower()
    if not _ID.fullmatch(clean):
        raise BadAsk("That is no id of a question: ten characters of 0-9 and a-f, as they stand at its end.")
    return ApprovalId(clean)


def _why(no: re.Match[str]) -> str:
    """The words after “no”, without “because”; none: there is no reason, and none is waited for."""
    why = re.sub(r"^because\W+", "", (no["why"] or "").strip(), flags=re.IGNORECASE)
    return why[:REASON_CHARS] or NONE_GIVEN


APPROVE = Command(
    "approve",
    "/approve <id> [once|run|always]",
    "Allow what an agent asks",
    parse_yes,
    approve,
    names=True,
    role=Role.REVIEWER,
)
DENY = Command(
    "deny", "/deny <id> [reason]", "Refuse what an agent asks", parse_no, deny, names=True, role=Role.REVIEWER
)
APPROVALS = Command(
    "approvals",
    "/approvals",
    "List what agents ask, and what is allowed for good",
    parse_drop,
    approvals,
    role=Role.REVIEWER,
)
