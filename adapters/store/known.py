"""What every message and step asks for, kept in memory: links, settings, people, projects, and what is open.

Right because one process has the database for itself, and every write to these ends here once it is committed.
"""

from __future__ import annotations

from typing import Any

from adapters.store.tables import models, people, values
from adapters.store.tables.columns import unpack
from core.model.chat import ChatRef, ThreadRef
from core.model.codec import from_json
from core.model.people import Grant, HeardChat, Scope
from core.model.work import ChatSettings, Link, Project, ProjectKey, Run, RunId, RunState, Work, WorkId

OPEN = [state.value for state in RunState if not state.is_over]


class Known:
    def __init__(self) -> None:
        self.links: dict[ThreadRef, Link] = {}
        self.settings: dict[ChatRef, ChatSettings] = {}
        self.grants: dict[str, dict[Scope, Grant]] = {}
        """By platform, tenant and id of the person."""
        self.chats: dict[ChatRef, HeardChat] = {}
        self.runs: dict[RunId, Run] = {}
        """Open ones, oldest first."""
        self.lanes: dict[str, RunId] = {}
        self.projects: dict[ProjectKey, Project] = {}
        self.works: dict[WorkId, Work] = {}
        """Open ones, oldest first."""

    async def load(self, db: Any) -> None:  # noqa: ANN401 - a connection of Tortoise
        """Read it all anew."""
        links = [values.link_of(row) for row in await models.LinkRow.filter().using_db(db)]
        settings = [
            from_json(ChatSettings, unpack(row.settings)) for row in await models.SettingsRow.filter().using_db(db)
        ]
        grants = await people.GrantRow.filter().order_by("seq").using_db(db)
        chats = await people.ChatRow.filter().order_by("at", "room").using_db(db)
        runs = await models.RunRow.filter(state__in=OPEN).order_by("seq").using_db(db)
        lanes = await models.LaneRow.filter().using_db(db)
        projects = await models.ProjectRow.filter().using_db(db)
        works = await models.WorkRow.filter(is_open=True).order_by("seq").using_db(db)
        self.links = {each.thread: each for each in links}
        self.settings = {each.chat: each for each in settings}
        self.grants = {}
        for grant in map(people.grant_of, grants):
            self.put_grant(grant)
        self.chats = {chat.room: chat for chat in map(people.chat_of, chats)}
        self.runs = {run.id: run for run in map(values.run_of, runs)}
        self.lanes = {row.name: RunId(row.run) for row in lanes}
        self.projects = {project.key: project for project in map(values.project_of, projects)}
        self.works = {work.id: work for work in map(values.work_of, works)}

    def put_grant(self, grant: Grant) -> None:
        self.grants.setdefault(str(grant.person), {})[grant.scope] = grant

    def drop_grant(self, who: str, scope: Scope) -> None:
        left = {each: grant for each, grant in self.grants.get(who, {}).items() if each != scope}
        self.grants.pop(who, None)
        if left:
            self.grants[who] = left

    def put_run(self, run: Run) -> None:
        if run.state.is_over:
            self.runs.pop(run.id, None)
            self.lanes = {name: holder for name, holder in self.lanes.items() if holder != run.id}
        else:
            self.runs[run.id] = run

    def put_work(self, work: Work) -> None:
        if work.is_open:
            self.works[work.id] = work
        else:
            self.works.pop(work.id, None)
