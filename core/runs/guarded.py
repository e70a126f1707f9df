"""Publishing through the guard: what may not be published unasked holds it back, and a person is asked.

The question is bound to exactly the tree that was shown. When the answer comes, the tree is looked at again: if it is
another, it is asked again. Silence is no.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.guard import Finding, GuardAction, GuardPolicy, holder, judge
from core.model.chat import Priority
from core.model.tree import Staged
from core.model.visible import revealed
from core.model.work import Change, Checkout, Run, RunId, RunState
from core.ports import Clock, CommitMessage, Redact, Remote, Store, Workspaces
from core.posts import Posts
from core.runs.held import Held, Verdict, held_key, held_post, settled_post
from core.runs.live import Live, anchor_key
from core.runs.outcome import Outcome
from core.runs.progress import anchor_post, fit_for_code

SHOWN_PATHS = 20
LONGEST_DIFF = 20_000
"""Characters of the guarded part that are shown."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What came of a publish: `held` and nothing done, or the change and what stayed out of it."""

    change: Change | None = None
    held: Held | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guarded:
    """`on_end` is called when the run waits, so that others may work."""

    store: Store
    posts: Posts
    workspaces: Workspaces
    live: Live
    clock: Clock
    on_end: Callable[[], None]
    policy: GuardPolicy
    redact: Redact

    async def publish(self, checkout: Checkout, message: CommitMessage, remote: Remote, verdict: Verdict) -> Passed:
        """Through the guard; nothing is published that is not allowed, and was not decided about."""
        staged = await self.workspaces.staged(checkout)
        findings = judge(staged, self.policy, holder(self.redact))
        held = await self._held(checkout, staged, findings) if findings else None
        if held is None or held.is_met_by(verdict):
            return Passed(await self.workspaces.publish(checkout, message, remote, tree=staged.tree))
        if not held.is_left_by(verdict):
            return Passed(held=held)
        paths = [each.change.path for each in findings]
        change = await self.workspaces.publish(checkout, message, remote, tree=staged.tree, without=paths)
        return Passed(change, left_out=tuple(self._named(path) for path in paths[:SHOWN_PATHS]))

    async def hold(self, run_id: RunId, outcome: Outcome, held: Held, attempt: str) -> bool:
        """Ask; the run waits from now on, and its turn is over: what is said next is another."""
        await self.store.finish_turn(run_id, outcome.number, outcome.usage)
        key = held_key(run_id, attempt, held)
        run = await self.store.park(run_id, self.clock.now(), key)
        self.live.rest(run_id)
        self.on_end()
        await self.posts.say(key, run.thread, held_post(run, held), Priority.APPROVAL)
        await self._show(run, "Waits for your answer about what it would publish")
        return True

    async def settle(self, run_id: RunId, held: Held, attempt: str, verdict: Verdict) -> bool:
        """The question is no longer one: it says what was decided, and by whom."""
        await self.posts.show(held_key(run_id, attempt, held), settled_post(held, verdict))
        run = await self.store.move(run_id, RunState.RUNNING, self.clock.now())
        await self._show(run)
        return True

    async def has_more(self, run_id: RunId) -> bool:
        """Something was said that is not taken up yet."""
        return bool(await self.store.queued_turns(run_id))

    async def _held(self, checkout: Checkout, staged: Staged, findings: Sequence[Finding]) -> Held:
        facts = [
            f"{each.path}\0{each.old_mode}\0{each.mode}\0{each.old_blob}\0{each.blob}"
            for each in (finding.change for finding in findings)
        ]
        part = _digest(facts)
        diff = await self.workspaces.staged_diff(checkout, staged.tree, [each.change.path for each in findings])
        return Held(
            hash=_digest([staged.tree, part]),
            part=part,
            lines=tuple(f"- `{self._named(each.change.path)}`: {each.why}" for each in findings[:SHOWN_PATHS]),
            diff=_bounded(revealed(self.redact(diff))),
            needs=_strictest(findings),
            count=len(findings),
            rest=len(staged.changes) - len(findings),
        )

    def _named(self, path: str) -> str:
        return fit_for_code(revealed(self.redact(path)))

    async def _show(self, run: Run, waiting_for: str = "") -> None:
        post = anchor_post(run, self.live.progress(run.id), self.clock.now(), waiting_for=waiting_for)
        await self.posts.show(anchor_key(run.id), post)


def _strictest(findings: Sequence[Finding]) -> GuardAction:
    order = [GuardAction.ASK, GuardAction.EXPRESSLY, GuardAction.DENY]
    return max((each.action for each in findings), key=order.index)


def _digest(facts: Sequence[str]) -> str:
    words = "\0\0".join(facts).encode(errors="surrogatepass")
    return hashlib.sha256(words).hexdigest()[:32]


def _bounded(diff: str) -> str:
    if len(diff) <= LONGEST_DIFF:
        return diff
    return f"{diff[:LONGEST_DIFF]}\n… the rest is not shown: it is too long. Say no if you cannot tell what it does.\n"
