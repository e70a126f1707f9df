"""The life of an approval, as a machine that hypothesis drives against the real store."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from adapters.store import DatabaseStore
from core.model.approvals import Approval, ApprovalId, ApprovalState, Decision, Extent
from core.model.chat import Person, ThreadRef
from core.model.errors import NotAllowed
from core.model.work import ProjectKey, RunId
from tests.databases import sqlite_store

T = TypeVar("T")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
PEOPLE = [Person("slack", "T", f"U{n}") for n in range(3)]
THREAD = ThreadRef("slack", "T", "C", "1")
SPENDABLE, OVER = ApprovalState.GRANTED, {ApprovalState.DENIED, ApprovalState.EXPIRED, ApprovalState.SPENT}


class Life(RuleBasedStateMachine):
    """The model: what stands, who said the first yes, and how often it was spent."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.folder = tempfile.TemporaryDirectory()
        self.now, self.spent, self.by = NOW, 0, None
        self.first: Person | None = None
        self.state = ApprovalState.OPEN

    def do(self, call: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(call)

    @initialize(second=st.booleans())
    def ask(self, second: bool) -> None:  # noqa: FBT001 - drawn
        self.store: DatabaseStore = self.do(self.stack.enter_async_context(sqlite_store(Path(self.folder.name))))
        self.second = second
        self.one = Approval(
            ApprovalId("0123456789"),
            RunId("r"),
            1,
            "d" * 64,
            "l",
            "t",
            "s",
            PEOPLE[0],
            THREAD,
            ProjectKey("DEMO"),
            NOW,
            NOW + timedelta(hours=1),
            needs_second=second,
        )
        self.do(self.store.ask_approval(self.one))

    @rule(minutes=st.integers(0, 40))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(person=st.sampled_from(PEOPLE), extent=st.sampled_from(Extent))
    def yes(self, person: Person, extent: Extent) -> None:
        is_barred = self.first is not None and person in (self.first, PEOPLE[0])
        is_late = self.now >= self.one.until
        try:
            self.do(self.store.decide_approval(self.one.id, Decision(True, person, extent), self.now))
        except NotAllowed:
            assert self.state is ApprovalState.OPEN
            assert is_barred
            assert not is_late
            return
        if self.state is not ApprovalState.OPEN:
            return
        if is_late:
            self.state = ApprovalState.EXPIRED
        elif self.second and self.first is None:
            self.first = person
        else:
            assert not (self.second and is_barred)
            self.state = ApprovalState.GRANTED

    @rule(person=st.sampled_from(PEOPLE))
    def no(self, person: Person) -> None:
        self.do(self.store.decide_approval(self.one.id, Decision(False, person, reason="no"), self.now))
        if self.state is ApprovalState.OPEN:
            self.state = ApprovalState.EXPIRED if self.now >= self.one.until else ApprovalState.DENIED

    @rule(run=st.sampled_from(["r", "other"]), digest=st.sampled_from(["d" * 64, "e" * 64]))
    def spend(self, run: str, digest: str) -> None:
        done = self.do(self.store.spend_approval(self.one.id, RunId(run), digest, self.now))
        is_true = (run, digest) == ("r", "d" * 64) and self.state is SPENDABLE
        assert done == (is_true and self.now < self.one.until)
        self.spent += done
        if is_true:
            self.state = ApprovalState.SPENT if done else ApprovalState.EXPIRED

    @rule()
    def end_the_run(self) -> None:
        self.do(self.store.end_approvals(RunId("r"), self.now))
        if self.state not in OVER:
            self.state = ApprovalState.EXPIRED

    @rule()
    def expire(self) -> None:
        self.do(self.store.expire_approval(self.one.id, self.now))
        if self.state not in OVER:
            self.state = ApprovalState.EXPIRED

    @rule()
    def die_and_come_back(self) -> None:
        self.do(self.stack.aclose())
        self.stack = AsyncExitStack()
        self.store = self.do(self.stack.enter_async_context(sqlite_store(Path(self.folder.name))))

    @invariant()
    def what_stands_is_as_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        stands = self.do(self.store.approval(self.one.id))
        assert stands is not None
        assert stands.state is self.state
        assert self.spent <= 1
        assert stands.first == self.first
        if self.second and self.state in {ApprovalState.GRANTED, ApprovalState.SPENT}:
            assert stands.by not in {self.first, PEOPLE[0]}
            assert self.do(self.store.standing_rules(THREAD.room)) == []

    def teardown(self) -> None:
        self.do(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
