"""From a row to the frozen value it stands for, and back where both ways are needed."""

from __future__ import annotations

from typing import Any

from adapters.store.tables.columns import pack, unpack
from adapters.store.tables.models import (
    ChangeRow,
    DigestRow,
    LinkRow,
    ProjectRow,
    PullRow,
    RunRow,
    TaskRow,
    TurnRow,
    WorkRow,
)
from core.model.chat import Cause, ChatRef, Person, Post, PostKey, PostRef, Priority, ThreadRef
from core.model.codec import from_json, to_json
from core.model.work import (
    DigestPlan,
    Link,
    Project,
    ProjectKey,
    PullRequest,
    PullState,
    RepoRef,
    Run,
    RunChange,
    RunId,
    RunState,
    Task,
    TaskKey,
    TaskState,
    Turn,
    TurnState,
    Usage,
    Work,
    WorkId,
)
from core.ports import Outgoing, SendState


def room_of(text: str) -> ChatRef:
    """The opposite of `str(room)`."""
    platform, tenant, chat = text.split(":", 2)
    return ChatRef(platform, tenant, chat)


def person_of(text: str) -> Person:
    return from_json(Person, unpack(text))


def outgoing_of(row: dict[str, Any]) -> Outgoing:
    """From the columns of `posts`, as raw SQL gives them."""
    return Outgoing(
        key=PostKey(row["key"]),
        thread=ThreadRef.parse(row["thread"]),
        post=from_json(Post, unpack(row["post"])),
        priority=Priority(row["priority"]),
        state=SendState(row["state"]),
        version=row["version"],
        shown=row["shown"],
        is_twice=bool(row["is_twice"]),
        ref=from_json(PostRef, unpack(row["ref"])) if row["ref"] else None,
        opens=unpack(row["opens"]),
        seq=row["seq"],
    )


def link_of(row: LinkRow) -> Link:
    return Link(ThreadRef.parse(row.thread), ProjectKey(row.project), row.agent)


def project_of(row: ProjectRow) -> Project:
    return Project(ProjectKey(row.key), row.name, RepoRef(row.forge, row.path), row.base, row.agent)


def task_of(row: TaskRow) -> Task:
    return Task(
        TaskKey(row.key),
        ProjectKey(row.project),
        row.title,
        TaskState(row.state),
        person_of(row.created_by),
        row.created_at,
    )


def pull_of(row: PullRow) -> PullRequest:
    return PullRequest(row.number, row.url, row.title, row.branch, row.base, PullState(row.state))


def work_of(row: WorkRow) -> Work:
    return Work(
        id=WorkId(row.work),
        project=ProjectKey(row.project),
        branch=row.branch,
        thread=ThreadRef.parse(row.thread),
        task=TaskKey(row.task) if row.task else None,
        session=row.session,
        session_agent=row.session_agent,
        pull=from_json(PullRequest, unpack(row.pull)) if row.pull else None,
        is_open=row.is_open,
    )


def work_columns(work: Work) -> dict[str, Any]:
    return {
        "work": work.id,
        "project": work.project,
        "branch": work.branch,
        "thread": str(work.thread),
        "room": str(work.thread.room),
        "task": work.task or "",
        "session": work.session,
        "session_agent": work.session_agent,
        "is_open": work.is_open,
        **pull_columns(work.pull),
    }


def pull_columns(pull: PullRequest | None) -> dict[str, Any]:
    return {"pull": pack(to_json(pull)), "pull_state": pull.state.value if pull else ""}


def run_of(row: RunRow) -> Run:
    return Run(
        id=RunId(row.run),
        work=WorkId(row.work),
        thread=ThreadRef.parse(row.thread),
        agent=row.agent,
        asked_by=person_of(row.asked_by),
        title=row.title,
        created_at=row.created_at,
        model=row.model,
        state=RunState(row.state),
        started_at=row.started_at,
        ended_at=row.ended_at,
        usage=Usage(row.input_tokens, row.output_tokens, row.cost),
        error=row.error,
        stop_asked_by=row.stop_asked_by,
        message=row.message,
        asks=row.asks,
        parked_until=row.parked_until,
        step=row.step,
        attempts=row.attempts,
    )


def run_columns(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "work": run.work,
        "thread": str(run.thread),
        "room": str(run.thread.room),
        "agent": run.agent,
        "model": run.model,
        "title": run.title,
        "asked_by": pack(to_json(run.asked_by)),
        "state": run.state.value,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "input_tokens": run.usage.input_tokens,
        "output_tokens": run.usage.output_tokens,
        "cost": run.usage.cost,
        "error": run.error,
        "stop_asked_by": run.stop_asked_by,
        "message": run.message,
        "asks": run.asks,
        "parked_until": run.parked_until,
        "step": run.step,
        "attempts": run.attempts,
    }


def change_of(row: ChangeRow) -> RunChange:
    return RunChange(RunState(row.state), row.at)


def turn_of(row: TurnRow) -> Turn:
    return Turn(RunId(row.run), row.number, Cause(row.cause), row.text, person_of(row.person), TurnState(row.state))


def turn_columns(turn: Turn) -> dict[str, Any]:
    return {
        "run": turn.run,
        "number": turn.number,
        "cause": turn.cause,
        "text": turn.text,
        "person": pack(to_json(turn.person)),
        "state": turn.state.value,
    }


def digest_of(row: DigestRow) -> DigestPlan:
    return DigestPlan(ThreadRef.parse(row.thread), row.cron, row.zone, row.next_at)
