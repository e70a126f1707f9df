"""What a run writes into the repository: the words of its commits and of its pull request."""

from __future__ import annotations

from core.model.work import Run, Work
from core.ports import CommitMessage, Redact
from core.runs.outcome import Outcome, OutcomeKind
from core.runs.progress import fit_for_code

SUBJECT_LENGTH = 72


def commit_message(run: Run, work: Work, outcome: Outcome, redact: Redact) -> CommitMessage:
    asked = f"{work.task}: {run.title.removeprefix(f'{work.task} ')}" if work.task else run.title
    subject = outcome.subject or asked
    agent = f"Co-authored-by: {run.agent} <{run.agent}@agents.invalid>"
    turns = "" if outcome.kind is OutcomeKind.DONE else "Unfinished: the run was ended before the agent was done."
    return CommitMessage(
        subject=cut(redact(subject)),
        description=redact(turns or f"Asked by {_who(run)}."),
        trailers=(agent, f"Patchbay-Run: {run.id}"),
    )


def pull_body(run: Run, work: Work) -> str:
    """A name rings at nobody there, and no title hides what follows it."""
    asked = f"Asked by {_who(run)} on {run.asked_by.platform.capitalize()}"
    task = f" as {work.task}" if work.task else ""
    return f"{run.title}\n\n{asked}{task}; done by {run.agent}.".replace("<!--", "&lt;!--")


def cut(subject: str) -> str:
    """One line, not too long."""
    line = " ".join(subject.split())
    return line if len(line) <= SUBJECT_LENGTH else line[: SUBJECT_LENGTH - 1].rstrip() + "…"


def _who(run: Run) -> str:
    """A name is what a person or a platform makes it: one line, so that it forges no trailer, and no mention."""
    return fit_for_code(run.asked_by.name).replace("@", "@\u2060") or run.asked_by.id
