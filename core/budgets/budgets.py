"""The accounts: before each call of a model, is there room for it; after it, what did it take?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from uuid import uuid4
from zoneinfo import ZoneInfo

import structlog

from core.budgets.rules import Rules
from core.budgets.words import used_up, warning_post
from core.model.chat import Post, PostKey
from core.model.errors import BotError, OverBudget, StoreError
from core.model.spend import Account, Allowance, Budget, CallId, Hold, Offer, Spent, Standing
from core.model.work import RunId
from core.ports import Clock, Spending
from core.posts import Posts

log = structlog.get_logger()


class Budgets:
    """Fulfils core.ports.Accounting. `open` once at a start, before the first call."""

    def __init__(
        self, store: Spending, posts: Posts, clock: Clock, rules: Rules | None = None, zone: str = "UTC"
    ) -> None:
        self.rules = rules or Rules()
        self._store, self._posts, self._clock, self._zone = store, posts, clock, ZoneInfo(zone)
        self._settled = asyncio.Event()
        self._unsettled: list[tuple[Hold, Spent]] = []
        self._used_up: dict[RunId, Standing] = {}

    async def open(self) -> None:
        if count := await self._store.settle_left_calls():
            log.warning("budgets.calls_left", calls=count)

    def today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()

    async def begin(self, account: Account, model: str, guess: Spent) -> Hold:
        """Where only calls that are under way fill a budget, it waits for what they really take."""
        while True:
            await self._settle_late()
            settled, today = self._settled, self.today()
            hold = Hold(CallId(uuid4().hex), account, today, model, guess)
            standings = await self._hold(hold, self.rules.budgets(account, today))
            if (over := next((each for each in standings if each.is_used_up), None)) is not None:
                self._used_up[account.run] = over
                raise OverBudget(used_up(over))
            if not any(each.is_taken for each in standings):
                self._used_up.pop(account.run, None)
                return hold
            await settled.wait()

    async def end(self, hold: Hold, spent: Spent) -> None:
        try:
            await self._settle_late()
            await self._settle(hold, spent)
        except StoreError as error:
            log.warning("budgets.unsettled", run=hold.account.run, reason=str(error))
            self._unsettled.append((hold, spent))
        finally:
            self._wake()

    def forget(self, run: RunId) -> None:
        self._used_up.pop(run, None)

    def is_used_up(self, run: RunId) -> Standing | None:
        """The budget for which its last call was refused; None: it was not."""
        return self._used_up.get(run)

    async def allow(self, key: str, offer: Offer, by: str) -> bool:
        """False: the question `key` was answered before."""
        is_new = await self._store.allow_spend(Allowance(key, offer.budget, offer.micros, offer.tokens, by))
        self._wake()
        return is_new

    async def standings(self, account: Account) -> list[Standing]:
        return await self._store.standings(self.rules.budgets(account, self.today()))

    async def _hold(self, hold: Hold, budgets: Sequence[Budget]) -> list[Standing]:
        """Who goes away meanwhile, or is told of a fault, makes no call; what may be held for it is given back."""
        try:
            return await self._store.hold_call(hold, budgets)
        except (asyncio.CancelledError, StoreError):
            self._unsettled.append((hold, Spent()))
            self._wake()
            raise

    async def _settle_late(self) -> None:
        """What could not be counted when it was over."""
        while self._unsettled:
            late = self._unsettled.pop(0)
            try:
                await self._store.settle_call(late[0].call, late[1])
            except (asyncio.CancelledError, StoreError):
                self._unsettled.append(late)
                raise

    async def _settle(self, hold: Hold, spent: Spent) -> None:
        if await self._store.settle_call(hold.call, spent) and self.rules.amounts:
            budgets = self.rules.budgets(hold.account, hold.day)
            for standing in await self._store.standings(budgets):
                if standing.share >= self.rules.warn_at and not standing.is_used_up:
                    await self._warn(hold.account, standing)

    async def _warn(self, account: Account, standing: Standing) -> None:
        """Once for each budget, and once more after more was allowed. Of one that is used up the card tells."""
        key = PostKey(f"budget-warning:{standing.budget.name}:{standing.micros}:{standing.tokens}")
        post: Post = warning_post(standing)
        try:
            await self._posts.say(key, account.thread, post)
        except BotError as error:
            log.warning("budgets.not_warned", budget=standing.budget.name, reason=str(error))

    def _wake(self) -> None:
        self._settled.set()
        self._settled = asyncio.Event()
