"""/guard: what the buttons say under what the guard holds back, and what is typed where no button may say it."""

from __future__ import annotations

from dataclasses import dataclass

from core.commands.base import About, Command, Desk, Line, Reply, Scene, say
from core.commands.here import run_by_id
from core.model.chat import Button, Person, Style
from core.model.errors import BadAsk, Conflict, NotAllowed
from core.model.people import Role
from core.model.work import Run, Work
from core.runs.answer import UNPUBLISHED, files, publish_button
from core.runs.held import LEAST_HASH, NO_VERDICT, Verdict, VerdictKind, held_post, left_words
from core.runs.outcome import Published

SAID = (VerdictKind.ALL, VerdictKind.EXPRESSLY, VerdictKind.WITHOUT, VerdictKind.DENY)


@dataclass(frozen=True, slots=True)
class Ruling:
    """`hash`: the beginning of what names exactly the files that were shown."""

    run: str
    kind: VerdictKind
    hash: str


def parse(line: Line) -> Ruling:
    words = line.words
    if len(words) != 3 or words[1] not in SAID or len(words[2]) < LEAST_HASH:
        raise BadAsk("The buttons under what is held back say this; press one of them.")
    return Ruling(words[0], VerdictKind(words[1]), words[2])


async def guard(ask: Ruling, scene: Scene, desk: Desk) -> Reply | None:
    run = await run_by_id(ask.run, scene, desk)
    if desk.steps.guard.second and _same(scene.person, run.asked_by):
        raise NotAllowed("You asked for this run, so somebody else must say whether that is published.")
    verdict = Verdict(ask.kind, ask.hash, scene.person.name or scene.person.id)
    if not run.state.is_over:
        await desk.runs.rule(run.id, verdict)
        return None
    if ask.kind is VerdictKind.DENY:
        return say(f"🛡 Not published, by {verdict.by}. It stays in the bot's workspace for 30 days.")
    return await published_again(run, desk, verdict)


async def published_again(run: Run, desk: Desk, verdict: Verdict = NO_VERDICT) -> Reply:
    """From the checkout that was kept; what is held back is asked about, bound to what is there now."""
    work = await desk.steps.work_of(run)
    open_runs = await desk.store.open_runs()
    if not run.state.is_over or any(each.work == work.id for each in open_runs):
        raise Conflict(f"`{work.branch}` is being worked on; publish when that is over.")
    published = await desk.steps.publish_again(run, work, verdict)
    if published.held is not None:
        return Reply(held_post(run, published.held))
    if published.problem:
        return say(f"{published.problem}\n\n{UNPUBLISHED}", (publish_button(run),))
    return _said(work, published)


def _said(work: Work, published: Published) -> Reply:
    if published.change is None:
        return say(_joined(f"There is nothing left to publish on `{work.branch}`.", published))
    row = (Button("Show diff", f"/diff {work.id}"), Button("Open pull request", f"/pr {work.id}", Style.PRIMARY))
    return say(_joined(files(published.change), published), row)


def _joined(words: str, published: Published) -> str:
    return "\n\n".join(each for each in (words, left_words(published.left_out)) if each)


def _same(one: Person, other: Person) -> bool:
    return (one.platform, one.tenant, one.id) == (other.platform, other.tenant, other.id)


GUARD = Command(
    "guard",
    "/guard <run> <all | without | deny> <hash>",
    "Decide about what the guard holds back",
    parse,
    guard,
    hidden=True,
    names=True,
    role=Role.REVIEWER,
    about=lambda ask: About(name=ask.run),
)
