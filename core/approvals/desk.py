"""Where an agent's acts are allowed, asked about or refused, and where people's answers come in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from core.approvals.policy import Policy, Ruling, Then
from core.approvals.words import decided, half, question, shown, title, whole
from core.files import LONGEST
from core.model.approvals import Act, Approval, ApprovalId, ApprovalState, Decision, Extent, Verdict
from core.model.chat import Person, Priority
from core.model.errors import NotFound
from core.model.work import Checkout, Run, Turn
from core.ports import Approvals, Approve, Chats, Clock, Redact
from core.posts import Posts
from core.runs.live import Live

log = structlog.get_logger()

POLL_SECONDS = 15.0
"""Who waits is woken at once; this is for what could be missed."""
REASON_SECONDS = 120.0
"""How long the agent waits for the reason of a no that was pressed."""
LONG = 4000
"""Characters of a command line."""
NO_REASON = "It was denied, and no reason was given."
TIMED_OUT = "Nobody answered in time, and silence is no."
ENDED = "The run was ended before anybody answered."
NOBODY = "Nobody can be asked here, so it is not allowed."
TOO_LONG = "It is too long for people to look through. Do it in smaller steps."


class Store(Approvals, Chats, Protocol):
    """What of the store this needs."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose act it is."""

    run: Run
    turn: Turn
    checkout: Checkout


class ApprovalDesk:
    """One for each life of the bot: `life` tells it from the others."""

    def __init__(  # noqa: PLR0913 - what a question touches
        self,
        store: Store,
        posts: Posts,
        live: Live,
        clock: Clock,
        policy: Policy,
        platforms: Container[str],
        *,
        free: Callable[[], None],
        redact: Redact = str,
        zone: str = "UTC",
        seconds: float = 24 * 3600.0,
        make_id: Callable[[], str] = lambda: secrets.token_hex(5),
    ) -> None:
        self._store, self._posts, self._live, self._clock = store, posts, live, clock
        self._policy, self._redact, self._zone, self._seconds = policy, redact, zone, seconds
        self._platforms, self._free = platforms, free
        self._make_id, self._life = make_id, secrets.token_hex(8)
        self._bells: dict[ApprovalId, asyncio.Event] = {}

    # ------------------------------------------------------------------------------------- for agents

    def approve_for(self, run: Run, turn: Turn, checkout: Checkout) -> Approve:
        """What the agent of this turn asks."""
        asker = Asker(run, turn, checkout)

        async def approve(act: Act) -> Verdict:
            return await self._judge(asker, act)

        return approve

    async def end(self, run: Run) -> None:
        """Its turn is over: nobody need answer any more."""
        now = self._clock.now()
        for approval in await self._store.end_approvals(run.id, now):
            await self._show(approval)
            self._ring(approval.id)

    async def _judge(self, asker: Asker, act: Act) -> Verdict:
        ruling = await self._ruling(act, asker.checkout)
        if ruling.then is Then.ALLOW:
            return Verdict(granted=True)
        if ruling.then is Then.DENY:
            log.info("approval.refused", run=asker.run.id, kind=act.kind.value)
            return Verdict(granted=False, reason=f"The rules of this bot forbid it: {ruling.why}")
        verdict = await self._known(asker, act, ruling) or await self._ask(asker, act, ruling)
        log.info("approval.settled", run=asker.run.id, kind=act.kind.value, granted=verdict.granted)
        return verdict

    async def _ruling(self, act: Act, checkout: Checkout) -> Ruling:
        """In a thread if it is long: to read a hundred thousand characters takes a second."""
        if len(act.command) > LONG:
            return await asyncio.to_thread(self._policy.rule, act, checkout)
        return self._policy.rule(act, checkout)

    async def _known(self, asker: Asker, act: Act, ruling: Ruling) -> Verdict | None:
        """Something alike was allowed for longer than once; never where two people must say yes."""
        if ruling.second:
            return None
        run, likeness = asker.run, act.likeness(asker.checkout.path)
        by = await self._store.is_covered(run.id, run.thread.room, asker.checkout.project, likeness)
        return Verdict(granted=True, by=by.name or by.id) if by is not None else None

    async def _ask(self, asker: Asker, act: Act, ruling: Ruling) -> Verdict:
        words = await asyncio.to_thread(shown, act, self._redact, ruling.why)
        if len(words) > LONGEST:
            return Verdict(granted=False, reason=TOO_LONG)
        if asker.run.thread.platform not in self._platforms:
            return Verdict(granted=False, reason=NOBODY)
        run, now = asker.run, self._clock.now()
        wanted = Approval(
            id=ApprovalId(self._make_id()),
            run=run.id,
            turn=asker.turn.number,
            digest=act.digest,
            likeness=act.likeness(asker.checkout.path),
            title=title(act, self._redact),
            shown=words,
            requester=asker.turn.person,
            thread=run.thread,
            project=asker.checkout.project,
            asked_at=now,
            until=now + timedelta(seconds=self._seconds),
            needs_second=ruling.second,
            life=self._life,
        )
        bell = asyncio.Event()
        stands = await self._store.ask_approval(wanted)
        self._bells[stands.id] = bell
        try:
            if stands.state is ApprovalState.OPEN and stands.life == self._life:
                await self._put(stands, act, now)
            if stands.state is ApprovalState.OPEN or stands.reason_until is not None:
                with self._live.waiting(run.id, f"🔐 Waits for your yes or no: {stands.title}"):
                    self._free()
                    stands = await self._settled(stands, bell)
            return await self._verdict(stands, act)
        finally:
            self._bells.pop(stands.id, None)

    async def _put(self, approval: Approval, act: Act, now: datetime) -> None:
        zone = (await self._store.settings(approval.thread.room)).zone or self._zone
        if (before := whole(approval)) is not None:
            await self._posts.say(approval.whole_key, approval.thread, before, Priority.APPROVAL)
        post = question(approval, act.kind, now, zone, again=approval.asked > 1)
        await self._posts.say(approval.keys[-1], approval.thread, post, Priority.APPROVAL)

    async def _settled(self, approval: Approval, bell: asyncio.Event) -> Approval:
        """What was decided, with the reason if somebody is just saying it."""
        while True:
            bell.clear()
            found = await self._store.approval(approval.id)
            now = self._clock.now()
            if found is None or (found.state is ApprovalState.OPEN and now >= found.until):
                found = await self._store.expire_approval(approval.id, now) or replace(
                    approval, state=ApprovalState.EXPIRED
                )
                await self._show(found)
            until = found.until if found.state is ApprovalState.OPEN else found.reason_until
            if until is None or now >= until:
                return found
            await self._rest(bell, (until - now).total_seconds())

    async def _verdict(self, approval: Approval, act: Act) -> Verdict:
        by = (approval.by.name or approval.by.id) if approval.by else ""
        match approval.state:
            case ApprovalState.GRANTED:
                now = self._clock.now()
                if await self._store.spend_approval(approval.id, approval.run, act.digest, now):
                    return Verdict(granted=True, by=by)
                return Verdict(granted=False, reason=TIMED_OUT)
            case ApprovalState.DENIED:
                said = f"{by} denied it: {approval.reason}" if approval.reason else NO_REASON
                return Verdict(granted=False, reason=said, by=by)
        is_late = self._clock.now() >= approval.until
        return Verdict(granted=False, reason=TIMED_OUT if is_late else ENDED)

    async def _rest(self, bell: asyncio.Event, seconds: float) -> None:
        """Until it rings, or so long, or until it is time to look again."""
        sleep = asyncio.ensure_future(self._clock.sleep(min(seconds, POLL_SECONDS)))
        ring = asyncio.ensure_future(bell.wait())
        try:
            await asyncio.wait({sleep, ring}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (sleep, ring):
                each.cancel()
            await asyncio.gather(sleep, ring, return_exceptions=True)

    # ------------------------------------------------------------------------------------- for people

    async def grant(self, approval: ApprovalId, person: Person, extent: Extent) -> Approval:
        """What stands: the first decision. NotFound, NotAllowed."""
        return await self._decide(approval, Decision(granted=True, person=person, extent=extent))

    async def deny(self, approval: ApprovalId, person: Person, reason: str, *, asks_why: bool) -> Approval:
        """As `grant`. `asks_why`: the agent waits a while for a reason that comes afterwards."""
        until = self._clock.now() + timedelta(seconds=REASON_SECONDS) if asks_why else None
        decision = Decision(granted=False, person=person, reason=self._redact(reason), reason_until=until)
        return await self._decide(approval, decision)

    async def explain(self, approval: ApprovalId, reason: str) -> Approval:
        """NotFound: too late."""
        found = await self._store.explain_denial(approval, self._redact(reason), self._clock.now())
        return await self._told(found, "That is too late: the agent has gone on. Say it as a message for it.")

    async def _decide(self, approval: ApprovalId, decision: Decision) -> Approval:
        found = await self._store.decide_approval(approval, decision, self._clock.now())
        return await self._told(found, "That question is not known any more.")

    async def _told(self, found: Approval | None, otherwise: str) -> Approval:
        if found is None:
            raise NotFound(otherwise)
        await self._show(found)
        self._ring(found.id)
        return found

    async def _show(self, approval: Approval) -> None:
        """The asker's posts say what was decided."""
        zone = (await self._store.settings(approval.thread.room)).zone or self._zone
        is_half = approval.state is ApprovalState.OPEN
        post = half(approval) if is_half else decided(approval, self._clock.now(), zone)
        for key in approval.keys:
            await self._posts.show(key, post)

    def _ring(self, approval: ApprovalId) -> None:
        bell = self._bells.get(approval)
        if bell is not None:
            bell.set()
