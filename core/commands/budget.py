"""/budget, and what the button says by which an admin allows more than a budget."""

from __future__ import annotations

from dataclasses import dataclass

from core.budgets.rules import period, subjects
from core.budgets.words import count, dollars, more_words, spent_of
from core.commands.base import Command, Desk, Line, Reply, Scene, say
from core.commands.here import run_by_id
from core.commands.welcome import parse_nothing
from core.model.errors import BadAsk, Conflict, NotAllowed
from core.model.people import Role
from core.model.spend import Account, BudgetKind, Offer
from core.model.work import ProjectKey, RunId
from core.runs.outcome import BUDGET_ASK, WordKind

SHOWN = 5
_NAMES = {
    BudgetKind.RUN: "This run",
    BudgetKind.PERSON: "You, today",
    BudgetKind.CHAT: "This chat, today",
    BudgetKind.PROJECT: "{subject}, this month",
    BudgetKind.ALL: "All together, this month",
}


async def budget(_ask: str, scene: Scene, desk: Desk) -> Reply:
    budgets = desk.budgets
    assert budgets is not None
    run = await desk.store.run_in(scene.thread)
    project = scene.link.project if scene.link else ProjectKey("")
    here = Account(run.id if run else RunId(""), project, scene.person, scene.thread)
    shown = {kind: subject for kind, subject in subjects(here) if subject}
    if scene.role >= Role.ADMIN:
        shown[BudgetKind.ALL] = ""
    today = budgets.today()
    asked = [budgets.rules.budget(kind, subject, today) for kind, subject in shown.items()]
    lines = [
        f"- {_NAMES[each.budget.kind].format(subject=each.budget.subject)}: {spent_of(each)}"
        for each in await desk.store.standings(asked)
    ]
    if scene.role >= Role.ADMIN:
        lines += await _spenders(desk, *period(BudgetKind.ALL, today))
    return say("\n".join(["💰 **What models cost**", "", *lines]))


async def _spenders(desk: Desk, *month: object) -> list[str]:
    first, last = month
    rows = await desk.store.spenders("project", first, last, SHOWN)  # type: ignore[arg-type]
    return [f"  - {name}: {dollars(micros)} · {count(tokens)} tokens" for name, micros, tokens in rows]


@dataclass(frozen=True, slots=True)
class Allowing:
    """`number`: which question of the run it answers."""

    run: str
    number: str
    offer: Offer


def parse_allowing(line: Line) -> Allowing:
    words = line.words
    if len(words) < 5 or not (words[2].isdigit() and words[3].isdigit()):
        raise BadAsk("Press the button of the card, or say /budget to see how things stand.")
    return Allowing(words[0], words[1], Offer(line.rest(4), int(words[2]), int(words[3])))


async def allow(ask: Allowing, scene: Scene, desk: Desk) -> Reply:
    assert desk.budgets is not None
    if ask.offer.budget.startswith(f"{BudgetKind.ALL}:") and scene.role < Role.OWNER:
        raise NotAllowed("The budget of the whole bot is for its owners to exceed.")
    run = await run_by_id(ask.run, scene, desk)
    key = f"{BUDGET_ASK}:{run.id}:{ask.number}"
    if run.asks != key:
        raise Conflict(f"That was settled before: “{run.title}” is {run.state}.")
    await desk.budgets.allow(key, ask.offer, str(scene.person))
    await desk.runs.decide(run.id, WordKind.RESUME)
    name = scene.person.name or scene.person.id
    return say(f"▸ {name} allowed {more_words(ask.offer)} more. Going on.")


BUDGET = Command("budget", "/budget", "Show what models cost, and what may be spent", parse_nothing, budget)
ALLOW = Command(
    "allow_more",
    "/allow_more <run> <number> <micros> <tokens> <budget>",
    "Let a run spend more than its budget",
    parse_allowing,
    allow,
    hidden=True,
    names=True,
    role=Role.ADMIN,
)
